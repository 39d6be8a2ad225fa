"""What each verdict says to people: the phase, the one sentence, and every condition besides what always holds."""

import pytest

from trivium.api.conditions import ConditionType, Reason
from trivium.api.status import Failure, Phase
from trivium.domain.findings import describe
from trivium.domain.pod_evidence import PodEvidence
from trivium.domain.verdict import Adopt, Begin, End, Finish, Hold, Keep, QueuePlace, Rerun, Sweep

STANDING = {"Accepted", "UpstreamReady", "Planned"}
FAILURE = Failure(failure_class="UserError", reason="Broken", message="It broke.", remedy="Mend it.")
BEGIN = Begin(stage="train", plan=None, workers=1, place=QueuePlace(), is_restart=False)
RERUN = Rerun(failure=FAILURE)
END = End(outcome="Complete")
HELD = {"status": "True", "reason": "CapacityFreed", "message": "Held."}
SUSPENDED = Hold(phase=Phase.SUSPENDED, condition=ConditionType.SUSPENDED, **HELD)
RESTARTING = Hold(phase=Phase.RESTARTING, condition=ConditionType.RESTARTING, **HELD)
PLANNED = Hold(phase=Phase.PENDING, condition=ConditionType.PLANNED, **(HELD | {"status": "False"}))
SEE = "See kubectl describe workloads -l kueue.x-k8s.io/job-uid=uid-1"


def told(case, verdict):
    phase, message, findings = describe(case.situation, verdict, case.status)
    said = {(one.type, one.status, one.reason, one.message) for one in findings if one.type not in STANDING}
    return phase, message, said


def running(reason, message, status="False"):
    return ("Running", status, reason, message)


def known(case, *kinds):
    fields = {"status": "True", "reason": "R", "last_transition_time": case.time}
    return case.record(conditions=tuple({"type": kind, **fields} for kind in kinds))


TRAINS = "Attempt 1 is training."
PREPARES = "Attempt 1 prepares model and data."
STARTS = "Attempt 1 of stage train is starting."
DELETED = "The RayJob of attempt 1 is being deleted by someone else."
STRANGE = "KubeRay reports a state that this version does not know; nothing is done about it."


@pytest.mark.parametrize(
    ("stage", "ray_job", "phase", "want"),
    [
        ("train", {}, Phase.RUNNING, running("Training", TRAINS, "True")),
        ("prepare", {"name": "a-prepare-1"}, Phase.PREPARING, running("Preparing", PREPARES, "True")),
        ("train", {"deployment": "Initializing", "job": ""}, Phase.STARTING, running("Starting", STARTS)),
        ("train", {"deleting": True}, Phase.WAITING, running("Deleted", DELETED)),
        ("train", {"deployment": "Hibernating"}, Phase.WAITING, running("UnknownState", STRANGE, "Unknown")),
    ],
)
def test_a_living_attempt_says_what_its_processes_do(case, stage, ray_job, phase, want):
    case.planned(stage=stage).attempt(stage=stage).ray_job(**ray_job).record(phase="Waiting")
    assert told(case, Keep()) == (phase, want[3], {want})


@pytest.mark.parametrize("trouble", ["image_error", "configuration_error", "unschedulable"])
def test_a_start_tells_what_its_pods_complain_about(case, trouble):
    case.planned().attempt().ray_job("Initializing", "")
    case.observed(evidence=(PodEvidence(pod="fine"), PodEvidence(pod="head", **{trouble: "No: not so."})))
    message = f"{STARTS} Pod head: No: not so."
    assert told(case, Keep()) == (Phase.STARTING, message, {running("Starting", message)})


def test_an_attempt_that_was_told_to_stop_saves_first(case):
    case.planned().attempt().ray_job().record(suspend_requested_at=case.time)
    message = "Attempt 1 was told to save a checkpoint and stop."
    suspended = ("Suspended", "False", "Checkpointing", message)
    assert told(case, Keep()) == (Phase.SUSPENDING, message, {running("SuspendRequested", message), suspended})


@pytest.mark.parametrize(
    ("attempt", "message", "quota"),
    [
        (
            {"queue": "b", "queued": True, "ray_job_uid": "uid-1"},
            f"Attempt 1 waits for quota in queue b since 2026-01-01T00:00:00Z; it holds nothing. {SEE}",
            "False",
        ),
        (
            {"queued": True, "ray_job_uid": "uid-1"},
            "Attempt 1 waits for quota since 2026-01-01T00:00:00Z; it holds nothing.",
            "False",
        ),
        (
            {"queue": "b", "queued": True, "ray_cluster": "c1", "admitted_at": "2026-01-01T00:00:00Z"},
            "Queue takes the quota of attempt 1.",
            "True",
        ),
    ],
)
def test_a_queued_attempt_says_where_it_waits_and_where_to_look(case, attempt, message, quota):
    case.planned().attempt(**attempt).ray_job("Suspended", "")
    reserved = ("QuotaReserved", quota, *(("Admitted", "") if quota == "True" else ("Queued", message)))
    assert told(case, Keep()) == (Phase.QUEUED, message, {running("Queued", message), reserved})


def test_quota_is_needed_no_more_when_a_queued_attempt_is_over(case):
    case.planned().failed(queue="b", queued=True)
    assert ("QuotaReserved", "False", "Finished", "No attempt needs quota.") in told(case, SUSPENDED)[2]


