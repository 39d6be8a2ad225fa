"""What the job's own status says: ends, suspension, spec, plan, upstream, pauses. Pure."""

from trivium.api.conditions import MEANINGS, Reason
from trivium.cli import figures
from trivium.cli.job_address import address_of
from trivium.cli.job_view import view_job
from trivium.cli.why.cause import Cause
from trivium.cli.why.facts import Facts


def judge_end(facts: Facts) -> Cause | None:
    """A job that is over, or is going away."""
    view = view_job(facts.job)
    if facts.job["metadata"].get("deletionTimestamp"):
        held = ", ".join(facts.job["metadata"].get("finalizers") or ())
        return Cause(
            code="Deleting",
            says="The job is being deleted" + (f"; {held} holds it." if held else "."),
            remedy="Trivium sets no finalizer; whoever set these must remove them."
            if held
            else "Nothing is to be done.",
            who="platform" if held else "nobody",
        )
    if view.has_succeeded:
        return Cause(
            code="Succeeded",
            says="It is done: every stage is complete.",
            remedy="Its model is in status.output; a later job names this one in model.from.job.",
            who="nobody",
            commands=(facts.kubectl_trivium("report"),),
        )
    if view.phase != "Failed" or view.failure is None:
        return None
    failure = view.failure
    return Cause(
        code="Failed",
        says=f"It has failed: {failure.failure_class}, {failure.reason}: {failure.message}",
        remedy=failure.remedy or "Correct the cause, delete the job and create it again.",
        who="you",
        commands=(facts.kubectl_trivium("status"), facts.kubectl_trivium("logs")),
    )


def judge_spec(facts: Facts) -> Cause | None:
    """A spec that was let in and breaks a rule all the same."""
    accepted = facts.condition("Accepted")
    if accepted.get("status") != "False":
        return None
    return Cause(
        code=accepted["reason"],
        says=f"The spec is not valid: {accepted.get('message', '')}",
        remedy="Correct the fields that are named and apply the job again.",
        who="you",
        commands=(f"trivium validate FILE, then {facts.kubectl('apply -f FILE')}",),
    )


def judge_suspension(facts: Facts) -> Cause | None:
    """Somebody's wish."""
    suspended = bool((facts.job["spec"].get("runPolicy") or {}).get("suspend"))
    if not suspended:
        return None
    if view_job(facts.job).is_suspended:
        return Cause(
            code="Suspended",
            says="It is suspended: spec.runPolicy.suspend is true, and it holds nothing.",
            remedy="Resume it; it goes on from its last checkpoint.",
            who="you",
            commands=(facts.kubectl_trivium("resume"),),
        )
    return Cause(
        code="Suspending",
        says=facts.condition("Suspended").get("message") or "It was told to save a checkpoint and stop.",
        remedy="Wait for the checkpoint, or resume it.",
        who="nobody",
        commands=(facts.kubectl_trivium("resume"),),
    )


def judge_upstream(facts: Facts) -> Cause | None:
    """The job that this one starts from."""
    ready = facts.condition("UpstreamReady")
    if ready.get("status") != "False":
        return None
    upstream = facts.upstream.first
    says, remedy = ready.get("message", ""), MEANINGS[Reason(ready["reason"])] if _is_known(ready["reason"]) else ""
    if ready["reason"] == Reason.UPSTREAM_NOT_FINISHED and upstream is not None:
        view = view_job(upstream)
        says = f"It waits for {view.job}, which is {view.phase}{f': {view.message}' if view.message else '.'}"
        remedy = "It starts by itself when that job has succeeded."
        return Cause(
            code=ready["reason"],
            says=says,
            remedy=remedy,
            who="nobody",
            commands=(facts.kubectl_trivium("why", view.job),),
        )
    commands = (facts.kubectl_trivium("why", address_of(upstream)),) if upstream is not None else ()
    listing = facts.kubectl("get trivium")
    return Cause(code=ready["reason"], says=says, remedy=remedy, who="you", commands=(*commands, listing))


def judge_plan(facts: Facts) -> Cause | None:
    """Profile, queue, priority, and whether it fits."""
    planned = facts.condition("Planned")
    if planned.get("status") != "False":
        return None
    profiles = ", ".join(one["metadata"]["name"] for one in facts.profiles.objects)
    known = f" There are {profiles}." if profiles else ""
    remedy = MEANINGS[Reason(planned["reason"])] if _is_known(planned["reason"]) else "Do as the message says."
    needs_platform = facts.profiles.surely_absent and planned["reason"] != Reason.DOES_NOT_FIT
    return Cause(
        code=planned["reason"],
        says=planned.get("message", ""),
        remedy="Ask the platform team for a ComputeProfile: there is none." if needs_platform else remedy + known,
        who="platform" if needs_platform else "you",
        commands=(
            facts.kubectl("get computeprofiles -o wide", scoped=False),
            facts.kubectl(f"edit {facts.job['kind'].lower()} {facts.job['metadata']['name']}"),
        ),
    )


def judge_pause(facts: Facts) -> Cause | None:
    """Between two attempts."""
    pausing = facts.condition("Restarting")
    if pausing.get("status") != "True" or facts.attempt is not None:
        return None
    attempts = facts.status.get("attempts") or ()
    failure = (attempts[-1].get("failure") or {}) if attempts else {}
    last = f" The last attempt: {failure['class']}, {failure.get('reason', '')}." if failure else ""
    return Cause(
        code="BackingOff",
        says=f"{pausing.get('message') or 'The next attempt begins after a pause.'}{last}",
        remedy=failure.get("remedy") or "The next attempt begins by itself.",
        who="nobody",
        commands=(facts.kubectl_trivium("status"),),
    )


def judge_running(facts: Facts) -> Cause | None:
    """It does run: with how fresh its news are."""
    if not facts.is_so("Running"):
        return None
    view = view_job(facts.job)
    told = (facts.status.get("progress") or {}).get("updatedAt")
    step = f", step {figures.steps(view)}" if view.step else ""
    fresh = f"; it last reported {figures.age(facts.seconds_since(told))} ago" if told else ""
    return Cause(
        code="Running",
        says=f"It runs: {view.message.rstrip('.') or view.phase}{step}{fresh}.",
        remedy="Nothing is in its way.",
        who="nobody",
        commands=(facts.kubectl(f"trivium logs -f {facts.address}"),),
    )


def _is_known(reason: str) -> bool:
    return reason in {one.value for one in Reason}
