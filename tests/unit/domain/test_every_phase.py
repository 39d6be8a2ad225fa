"""Suspend, resume, delete, edit, a lost profile, a changed upstream and a clock that jumps, in every phase of a job.

Each cell says which verdict the next pass comes to; whole lives with these in them are in tests/simulation.
"""

from datetime import timedelta

import pytest

from trivium.api.conditions import ConditionType, Reason
from trivium.api.failure_classes import FailureClass
from trivium.domain.verdict import Begin, End, Finish, Hold, Keep, Leave, RequestStop, Rest, Sweep

HELD_BY = {"suspend": "Suspended", "lost profile": "ProfileNotFound"}


def waiting(case):
    case.spec["model"] = {"from": {"job": {"kind": "SFTJob", "name": "base"}}}
    return case


PHASES = {
    "Pending": lambda c: c.planned(),
    "Waiting": waiting,
    "Unmade": lambda c: c.planned().attempt(),
    "Queued": lambda c: c.planned().attempt().ray_job("Suspended", ""),
    "Starting": lambda c: c.planned().attempt().ray_job("Initializing", ""),
    "Preparing": lambda c: (
        c.planned(stage="prepare").attempt(stage="prepare", running_at=c.time).ray_job(name="a-prepare-1")
    ),
    "Running": lambda c: c.planned().attempt(running_at=c.time).ray_job(),
    "Suspending": lambda c: (
        c.planned()
        .attempt(running_at=c.time)
        .ray_job()
        .record(suspend_requested_at=c.time)
        .with_spec(runPolicy={"suspend": True})
    ),
    "Suspended": lambda c: (
        c.planned().attempt(outcome="Stopped", ended_at=c.time).with_spec(runPolicy={"suspend": True})
    ),
    "Restarting": lambda c: c.planned().failed(),
    "Final": lambda c: c.planned().failed("UserError"),
    "Remains": lambda c: c.planned().failed().ray_job(),
    "Succeeded": lambda c: over(c, "Succeeded"),
    "Failed": lambda c: over(c, "Failed"),
}


def over(case, kind):
    condition = {"type": kind, "status": "True", "reason": "R", "last_transition_time": case.time}
    return case.planned().record(conditions=(condition,), ended_at=case.time)


ACTIONS = {
    "nothing": lambda c: c,
    "suspend": lambda c: c.with_spec(runPolicy={"suspend": True}),
    "resume": lambda c: c.with_spec(runPolicy={"suspend": False}),
    "delete": lambda c: c.with_metadata(deletionTimestamp="2026-01-01T00:00:00Z"),
    "more workers": lambda c: c.with_spec(compute={"workers": 2}),
    "lost profile": lambda c: c.observed(profiles=()),
    "other profile": lambda c: c.observed(
        profiles=({**c.raw["profiles"][0], "spec": {**c.raw["profiles"][0]["spec"], "image": "newer"}},)
    ),
    "hour back": lambda c: c.at(-3600),
}
# Adopt = the plan is made anew, for the next attempt.
WANT = {
    #             nothing  suspend      resume  delete more workers  lost profile  other profile  hour back
    "Pending":    ("Begin", "Hold",        "Begin", "Leave", "Adopt", "Hold", "Begin", "Begin"),
    "Waiting":    ("Hold",  "Hold",        "Hold",  "Leave", "Hold",  "Hold", "Hold",  "Hold"),
    "Unmade":     ("Keep",  "End",         "Keep",  "Leave", "Keep",  "Hold", "Keep",  "Keep"),
    "Queued":     ("Keep",  "End",         "Keep",  "Leave", "End",   "Keep", "Keep",  "Keep"),
    "Starting":   ("Keep",  "End",         "Keep",  "Leave", "Keep",  "Keep", "Keep",  "Keep"),
    "Preparing":  ("Keep",  "RequestStop", "Keep",  "Leave", "Keep",  "Keep", "Keep",  "Keep"),
    "Running":    ("Keep",  "RequestStop", "Keep",  "Leave", "Keep",  "Keep", "Keep",  "Keep"),
    "Suspending": ("Keep",  "Keep",        "Keep",  "Leave", "Keep",  "Keep", "Keep",  "Keep"),
    "Suspended":  ("Hold",  "Hold",        "Begin", "Leave", "Hold",  "Hold", "Hold",  "Hold"),
    "Restarting": ("Hold",  "Hold",        "Hold",  "Leave", "Hold",  "Hold", "Hold",  "Begin"),
    "Final":      ("Finish", "Finish",     "Finish", "Leave", "Finish", "Finish", "Finish", "Finish"),
    "Remains":    ("Sweep", "Sweep",       "Sweep", "Leave", "Sweep", "Sweep", "Sweep", "Sweep"),
    "Succeeded":  ("Rest",  "Rest",        "Rest",  "Leave", "Rest",  "Rest", "Rest",  "Rest"),
    "Failed":     ("Rest",  "Rest",        "Rest",  "Leave", "Rest",  "Rest", "Rest",  "Rest"),
}  # fmt: skip


