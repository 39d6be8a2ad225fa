"""Golden cases: `data/<case>/input.yaml` in, `children.yaml` out. `pytest tests/unit/render --rewrite-golden` rewrites."""

from pathlib import Path

import pytest
import yaml

from trivium.api import parse_job, parse_profile
from trivium.api.inspection import Inspection
from trivium.api.plan_status import Plan
from trivium.api.status import LineageEntry, Skip, UpstreamStatus
from trivium.render import AttemptInput

DATA = Path(__file__).parent / "data"


def pytest_addoption(parser):
    parser.addoption("--rewrite-golden", action="store_true", help="write children.yaml instead of comparing it")


def read_attempt(folder, **changes):
    given = yaml.safe_load((folder / "input.yaml").read_text())
    profile = {
        "apiVersion": "trivium.dev/v1alpha1",
        "kind": "ComputeProfile",
        "metadata": {"name": "profile"},
        "spec": given["profile"],
    }
    upstream, inspection = given.get("upstream"), given.get("inspection")
    fields = {
        "job": parse_job(given["job"]),
        "stage": given["stage"],
        "run_number": given["runNumber"],
        "plan": Plan.model_validate(given["plan"]),
        "profile": parse_profile(profile).spec,
        "inspection": Inspection.model_validate(inspection) if inspection else None,
        "upstream": UpstreamStatus.model_validate(upstream) if upstream else None,
        "lineage": tuple(LineageEntry.model_validate(one) for one in given.get("lineage", [])),
        "skips": tuple(Skip.model_validate(one) for one in given.get("skips", [])),
        "excluded_nodes": tuple(given.get("excludedNodes", [])),
        "progress_url": given.get("progressUrl"),
        "ca_pem": given.get("caPem"),
    }
    return AttemptInput(**{**fields, **changes})


def case_names():
    return sorted(folder.name for folder in DATA.iterdir() if folder.is_dir())


def pytest_generate_tests(metafunc):
    if "case" in metafunc.fixturenames:
        metafunc.parametrize("case", case_names())


@pytest.fixture
def attempt_of():
    """attempt_of(case, **changed fields of AttemptInput)."""
    return lambda case, **changes: read_attempt(DATA / case, **changes)


@pytest.fixture
def case_folder():
    return lambda case: DATA / case
