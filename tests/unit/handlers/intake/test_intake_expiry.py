"""Until when the certificate in use is good, and that one which nobody would accept is noticed."""

import ssl
import time
from pathlib import Path

import pytest

from testcluster.authority import Authority
from trivium.handlers.intake import ServingCertificate
from trivium.handlers.intake.expiry import expiry_of


def test_the_expiry_is_the_certificates_own(tmp_path: Path) -> None:
    Authority("first").write(tmp_path)
    serving = ServingCertificate(tmp_path)
    left = expiry_of(serving.context(), serving.bundle()) - time.time()
    assert 3500 < left <= 3600, "testcluster.authority signs for an hour"


def test_a_certificate_of_another_authority_is_an_error(tmp_path: Path) -> None:
    Authority("first").write(tmp_path)
    with pytest.raises(ssl.SSLError):
        expiry_of(ServingCertificate(tmp_path).context(), Authority("second").pem)