def test_the_table_is_full():
    assert set(WANT) == set(PHASES)
    assert {len(row) for row in WANT.values()} == {len(ACTIONS)}


@pytest.mark.parametrize("phase", list(PHASES))
@pytest.mark.parametrize(("column", "action"), list(enumerate(ACTIONS)))
def test_every_action_in_every_phase(new_case, phase, column, action):
    decision = ACTIONS[action](PHASES[phase](new_case())).decide()
    assert type(decision.verdict).__name__ == WANT[phase][column]
    if action in HELD_BY and isinstance(decision.verdict, Hold) and phase not in {"Waiting", "Restarting", "Suspended"}:
        assert HELD_BY[action] in {c.reason for c in decision.status.conditions} | {str(decision.status.phase)}


@pytest.mark.parametrize("phase", list(PHASES))
@pytest.mark.parametrize("action", list(ACTIONS))
def test_what_is_recorded_in_any_cell_is_decided_again_without_a_change(new_case, phase, action):
    case = ACTIONS[action](PHASES[phase](new_case()))
    for _ in range(6):
        decision = case.decide()
        if decision.status == case.status:
            return
        case.status = decision.status
        case.raw["ray_jobs"] = tuple(
            one for one in case.raw.get("ray_jobs", ()) if decision.run and one["metadata"]["name"] == current(case)
        )
    raise AssertionError("no rest")


def current(case):
    return case.status.attempts[-1].ray_job


@pytest.mark.parametrize("phase", list(PHASES))
@pytest.mark.parametrize("seconds", [-86_400, -3600, -1, 1, 3600])
def test_no_duration_is_negative_whatever_the_clock_does(new_case, phase, seconds):
    status = PHASES[phase](new_case()).at(seconds).decide().status
    assert min(status.active_seconds, status.gpu_seconds, *status.seconds.values(), 0) >= 0
    assert all(one.ended_at is None or one.ended_at >= one.started_at for one in status.attempts)


@pytest.mark.parametrize("phase", list(PHASES))
@pytest.mark.parametrize("action", list(ACTIONS))
def test_conditions_are_positive_and_total_and_their_reasons_are_known(new_case, phase, action):
    decision = ACTIONS[action](PHASES[phase](new_case())).decide()
    if isinstance(decision.verdict, Leave | Rest | Sweep):
        return  # what was said before holds
    conditions = {c.type: c for c in decision.status.conditions}
    assert {"Accepted", "UpstreamReady"} <= set(conditions)
    assert set(conditions) <= set(ConditionType)
    assert {c.reason for c in conditions.values()} <= {*Reason, *FailureClass}
    assert not {"Succeeded", "Failed"} <= {name for name, c in conditions.items() if c.status == "True"}
    assert conditions["Accepted"].status == "True"
    assert decision.status.message or phase == "Pending"


@pytest.mark.parametrize("was", ["Suspended", "Restarting", "Running", "QuotaReserved"])
def test_a_job_that_is_over_is_nothing_else(case, was):
    condition = {"type": was, "status": "True", "reason": "R", "last_transition_time": case.time}
    case.planned().failed("UserError", queue="b", queued=True).record(conditions=(condition,))
    true = {c.type for c in case.decide().status.conditions if c.status == "True"}
    assert true == {"Accepted", "Planned", "UpstreamReady", "Failed"}


# The clock and silence. Times are seconds after T0; hangTimeoutSeconds is 600, so silence may last 6000.


@pytest.mark.parametrize(
    ("heard", "listening", "now", "want"),
    [
        (0, 0, 5999, Keep),  # reports that are lost show no standstill
        (0, 0, 6000, End),
        (0, 1000, 6999, Keep),  # the operator was away, or its clock jumped, until 1000
        (0, 1000, 7000, End),
        (36_000, 0, 100, Keep),  # heard at 36,000 by the old clock; it went back to nearly the beginning
        (36_000, 100, 6099, Keep),
        (36_000, 100, 6100, End),  # and counts from when it went back, not from ten hours later
    ],
)
def test_a_jump_of_the_clock_is_no_hang(case, t0, heard, listening, now, want):
    case.planned().attempt(running_at=t0, ray_job_uid="uid-a-train-1").ray_job()
    case.reported(activity="step", step=3, received=heard)
    case.observed(listening_since=t0 + timedelta(seconds=listening))
    assert isinstance(case.at(now).decide().verdict, want)


