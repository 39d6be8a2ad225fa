"""When a change of a spec field is accepted, once `status.plan` exists. Each field of a job's spec carries a class.

The generator refuses a field without a class, writes the transition rules from them, and says it in the description.
"""

from enum import StrEnum
from typing import Any

from pydantic import GetJsonSchemaHandler
from pydantic_core import CoreSchema

CHANGE_KEY = "x-trivium-change"
"""Carries the class through pydantic's JSON schema to the generator, which takes it out again."""


class Change(StrEnum):
    """Goes into the field's annotation: `compute: Annotated[Compute, Change.BY_FIELD]`."""

    NEVER = "Immutable once the job is planned."
    NEXT_ATTEMPT = "May be changed at any time; takes effect with the next attempt."
    AT_ONCE = "May be changed at any time; takes effect at once."
    BY_FIELD = ""
    """A block whose fields are classified one by one."""

    def __get_pydantic_json_schema__(self, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return handler(core_schema) | {CHANGE_KEY: self.name}