@pytest.mark.parametrize(
    ("verdict", "phase", "message", "reason"),
    [
        (BEGIN, Phase.STARTING, "Attempt 2 of stage train is starting.", "Starting"),
        (RERUN, Phase.QUEUED, "Attempt 2 waits for quota since 2026-01-01T00:00:00Z; it holds nothing.", "Queued"),
        (Sweep(message="Left over."), Phase.WAITING, "Left over.", "Deleted"),
    ],
)
def test_the_newest_attempt_is_the_one_that_is_told_of(case, verdict, phase, message, reason):
    case.planned().failed().attempt(number=2).record(phase="Waiting")
    assert told(case, verdict) == (phase, message, {running(reason, message)})


@pytest.mark.parametrize(("attempts", "phase"), [(0, Phase.PENDING), (1, Phase.WAITING)])
def test_a_plan_is_adopted_without_a_word_about_conditions(case, attempts, phase):
    case.planned().record(phase="Waiting")
    assert told(case.attempt() if attempts else case, Adopt(stages=())) == (phase, "Planned.", set())


@pytest.mark.parametrize("verdict", [Keep(), BEGIN, RERUN])
def test_what_goes_on_is_neither_suspended_nor_restarting_any_more(case, verdict):
    known(case.planned().attempt().ray_job(), "Suspended", "Restarting")
    said = told(case, verdict)[2]
    assert {("Suspended", "False", "Resumed", ""), ("Restarting", "False", "Resumed", "")} <= said


@pytest.mark.parametrize("attempts", [0, 1])
@pytest.mark.parametrize(
    ("verdict", "others"),
    [
        (SUSPENDED, {("Suspended", "True", "CapacityFreed", "Held."), ("Restarting", "False", "NotStarted", "")}),
        (RESTARTING, {("Restarting", "True", "CapacityFreed", "Held."), ("Suspended", "False", "Resumed", "")}),
        (PLANNED, {("Restarting", "False", "NotStarted", ""), ("Suspended", "False", "Resumed", "")}),
    ],
)
def test_a_hold_says_its_own_condition_and_answers_those_that_were_there(case, verdict, others, attempts):
    known(case.planned(), "Suspended", "Restarting")
    reason = "CapacityFreed" if attempts else "NotStarted"
    said = told(case.failed() if attempts else case, verdict)
    assert said == (verdict.phase, "Held.", {running(reason, ""), *others})


@pytest.mark.parametrize("verdict", [SUSPENDED, RESTARTING, Finish(), Finish(failure=FAILURE)])
def test_conditions_that_never_were_there_stay_away(case, verdict):
    own = {getattr(verdict, "condition", None), "Running", "Succeeded", "Failed"}
    assert {one[0] for one in told(case.planned(), verdict)[2]} <= own


@pytest.mark.parametrize(
    ("stage", "fields", "suspend", "phase", "reason", "message"),
    [
        ("prepare", {"outcome": "Complete"}, False, Phase.PREPARING, "Complete", "Stage prepare is complete."),
        ("train", {"outcome": "Complete"}, False, Phase.RUNNING, "Complete", "Stage train is complete."),
        ("train", {"outcome": "Stopped"}, False, Phase.WAITING, "NotStarted", "Attempt 1 stopped as it was told to."),
        ("train", {"outcome": "Stopped"}, True, Phase.SUSPENDING, "SuspendRequested", "Attempt 1 stopped as it was told to."),
        ("train", {"outcome": "Failed", "failure": FAILURE}, False, Phase.WAITING, "UserError", "Attempt 1 failed: UserError Broken. It broke."),
    ],
)  # fmt: skip
def test_an_end_says_how_it_ended(case, stage, fields, suspend, phase, reason, message):
    case.planned(stage=stage).attempt(stage=stage, ended_at=case.time, **fields)
    case.record(phase="Waiting").with_spec(runPolicy={"suspend": suspend})
    assert told(case, END) == (phase, message, {running(reason, message)})


def test_a_failure_with_another_attempt_after_it_is_a_restart(case):
    message = "Attempt 1 failed: Infrastructure Broken. It broke."
    assert told(case.planned().failed(), END) == (Phase.RESTARTING, message, {running("Infrastructure", message)})


@pytest.mark.parametrize(
    ("failure", "phase", "want"),
    [
        (None, Phase.SUCCEEDED, ("Succeeded", "True", "Complete", "Every stage is complete.")),
        (FAILURE, Phase.FAILED, ("Failed", "True", "UserError", "It broke. Mend it.")),
        (FAILURE.model_copy(update={"remedy": ""}), Phase.FAILED, ("Failed", "True", "UserError", "It broke.")),
    ],
)
def test_the_end_of_a_job_says_what_came_of_it(case, failure, phase, want):
    known(case.planned(), "Suspended", "Restarting")
    over = {(kind, "False", "Finished", "") for kind in ("Running", "Suspended", "Restarting")}
    assert told(case, Finish(failure=failure)) == (phase, want[3], {want, *over})


@pytest.mark.parametrize(("provisional", "reason"), [(True, Reason.PROVISIONAL), (False, Reason.FITS)])
def test_the_plan_of_training_is_told_with_its_notes(case, provisional, reason):
    case.planned(provisional=provisional, notes=("One.", "Two."))
    planned = next(one for one in describe(case.situation, Keep(), case.attempt().status)[2] if one.type == "Planned")
    assert (planned.status, planned.reason, planned.message) == ("True", reason, "One. Two.")