@pytest.mark.parametrize(
    ("activity", "received", "now", "want"),
    [
        ("step", 1199, 1300, Keep),
        ("step", 1200, 1200, End),  # twice the trainer's own watchdog
        ("step", 1199, 6000, Keep),  # nothing came since, so nothing shows that it stands still
        ("save", 11_999, 11_999, Keep),
        ("save", 12_000, 12_000, End),
    ],
)
def test_only_a_report_that_comes_too_late_for_its_step_shows_a_standstill(case, t0, activity, received, now, want):
    case.planned().attempt(running_at=t0, ray_job_uid="uid-a-train-1").ray_job()
    case.reported(activity=activity, step=3, received=received, advanced=0)
    assert isinstance(case.at(now).decide().verdict, want)


@pytest.mark.parametrize(
    ("running_at", "now", "want"),
    [(None, 599, Keep), (None, 600, End), (0, 600, Keep), (0, 5999, Keep), (0, 6000, End)],
)
def test_a_trainer_that_has_reported_is_judged_by_its_silence_and_not_by_an_old_view_of_its_ray_job(
    case, t0, running_at, now, want
):
    began = None if running_at is None else t0
    case.planned().attempt(running_at=began).ray_job("Initializing", "")
    decision = case.at(now).decide()
    assert isinstance(decision.verdict, want)
    if want is End:
        assert decision.verdict.failure.reason == ("StartTimeout" if running_at is None else "Silent")


@pytest.mark.parametrize(
    ("created", "started", "now", "want"),
    [(None, None, 600, End), (590, None, 1189, Keep), (590, None, 1190, End), (590, 700, 1299, Keep)],
)
def test_a_start_counts_from_when_its_ray_job_was_made(case, t0, created, started, now, want):
    times = {
        name: (t0 + timedelta(seconds=at)).isoformat()
        for name, at in (("c", created), ("s", started))
        if at is not None
    }
    case.planned().attempt()
    case.ray_job("Initializing", "", **({"startTime": times["s"]} if started is not None else {}))
    if created is not None:
        case.raw["ray_jobs"][0]["metadata"]["creationTimestamp"] = times["c"]
    assert isinstance(case.at(now).decide().verdict, want)


def test_progress_is_written_again_at_once_after_the_clock_went_back(case):
    case.planned().attempt().ray_job().reported(step=1, received=3600)
    case.status = case.at(3600).decide().status
    case.reported(step=2, received=0)
    assert case.at(0).decide().status.progress.step == 2


# Deadlines


@pytest.mark.parametrize(
    ("suspended", "now", "want"),
    [
        (None, 59, Begin),
        (None, 60, Finish),
        (("True", 500), 600, Begin),  # resumed just now
        (("False", 500), 559, Begin),
        (("False", 500), 560, Finish),
    ],
)
def test_a_resumed_job_has_the_whole_start_deadline_again(case, t0, suspended, now, want):
    case.with_spec(runPolicy={"startDeadlineSeconds": 60}).planned()
    if suspended:
        status, since = suspended
        at = t0 + timedelta(seconds=since)
        condition = {"type": "Suspended", "status": status, "reason": "R", "last_transition_time": at}
        case.record(conditions=(condition,))
    assert isinstance(case.at(now).decide().verdict, want)


@pytest.mark.parametrize(
    ("spent", "started", "now", "want"),
    [(0, 0, 99, Keep), (0, 0, 100, RequestStop), (60, 0, 39, Keep), (60, 0, 40, RequestStop), (0, 5000, 100, Keep)],
)
def test_the_deadline_of_all_attempts_together(case, t0, spent, started, now, want):
    case.with_spec(runPolicy={"activeDeadlineSeconds": 100}).record(active_seconds=spent)
    case.planned().attempt(started_at=t0 + timedelta(seconds=started), running_at=t0).ray_job()
    assert isinstance(case.at(now).decide().verdict, want)


# Edits while a failure waits for its answer


def test_fewer_workers_asked_for_while_there_is_no_room_are_tried(case):
    case.planned(workers=4).failed("Unschedulable", workers=4).with_spec(compute={"workers": 2})
    case.status = case.at(20).decide().status  # planned anew
    decision = case.decide()
    assert isinstance(decision.verdict, Begin)
    assert decision.status.attempts[-1].workers == 2


def test_an_edit_that_cannot_be_followed_does_not_keep_a_lost_job_alive(case):
    case.planned(workers=4, zero_stage=2).failed("Unschedulable", workers=4).with_spec(compute={"workers": 2})
    case.status = case.at(20).decide().status
    assert any("is not followed" in note for note in case.status.plan.notes)
    assert isinstance(case.decide().verdict, Finish)


def test_a_smaller_minimum_is_planned_before_it_is_used(case):
    case.planned(workers=4).attempt(workers=4).ray_job().with_spec(compute={"workers": 4, "minWorkers": 4})
    assert isinstance(case.decide().verdict, Keep)
