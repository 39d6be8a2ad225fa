"""The plans of the stages: what is asked of the planner, when it is asked again, and what becomes of its answer."""

from dataclasses import replace

import pytest

from trivium.api.conditions import ConditionType, Reason
from trivium.api.plan_status import SizePlan
from trivium.api.status import Phase
from trivium.domain.situation import PlanRefused
from trivium.domain.stage_plans import judge_plan
from trivium.domain.verdict import Adopt, Finish, Hold

RUNS = {"runs": {"claimName": "main-runs"}}
GONE = "status.plan.profile: there is no ComputeProfile cpu. Name one of (there are none), or ask for it."
TRIES = "Set workers back to 1, or to a number that fits."
INSPECTION = {
    "parameters": 1,
    "vocabulary": 1,
    "packing": False,
    "max_length": 1,
    "train_sequences": 1,
    "train_examples": 1,
    "train_tokens": 1,
    "prepared_key": "k",
    "tokenizer_digest": "d",
}


class Answers:
    """A planner that gives one answer and remembers what it was asked."""

    def __init__(self, answer):
        self.answer, self.asked = answer, []

    def plan_stage(self, job, **question):
        self.asked.append(question)
        return self.answer


def judge(case, answer):
    planner = Answers(answer)
    return judge_plan(replace(case.situation, planner=planner)), planner.asked


def train(case):
    return case.status.stages[1].plan


def size(world, micro):
    return SizePlan(world_size=world, micro_batch_size=micro, gradient_accumulation=8)


def with_inspection(case):
    return case.record(inspection=INSPECTION)


def test_both_stages_are_planned_at_first_each_on_its_own_machines_and_in_one_claim(case):
    main = case.raw["profiles"][0]
    small = {**main, "metadata": {"name": "small"}, "spec": main["spec"] | {"default": False, "image": "small"}}
    main = {**main, "spec": main["spec"] | {"prepareProfile": "small", "storage": RUNS}}
    answer = train(case.planned())
    case.record(stages=(), plan=None, stage=None).observed(profiles=(main, small))
    verdict, asked = judge(with_inspection(case), answer)
    assert isinstance(verdict, Adopt)
    assert [(one.name, one.state, one.plan) for one in verdict.stages] == [
        ("prepare", "Pending", answer),
        ("train", "Pending", answer),
    ]
    assert [one["stage"] for one in asked] == ["train", "prepare"]
    assert [one["profile"].metadata.name for one in asked] == ["cpu", "small"]
    assert [one["profile"].spec.image for one in asked] == ["i", "small"]
    assert [one["profile"].spec.storage.runs.claim_name for one in asked] == ["main-runs", "main-runs"]
    assert [one["inspection"] for one in asked] == [case.status.inspection, None]
    assert [one["previous"] for one in asked] == [None, None]


def test_what_cannot_be_planned_at_first_waits_for_an_edit(case):
    assert judge(case, PlanRefused(message="Too long."))[0] == Hold(
        phase=Phase.PENDING,
        condition=ConditionType.PLANNED,
        status="False",
        reason=Reason.DOES_NOT_FIT,
        message="Too long.",
    )


def test_training_is_planned_for_good_when_prepare_has_seen_the_data(case):
    with_inspection(case.planned(provisional=True))
    old = train(case)
    final = old.model_copy(update={"provisional": False, "total_steps": 7})
    verdict, (asked,) = judge(case, final)
    assert [one.plan for one in verdict.stages] == [case.status.stages[0].plan, final]
    assert (asked["stage"], asked["previous"], asked["inspection"]) == ("train", old, case.status.inspection)


def test_a_final_plan_that_does_not_fit_ends_the_job(case):
    verdict, _ = judge(case.planned(provisional=True), PlanRefused(message="Too long."))
    assert isinstance(verdict, Finish)
    assert (verdict.failure.reason, verdict.failure.message) == ("DoesNotFit", "Too long.")


