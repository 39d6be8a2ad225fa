"""When a change of a spec field is accepted, once `status.plan` exists. Each field of a job's spec carries a class.

The generator refuses a field without a class, writes the transition rules from them, and says it in the description.
"""

from enum import StrEnum


class Change(StrEnum):
    """Goes into the field's annotation: `compute: Annotated[Compute, Change.BY_FIELD]`."""

    NEVER = "Immutable once the job is planned."
    NEXT_ATTEMPT = "May be changed at any time; takes effect with the next attempt."
    AT_ONCE = "May be changed at any time; takes effect at once."
    BY_FIELD = ""
    """A block whose fields are classified one by one."""
