"""What the command line shows of a job: one flat value from its manifest. Pure."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from trivium.cli.job_address import address_of
from trivium.ports import Manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureView:
    """Why a job failed, in the words of its status."""

    failure_class: str
    reason: str
    message: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobView:
    """One row; None where nothing is known yet."""

    job: str
    namespace: str
    uid: str
    phase: str
    stage: str | None
    step: int
    total_steps: int
    loss: float | None
    tokens_per_second: float | None
    eta: str | None
    activity: str | None
    restarts: int
    attempt: int
    ray_job: str | None
    message: str
    failure: FailureView | None
    output: str | None
    report: str | None

    @property
    def has_succeeded(self) -> bool:
        """The job is done."""
        return self.phase == "Succeeded"

    @property
    def has_ended(self) -> bool:
        """Nothing will change any more."""
        return self.phase in {"Succeeded", "Failed"}

    @property
    def is_suspended(self) -> bool:
        """Nothing will change until somebody resumes it."""
        return self.phase == "Suspended"

    def to_json(self) -> dict[str, Any]:
        """For `-o json`: camelCase, without what is unknown."""
        raw = asdict(self)
        failure = raw.pop("failure")
        if failure is not None:
            raw["failure"] = {"class": failure.pop("failure_class"), **failure}
        return {_camel(name): value for name, value in raw.items() if value is not None}


def view_job(manifest: Manifest) -> JobView:
    """The row of a job; a job without a status yet is Pending."""
    status: Mapping[str, Any] = manifest.get("status") or {}
    progress: Mapping[str, Any] = status.get("progress") or {}
    attempts: list[Mapping[str, Any]] = status.get("attempts") or []
    output: Mapping[str, Any] = status.get("output") or {}
    return JobView(
        job=address_of(manifest),
        namespace=manifest["metadata"]["namespace"],
        uid=manifest["metadata"].get("uid", ""),
        phase=status.get("phase") or "Pending",
        stage=status.get("stage"),
        step=progress.get("step", 0),
        total_steps=progress.get("totalSteps", 0) or (status.get("plan") or {}).get("totalSteps", 0),
        loss=progress.get("loss"),
        tokens_per_second=progress.get("tokensPerSecond"),
        eta=progress.get("eta"),
        activity=progress.get("activity") or None,
        restarts=status.get("restarts", 0),
        attempt=attempts[-1]["number"] if attempts else 0,
        ray_job=attempts[-1].get("rayJob") if attempts else None,
        message=_message(status),
        failure=_failure(status, attempts),
        output=output.get("uri") if status.get("phase") == "Succeeded" else None,
        report=output.get("reportUri"),
    )


def _message(status: Mapping[str, Any]) -> str:
    return str(status.get("message") or "")


def _failure(status: Mapping[str, Any], attempts: list[Mapping[str, Any]]) -> FailureView | None:
    """The last attempt's failure; a job that was refused before any attempt has only its conditions."""
    if status.get("phase") != "Failed":
        return None
    failure = (attempts[-1].get("failure") or {}) if attempts else {}
    conditions: list[Mapping[str, Any]] = status.get("conditions") or []
    failed: Mapping[str, Any] = next((c for c in conditions if (c["type"], c["status"]) == ("Failed", "True")), {})
    return FailureView(
        failure_class=failure.get("class") or _class_of_reason(failed.get("reason", "")),
        reason=failure.get("reason") or failed.get("reason", "Failed"),
        message=failure.get("message") or failed.get("message") or _message(status),
        remedy=failure.get("remedy", ""),
    )


def _class_of_reason(reason: str) -> str:
    """A job that never started failed by its spec, by a deadline, or by its upstream: by what its author can change."""
    return reason if reason in {"Deadline", "Unschedulable", "Infrastructure", "Internal"} else "UserError"


def _camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(word.capitalize() for word in tail)
