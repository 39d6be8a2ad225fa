"""A plan that cannot be: the field, what is wrong with it in numbers, and the YAML that would do."""

from dataclasses import dataclass


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
