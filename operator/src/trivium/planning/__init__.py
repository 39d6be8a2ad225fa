"""Does it fit? Pure: from a job, a profile and what `prepare` inspected to a plan, or to a refusal with a way out."""

from trivium.planning.experience import FinishedStage, newest_first
from trivium.planning.machines import stage_profile_name
from trivium.planning.outcome import measure_outcome
from trivium.planning.refusal import Refusal
from trivium.planning.shrink import shrink
from trivium.planning.stage_plan import plan_stage
from trivium.planning.study import Study, study_training
from trivium.planning.train_plan import PlanInput

__all__ = [
    "FinishedStage",
    "PlanInput",
    "Refusal",
    "Study",
    "measure_outcome",
    "newest_first",
    "plan_stage",
    "shrink",
    "stage_profile_name",
    "study_training",
]
