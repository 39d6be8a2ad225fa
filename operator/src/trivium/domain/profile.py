"""Which ComputeProfile a stage uses: what the job or its plan names, the only default, or the one for CPU work."""

from trivium.api import ComputeProfile
from trivium.api.conditions import ConditionType, Reason
from trivium.api.status import Phase, StageName
from trivium.domain.situation import Situation
from trivium.domain.verdict import Hold, Verdict


def resolve_profile(situation: Situation, *, stage: StageName) -> ComputeProfile | Hold:
    """The profile of a stage, or what the job waits for."""
    planned = next((one.plan for one in situation.status.stages if one.name == stage), None)
    if planned is not None and planned.profile:
        # Frozen with the plan: another profile may have become the default since.
        return _named(situation, planned.profile, field="status.plan.profile")
    main = _main_profile(situation)
    if isinstance(main, Hold) or stage != "prepare" or main.spec.prepare_profile is None:
        return main
    field = f"ComputeProfile {main.metadata.name}, spec.prepareProfile"
    return _named(situation, main.spec.prepare_profile, field=field)


def judge_unmade(situation: Situation) -> Verdict | None:
    """A recorded attempt whose children do not exist yet: they cannot be made without their profile, or their name."""
    attempt, observation = situation.living, situation.observation
    if attempt is None or observation.current is not None:
        return None
    if observation.name_taken_by is not None:
        message = (
            f"The name {attempt.ray_job} of the attempt's RayJob is taken by {observation.name_taken_by}. "
            "Delete or rename that one; this job waits for the name."
        )
        return Hold(
            phase=Phase.STARTING,
            condition=ConditionType.RUNNING,
            status="False",
            reason=Reason.NAME_TAKEN,
            message=message,
            until=situation.after(situation.now, seconds=30),  # another's object wakes nobody here
        )
    profile = resolve_profile(situation, stage=attempt.stage)
    return profile if isinstance(profile, Hold) else None


def _main_profile(situation: Situation) -> ComputeProfile | Hold:
    name = situation.job.spec.compute.profile
    if name is not None:
        return _named(situation, name, field="spec.compute.profile")
    defaults = sorted(name for name, one in situation.observation.profiles.items() if one.spec.default)
    if len(defaults) == 1:
        return situation.observation.profiles[defaults[0]]
    if not defaults:
        message = "spec.compute.profile: none is named and no ComputeProfile is the default. Name one of "
        return _wait(Reason.NO_DEFAULT_PROFILE, f"{message}{_known(situation)}.")
    message = f"spec.compute.profile: none is named and {', '.join(defaults)} are all the default. Name one of them."
    return _wait(Reason.SEVERAL_DEFAULT_PROFILES, message)


def _named(situation: Situation, name: str, *, field: str) -> ComputeProfile | Hold:
    profile = situation.observation.profiles.get(name)
    if profile is not None:
        return profile
    broken = situation.observation.broken_profiles.get(name)
    if broken is not None:
        return _wait(Reason.PROFILE_NOT_FOUND, f"{field}: ComputeProfile {name} is not valid: {broken}")
    message = f"{field}: there is no ComputeProfile {name}. Name one of {_known(situation)}, or ask for it."
    return _wait(Reason.PROFILE_NOT_FOUND, message)


def _known(situation: Situation) -> str:
    return ", ".join(sorted(situation.observation.profiles)[:20]) or "(there are none)"


def _wait(reason: Reason, message: str) -> Hold:
    return Hold(phase=Phase.PENDING, condition=ConditionType.PLANNED, status="False", reason=reason, message=message)
