"""Which attempt's log is meant, and what is said of the others. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from trivium.cli.errors import CommandError
from trivium.cli.exit_codes import ExitCode
from trivium.cli.job_address import address_of
from trivium.ports import Manifest


def attempts_of(job: Manifest) -> Sequence[Mapping[str, Any]]:
    """Oldest first."""
    return (job.get("status") or {}).get("attempts") or []


def choose_attempt(job: Manifest, *, stage: str | None, number: int | None) -> Mapping[str, Any] | None:
    """The last one that fits."""
    fitting = [one for one in attempts_of(job) if stage in (None, one["stage"]) and number in (None, one["number"])]
    return fitting[-1] if fitting else None


def no_attempt(job: Manifest, *, stage: str | None, number: int | None) -> CommandError:
    """There is nothing to show, and this is why."""
    address, namespace = address_of(job), job["metadata"]["namespace"]
    if not attempts_of(job):
        message = f"{address}: no attempt has started yet. kubectl trivium why {address} -n {namespace} says why."
        return CommandError(message, code=ExitCode.NOT_FOUND)
    wanted = " ".join(
        part for part in (f"of stage {stage}" if stage else "", f"with number {number}" if number else "") if part
    )
    known = ", ".join(f"{one['number']} ({one['stage']})" for one in attempts_of(job))
    message = f"{address}: there is no attempt {wanted}. There are {known}."
    return CommandError(message, code=ExitCode.NOT_FOUND)


def no_pods(job: Manifest, attempt: Mapping[str, Any]) -> CommandError:
    """The attempt's pods are not there: not yet, or not any more."""
    address, namespace = address_of(job), job["metadata"]["namespace"]
    if attempt.get("endedAt") is None:
        message = (
            f"{address}: attempt {attempt['number']} has no pods yet. "
            f"kubectl trivium why {address} -n {namespace} says why; with -f this command waits for them."
        )
        return CommandError(message, code=ExitCode.NOT_FOUND)
    failure = attempt.get("failure") or {}
    end = f"{failure['class']}, {failure.get('reason', '')}: {failure.get('message', '')}" if failure else ""
    message = (
        f"{address}: the pods of attempt {attempt['number']} are gone, and their logs with them; a log collector may "
        f"have kept them. It ended {attempt.get('outcome')}{f' ({end})' if end else ''}."
    )
    return CommandError(message, code=ExitCode.NOT_FOUND)


def tell_of_others(job: Manifest, shown: Mapping[str, Any]) -> str:
    """One line about the attempts before the one that is shown; empty if it is the first."""
    before = [one for one in attempts_of(job) if one["number"] < shown["number"]]
    told = f"Attempt {shown['number']}, stage {shown['stage']}."
    if not before:
        return told
    ends = ", ".join(f"{one['number']} ({one['stage']}: {_end(one)})" for one in before[-3:])
    return f"{told} Before it: {ends}."


def _end(attempt: Mapping[str, Any]) -> str:
    failure = attempt.get("failure") or {}
    return str(failure.get("reason") or attempt.get("outcome") or "running")
