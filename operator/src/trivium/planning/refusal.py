"""A plan that cannot be: the field, what is wrong with it in numbers, and the YAML that would do."""

from dataclasses import dataclass

from trivium.planning.fit import FitRequest, smallest_need
from trivium.planning.memory import GIB, MemoryBreakdown


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why there is no plan. The job stays editable: nothing was recorded."""

    field: str
    """Path in the manifest, e.g. `spec.optimization.globalBatchSize`."""
    problem: str
    """Value and rule, one sentence without its full stop."""
    ways_out: tuple[str, ...]
    """Each a sentence with the YAML to change; every one was tried by the planner where it claims to fit."""

    @property
    def message(self) -> str:
        return " ".join((f"{self.field}: {self.problem}.", *self.ways_out))


class PlanError(Exception):
    """Carries a refusal out of the decisions; `plan_stage` turns it into its result."""

    def __init__(self, field: str, problem: str, *ways_out: str) -> None:
        super().__init__(field, problem, *ways_out)
        self.refusal = Refusal(field=field, problem=problem, ways_out=ways_out)


class DoesNotFitError(PlanError):
    """Memory is all that is in the way; the ways out are still to be tried."""

    def __init__(self, request: FitRequest, *, workers: int) -> None:
        stage, need = smallest_need(request)
        work = request.work
        ranks = "1 rank" if request.world_sizes[0] == 1 else f"{request.world_sizes[0]} ranks"
        device = "one GPU" if work.gpu else "one worker"
        super().__init__(
            "spec.compute",
            f"training needs at least {_gib(need.total)} on {device}, which has {_gib(request.available)} "
            f"(ZeRO {stage}, {ranks}, {work.max_length} tokens; {_largest_parts(need)})",
            "Choose a profile with more memory.",
        )
        self.request = request
        self.workers = workers


def _gib(size: int) -> str:
    return f"{size / GIB:.1f} GiB"


def _largest_parts(need: MemoryBreakdown) -> str:
    parts = sorted(need.by_part().items(), key=lambda item: -item[1])[:3]
    return ", ".join(f"{name} {_gib(size)}" for name, size in parts if size)