@pytest.mark.parametrize("plan", [{"provisional": True}, {"workers": 2}])
def test_a_plan_that_is_due_waits_for_its_profile(case, plan):
    verdict, asked = judge(case.planned(**plan).observed(profiles=()), None)
    assert (verdict.message, verdict.reason, asked) == (GONE, Reason.PROFILE_NOT_FOUND, [])


@pytest.mark.parametrize("stage", ["prepare", "train"])
def test_nothing_is_planned_anew_for_prepare_or_where_nothing_was_planned(case, stage):
    case.planned(stage=stage, provisional=True).with_spec(compute={"workers": 2})
    if stage == "prepare":
        plan = case.status.stages[0].plan.model_copy(update={"provisional": True})
        case.record(stages=(case.status.stages[0].model_copy(update={"plan": plan}), case.status.stages[1]))
    else:
        case.record(stages=({"name": "prepare", "state": "Succeeded"}, {"name": "train"}))
    assert judge(case, train(case)) == (None, [])


def test_another_number_of_workers_is_adopted_for_training_alone(case):
    case.planned().with_spec(compute={"workers": 2})
    old = train(case)
    new = old.model_copy(update={"workers": 2, "sizes": (size(1, 8), size(2, 8))})
    verdict, (asked,) = judge(case, new)
    # What memory has taught stays: one rank goes on with 4. Of two ranks nothing was known.
    want = new.model_copy(update={"sizes": (size(1, 4), size(2, 8))})
    assert [one.plan for one in verdict.stages] == [case.status.stages[0].plan, want]
    assert (asked["stage"], asked["previous"], asked["profile"].metadata.name) == ("train", old, "cpu")


@pytest.mark.parametrize(
    ("compute", "asks"),
    [
        ({"workers": 1}, False),
        ({"workers": 4}, False),
        ({"workers": 4, "minWorkers": 4}, False),
        ({"workers": 4, "minWorkers": 3}, False),
        ({"workers": 4, "minWorkers": 2}, True),
    ],
)
def test_fewer_workers_are_planned_for_when_the_job_comes_to_allow_them(case, compute, asks):
    workers = compute["workers"]
    case.planned(workers=workers, sizes=(size(3, 4), size(4, 4))).with_spec(compute=compute)
    if not asks:
        assert judge(case, train(case)) == (None, [])
        return
    new = train(case).model_copy(update={"sizes": (size(2, 4), size(3, 4), size(4, 4))})
    assert judge(case, new)[0].stages[1].plan == new


def test_the_same_plan_again_is_no_news(case):
    case.planned().with_spec(compute={"workers": 2})
    verdict, asked = judge(case, train(case))
    assert (verdict, len(asked)) == (None, 1)


CHANGES = "it would change zero_stage, total_steps, which the checkpoint was written with"


@pytest.mark.parametrize(
    ("compute", "answer", "note"),
    [
        ({"workers": 2}, PlanRefused(message="Too many"), f"compute.workers: 2 is not followed: Too many. {TRIES}"),
        (
            {"workers": 2, "minWorkers": 1},
            {"zero_stage": 2, "total_steps": 7},
            f"compute.workers: 2, minWorkers: 1 is not followed: {CHANGES}. {TRIES}",
        ),
        ({"workers": 2}, {"packing": True}, f"compute.workers: 2 is not followed: {CHANGES.replace('zero_stage, total_steps', 'packing')}. {TRIES}"),
        ({"workers": 2}, PlanRefused(message="x" * 2000), f"compute.workers: 2 is not followed: {'x' * 2000}"[:1024]),
    ],
)  # fmt: skip
def test_a_number_that_cannot_be_followed_is_noted_once_in_place_of_the_last_such_note(case, compute, answer, note):
    case.planned(notes=("Other.", "compute.workers: 9 is not followed.")).with_spec(compute=compute)
    old = train(case)
    reply = answer if isinstance(answer, PlanRefused) else old.model_copy(update=answer)
    verdict, _ = judge(case, reply)
    kept = old.model_copy(update={"notes": ("Other.", note)})
    assert [one.plan for one in verdict.stages] == [case.status.stages[0].plan, kept]
    assert judge(case.record(stages=verdict.stages), reply)[0] is None
