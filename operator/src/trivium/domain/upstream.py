"""model.from.job: wait for the job that this one starts from, then copy what is needed of it.

A failed or missing upstream is waited for too: it can be created again under the same name, and nothing is held
meanwhile.
"""

from trivium.api.conditions import ConditionType, Reason
from trivium.api.model import JobReference
from trivium.api.status import LineageEntry, Phase, UpstreamStatus
from trivium.domain.observation import UpstreamSeen
from trivium.domain.situation import Situation
from trivium.domain.verdict import AdoptUpstream, Hold, Verdict

_MAX_LINEAGE = 32


def upstream_reference(situation: Situation) -> JobReference | None:
    """The job that this one starts from, if any."""
    source = situation.job.spec.model.from_
    return source.job if source is not None else None


def judge_upstream(situation: Situation) -> Verdict | None:
    """Hold until the upstream is ready, adopt it once; None when there is none or it is adopted."""
    reference, adopted = upstream_reference(situation), situation.status.upstream
    if reference is None:
        return None
    if adopted is not None and (adopted.kind, adopted.name) == (reference.kind, reference.name):
        return None
    return _judge_seen(situation.observation.upstream, reference)


def _judge_seen(seen: UpstreamSeen | None, reference: JobReference) -> Verdict:
    name = f"{reference.kind} {reference.name}"
    if seen is None or seen.deleting:
        there = "is being deleted" if seen is not None else "does not exist in this namespace"
        return _wait(Reason.UPSTREAM_NOT_FOUND, f"model.from.job: {name} {there}. Create it; this job waits for it.")
    if seen.failed:
        message = f"model.from.job: {name} failed. Delete it and create it again corrected; this job waits for it."
        return _wait(Reason.UPSTREAM_FAILED, message)
    if not seen.succeeded:
        return _wait(Reason.UPSTREAM_NOT_FINISHED, f"Waits for {name} to succeed.")
    upstream = _read_output(seen, reference)
    if upstream is None:
        message = f"model.from.job: {name} succeeded without a model to start from. Name a job that writes one."
        return _wait(Reason.UPSTREAM_FAILED, message)
    return AdoptUpstream(upstream=upstream)


def _wait(reason: Reason, message: str) -> Hold:
    return Hold(
        phase=Phase.WAITING, condition=ConditionType.UPSTREAM_READY, status="False", reason=reason, message=message
    )


def _read_output(seen: UpstreamSeen, reference: JobReference) -> UpstreamStatus | None:
    output, plan = seen.status.output, seen.status.plan
    if output is None or plan is None or plan.runs is None or "/train/output/model" not in output.path:
        return None
    return UpstreamStatus(
        kind=reference.kind,
        name=reference.name,
        uid=seen.uid,
        claim_name=plan.runs.claim_name,
        path=plan.runs.path or "",
        output_path=output.path,
        run_path=output.path.removesuffix("/train/output/model"),
        digest=output.digest,
        lineage=seen.status.lineage,
    )


def lineage_through(upstream: UpstreamStatus) -> tuple[LineageEntry, ...]:
    """Every job that a model started from `upstream` went through, oldest first; the oldest give way at the limit."""
    entry = LineageEntry(kind=upstream.kind, name=upstream.name, uid=upstream.uid, digest=upstream.digest or None)
    return (*upstream.lineage, entry)[-_MAX_LINEAGE:]
