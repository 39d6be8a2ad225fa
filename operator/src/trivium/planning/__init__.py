"""Does it fit? Pure: from a job, a profile and what `prepare` inspected to a plan, or to a refusal with a way out."""

from trivium.planning.machines import stage_profile_name
from trivium.planning.refusal import Refusal
from trivium.planning.shrink import shrink
from trivium.planning.stage_plan import plan_stage

__all__ = ["Refusal", "plan_stage", "shrink", "stage_profile_name"]
