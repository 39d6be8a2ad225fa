"""Conditions in Kubernetes' form: one per type, and a time that moves only when the status does."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from trivium.api.conditions import Condition, ConditionType
from trivium.domain.end_record import clean_text

_MAX_MESSAGE = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a pass concludes about one aspect of a job."""

    type: ConditionType
    status: Literal["True", "False", "Unknown"]
    reason: str
    message: str = ""


def merge_findings(
    conditions: tuple[Condition, ...], findings: tuple[Finding, ...], *, generation: int, now: datetime
) -> tuple[Condition, ...]:
    """The conditions after a pass, in the order of their types; a type without a finding stays as it was."""
    known = {condition.type: condition for condition in conditions}
    for finding in findings:
        before = known.get(finding.type)
        known[finding.type] = Condition(
            type=finding.type,
            status=finding.status,
            reason=finding.reason,
            message=clean_text(finding.message, limit=_MAX_MESSAGE),
            observed_generation=generation,
            last_transition_time=now
            if before is None or before.status != finding.status
            else before.last_transition_time,
        )
    order: dict[str, int] = {kind: index for index, kind in enumerate(ConditionType)}
    return tuple(sorted(known.values(), key=lambda condition: order.get(condition.type, len(order))))


def is_true(conditions: tuple[Condition, ...], kind: ConditionType) -> bool:
    """Whether a condition is there and true."""
    return any(condition.type == kind and condition.status == "True" for condition in conditions)
