"""The profile of a stage, and in whole sentences why there is none."""

from datetime import timedelta

import pytest

from trivium.api.conditions import ConditionType, Reason
from trivium.api.status import Phase
from trivium.domain.profile import judge_unmade, resolve_profile
from trivium.domain.verdict import Hold

SPEC = {"image": "i", "rayVersion": "2.60.0", "worker": {"cpu": 4, "memory": "8Gi"}}


def profile(name, **spec):
    metadata = {"name": name, "generation": 1}
    values = {"metadata": metadata, "spec": SPEC | spec}
    return {"apiVersion": "trivium.dev/v1alpha1", "kind": "ComputeProfile", **values}


def wait(reason, message):
    return Hold(phase=Phase.PENDING, condition=ConditionType.PLANNED, status="False", reason=reason, message=message)


MAIN = profile("main", default=True, prepareProfile="small")
SMALL, OTHER = profile("small"), profile("other")
SECOND = profile("second", default=True)
MANY = tuple(profile(f"p{number:02}") for number in range(21))
TWENTY = ", ".join(f"p{number:02}" for number in range(20))
BROKEN = profile("bad", image=7)
NAMELESS = "spec.compute.profile: none is named and"


@pytest.mark.parametrize(
    ("profiles", "compute", "stage", "want"),
    [
        ((MAIN, SMALL, OTHER), {}, "train", "main"),
        ((MAIN, SMALL, OTHER), {}, "prepare", "small"),
        ((MAIN, SMALL, OTHER), {"profile": "other"}, "train", "other"),
        ((MAIN, SMALL, OTHER), {"profile": "other"}, "prepare", "other"),
        ((SECOND, SMALL), {}, "prepare", "second"),
    ],
)
def test_it_is_the_one_that_is_named_or_the_default_or_the_one_for_cpu_work(case, profiles, compute, stage, want):
    case.observed(profiles=profiles).with_spec(compute=compute)
    assert resolve_profile(case.situation, stage=stage).metadata.name == want


@pytest.mark.parametrize(
    ("profiles", "compute", "stage", "reason", "message"),
    [
        ((), {}, "train", Reason.NO_DEFAULT_PROFILE, f"{NAMELESS} no ComputeProfile is the default. Name one of (there are none)."),
        ((SMALL, OTHER), {}, "prepare", Reason.NO_DEFAULT_PROFILE, f"{NAMELESS} no ComputeProfile is the default. Name one of other, small."),
        (MANY, {}, "train", Reason.NO_DEFAULT_PROFILE, f"{NAMELESS} no ComputeProfile is the default. Name one of {TWENTY}."),
        ((SECOND, MAIN), {}, "train", Reason.SEVERAL_DEFAULT_PROFILES, f"{NAMELESS} main, second are all the default. Name one of them."),
        ((OTHER,), {"profile": "x"}, "train", Reason.PROFILE_NOT_FOUND, "spec.compute.profile: there is no ComputeProfile x. Name one of other, or ask for it."),
        ((MAIN,), {}, "prepare", Reason.PROFILE_NOT_FOUND, "ComputeProfile main, spec.prepareProfile: there is no ComputeProfile small. Name one of main, or ask for it."),
        ((BROKEN,), {"profile": "bad"}, "train", Reason.PROFILE_NOT_FOUND, "spec.compute.profile: ComputeProfile bad is not valid: spec.image: Input should be a valid string"),
    ],
)  # fmt: skip
def test_a_job_without_one_waits_and_says_how_to_name_one(case, profiles, compute, stage, reason, message):
    case.observed(profiles=profiles).with_spec(compute=compute)
    assert resolve_profile(case.situation, stage=stage) == wait(reason, message)


def test_each_stage_keeps_the_profile_that_it_was_planned_on(case):
    case.planned(profile="other").observed(profiles=(profile("cpu"), OTHER, SECOND))
    names = [resolve_profile(case.situation, stage=stage).metadata.name for stage in ("prepare", "train")]
    assert names == ["cpu", "other"]


def test_a_planned_profile_that_is_gone_is_named_where_it_stands(case):
    case.planned().observed(profiles=())
    message = "status.plan.profile: there is no ComputeProfile cpu. Name one of (there are none), or ask for it."
    assert judge_unmade(case.attempt().situation) == wait(Reason.PROFILE_NOT_FOUND, message)


def test_a_name_that_another_object_has_is_waited_for_and_looked_at_again(case, t0):
    case.planned().attempt().observed(name_taken_by="RayJob of SFTJob b")
    assert judge_unmade(case.situation) == Hold(
        phase=Phase.STARTING,
        condition=ConditionType.RUNNING,
        status="False",
        reason=Reason.NAME_TAKEN,
        message="The name a-train-1 of the attempt's RayJob is taken by RayJob of SFTJob b. "
        "Delete or rename that one; this job waits for the name.",
        until=t0 + timedelta(seconds=30),
    )
