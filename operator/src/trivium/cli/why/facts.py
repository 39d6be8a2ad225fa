"""Everything that is known around one job when the question is asked. Pure; `gather.py` fills it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from trivium.cli.job_address import address_of
from trivium.ports import Manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The objects of a kind, as far as this person may see them."""

    objects: Sequence[Manifest] = ()
    readable: bool = True
    """False: this person may not read them, so their absence says nothing."""
    served: bool = True
    """False: the cluster does not know the kind."""

    @property
    def first(self) -> Manifest | None:
        """For kinds of which there is one at most."""
        return self.objects[0] if self.objects else None

    @property
    def surely_absent(self) -> bool:
        """Whether there is none, and not only none to be seen."""
        return self.readable and not self.objects


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSeen:
    """A webhook that must agree before a RayJob is created."""

    name: str
    service: str
    """`<namespace>/<name>`."""
    ready: bool | None
    """Whether its Service has a pod behind it; None: not to be seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the judges read."""

    job: Manifest
    now: datetime
    """The API server's clock."""
    flags: str = ""
    """Options that lead to this cluster, for commands to run next."""
    upstream: Seen = field(default_factory=Seen)
    leases: Seen = field(default_factory=Seen)
    profiles: Seen = field(default_factory=Seen)
    ray_job: Seen = field(default_factory=Seen)
    workload: Seen = field(default_factory=Seen)
    local_queue: Seen = field(default_factory=Seen)
    pods: Seen = field(default_factory=Seen)
    warnings: Seen = field(default_factory=Seen)
    """Warning events of the job and its children, oldest first."""
    webhooks: Sequence[WebhookSeen] = ()

    @property
    def status(self) -> Mapping[str, Any]:
        """Of the job; empty before the operator has seen it."""
        return self.job.get("status") or {}

    @property
    def namespace(self) -> str:
        """Of the job and its children."""
        return str(self.job["metadata"]["namespace"])

    @property
    def address(self) -> str:
        """`sft/my-job`."""
        return address_of(self.job)

    @property
    def attempt(self) -> Mapping[str, Any] | None:
        """The one that lives."""
        attempts = self.status.get("attempts") or ()
        return attempts[-1] if attempts and attempts[-1].get("endedAt") is None else None

    @property
    def queued(self) -> bool:
        """Whether the attempt waits for quota."""
        return self.attempt is not None and bool(self.attempt.get("queued")) and not self.attempt.get("admittedAt")

    def condition(self, kind: str) -> Mapping[str, Any]:
        """Empty where there is none."""
        return next((one for one in self.status.get("conditions") or () if one["type"] == kind), {})

    def is_so(self, kind: str) -> bool:
        """Whether a condition is True."""
        return self.condition(kind).get("status") == "True"

    def seconds_since(self, timestamp: str | None) -> float:
        """0 for a time that is not known."""
        return 0.0 if not timestamp else (self.now - datetime.fromisoformat(timestamp)).total_seconds()

    def kubectl(self, words: str, *, namespace: str | None = None, scoped: bool = True) -> str:
        """A command to run next, in the job's namespace or another, on this cluster."""
        where = f" -n {namespace or self.namespace}" if scoped else ""
        return f"kubectl {words}{where}{self.flags}"

    def kubectl_trivium(self, verb: str, address: str | None = None) -> str:
        """A command of ours about this job or another of the namespace."""
        return self.kubectl(f"trivium {verb} {address or self.address}")
