"""What every model of the API shares: spelling, strictness, rules, and the bounded scalar types."""

from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    ValidationInfo,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema, PydanticCustomError

from trivium.api.rules import Rule

RULES_LATER = "rules later"
"""Validation context of trivium.api.validation: it collects all broken rules afterwards, each with its path."""


class Block(BaseModel):
    """camelCase outside, snake_case inside, unknown fields refused, values frozen, documented by the string below."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        use_attribute_docstrings=True,
    )
    RULES: ClassVar[tuple[Rule, ...]] = ()
    """Rules across the fields of this block; in the CRD they are CEL, here predicates."""

    @model_validator(mode="after")
    def _rules_hold(self, info: ValidationInfo) -> Self:
        if info.context != RULES_LATER:
            for rule in self.RULES:
                if not rule.holds(self):
                    raise PydanticCustomError("rule", "{message}", {"message": rule.text(self), "rule": rule.name})
        return self

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        schema = handler.resolve_ref_schema(handler(core_schema))
        if cls.RULES:
            schema["x-kubernetes-validations"] = [rule.to_validation() for rule in cls.RULES]
        return schema


class ListMap:
    """Annotation: the members of this list are told apart by one field, as `x-kubernetes-list-type: map` says it."""

    def __init__(self, key: str) -> None:
        self.key = key

    def __get_pydantic_json_schema__(self, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return handler(core_schema) | {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [self.key]}


class StatusBlock(Block):
    """A block that the operator writes: a newer one may have written fields that this version does not know."""

    model_config = ConfigDict(extra="ignore")


def _to_whole_seconds(value: datetime) -> datetime:
    # Kubernetes times have whole seconds; a finer one would differ after one trip through the API server.
    return value.astimezone(UTC).replace(microsecond=0)


Timestamp = Annotated[AwareDatetime, AfterValidator(_to_whole_seconds)]
"""UTC, whole seconds."""
Toggle = Literal["auto", "enabled", "disabled"]
"""Not on/off or true/false: YAML would read these as booleans beside the string auto."""
Auto = Literal["auto"]

# Names. The patterns are those of the API server; RE2 and Python read them alike.
LABEL_PATTERN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
SUBDOMAIN_PATTERN = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"
LabelName = Annotated[str, Field(min_length=1, max_length=63, pattern=LABEL_PATTERN)]
SubdomainName = Annotated[str, Field(min_length=1, max_length=253, pattern=SUBDOMAIN_PATTERN)]
QueueName = Annotated[str, Field(min_length=1, max_length=63, pattern=SUBDOMAIN_PATTERN)]
"""A LocalQueue or WorkloadPriorityClass: it becomes the value of a label."""
NodeName = Annotated[str, Field(max_length=253)]
# No segment may begin with a dot, so neither `..` nor a hidden folder is reachable.
RelativePath = Annotated[
    str,
    Field(min_length=1, max_length=512, pattern=r"^[A-Za-z0-9_][A-Za-z0-9._=+@-]*(/[A-Za-z0-9_][A-Za-z0-9._=+@-]*)*$"),
]
Uri = Annotated[str, Field(min_length=5, max_length=1024, pattern=r"^[a-z][a-z0-9+.-]*://[^\s@]+$")]
Uid = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9-]+$")]
ColumnName = Annotated[str, Field(min_length=1, max_length=128)]

# Texts.
Word = Annotated[str, Field(max_length=128)]
Line = Annotated[str, Field(max_length=1024)]
Text = Annotated[str, Field(max_length=4096)]

# Numbers. Every bound is far above what makes sense, and keeps CEL's cost and int64 finite.
Count = Annotated[int, Field(ge=0, le=1_000_000_000_000_000_000)]
Size = Annotated[int, Field(ge=1, le=1_000_000)]
Steps = Annotated[int, Field(ge=1, le=1_000_000_000)]
Seconds = Annotated[int, Field(ge=1, le=315_360_000)]
Fraction = Annotated[float, Field(ge=0, le=1)]
