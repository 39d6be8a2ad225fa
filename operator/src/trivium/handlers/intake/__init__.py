"""The progress endpoint in a cluster: trainers' reports over TLS, each proved by the token of its pod.

    socket ─> listener: connections, each bounded ─> server: HTTP, JSON, rates ─> verifier: whose token? ─> on_report

A report is a tenant's input: every stage has its bound, and what one pod spends is taken from no other.
"""

from trivium.handlers.intake.certificate import CertificateError, ServingCertificate
from trivium.handlers.intake.endpoint import ProgressEndpoint
from trivium.handlers.intake.pod_verifier import PodVerifier
from trivium.handlers.intake.server import PATH, IntakeServer
from trivium.handlers.intake.verifier import Verifier

__all__ = [
    "PATH",
    "CertificateError",
    "IntakeServer",
    "PodVerifier",
    "ProgressEndpoint",
    "ServingCertificate",
    "Verifier",
]
