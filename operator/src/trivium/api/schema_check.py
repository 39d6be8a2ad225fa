"""Checks a value against a structural schema, as the API server does: types, bounds, required and unknown fields."""

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from trivium.api.structural import Schema

Path = tuple[str | int, ...]

LATER_FIELDS: Mapping[str, str] = {
    "sequence": "Remove it; lower data.maxLength, or use gradientCheckpointing and zeroStage.",
    "tensor": "Remove it; zeroStage 3 divides the parameters.",
    "expert": "Remove it; zeroStage 3 divides the parameters.",
    "publish": "Remove it; the model lies in the run directory.",
    "mergeAdapter": "Remove it; the output is always merged, and the adapter lies beside it.",
    "tracking": "Remove it; the report and the status carry the numbers.",
    "rlhf": "Use method.dpo.",
    "reward": "Use method.dpo.",
    "grpo": "Use method.dpo.",
    "kto": "Use method.dpo.",
    "orpo": "Use method.dpo.",
}
"""Fields of the design that come with a later version, and what to do until then."""

_TYPES: Mapping[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
}
_NOUNS = {"object": "a block of fields", "array": "a list", "string": "a string", "boolean": "true or false"} | {
    "integer": "a whole number",
    "number": "a number",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong at a path of a manifest."""

    path: Path
    name: str
    rule: str
    remedy: str


def without_nulls(value: Any, schema: Schema) -> Any:
    """The value as the API server reads it: a null member is as good as absent, except in free-form objects."""
    if isinstance(value, Mapping):
        members = {key: _member_schema(schema, key) for key in value}
        return {
            key: without_nulls(item, members[key] or {})
            for key, item in value.items()
            if item is not None or members[key] is None
        }
    if isinstance(value, list):
        return [without_nulls(item, schema.get("items", {})) for item in value]
    return value


def _member_schema(schema: Schema, name: str) -> Schema | None:
    found: Schema | None = schema.get("properties", {}).get(name, schema.get("additionalProperties"))
    return found


def find_schema_errors(value: Any, schema: Schema, path: Path = ()) -> Iterator[Finding]:
    """Every place where the value breaks the schema."""
    if not _has_type(value, schema):
        noun = "a whole number or a word" if _is_int_or_string(schema) else _NOUNS[schema["type"]]
        yield Finding(path, "type", f"This must be {noun}.", _type_remedy(value, schema))
        return
    yield from _scalar_errors(value, schema, path)
    if isinstance(value, list):
        yield from _list_errors(value, schema, path)
    elif isinstance(value, dict):
        yield from _object_errors(value, schema, path)


def _is_int_or_string(schema: Schema) -> bool:
    return bool(schema.get("x-kubernetes-int-or-string"))


def _has_type(value: Any, schema: Schema) -> bool:
    if _is_int_or_string(schema):
        return isinstance(value, int | str) and not isinstance(value, bool)
    kind = schema.get("type")
    if kind is None:
        return True
    if isinstance(value, bool):
        return bool(kind == "boolean")
    return isinstance(value, _TYPES[kind])


def _type_remedy(value: Any, schema: Schema) -> str:
    if "enum" in schema:
        # YAML reads a bare on, off, yes or no as a boolean.
        return f"Use one of {_listed(schema['enum'])}."
    if schema.get("type") == "string" and isinstance(value, bool | int | float):
        return "Put it in quotes."
    return "Correct it."


def _listed(values: list[Any]) -> str:
    return ", ".join(str(value) for value in values)


def _scalar_errors(value: Any, schema: Schema, path: Path) -> Iterator[Finding]:
    if "enum" in schema and value not in schema["enum"]:
        near = difflib.get_close_matches(str(value), [str(item) for item in schema["enum"]], n=1)
        remedy = f"Did you mean {near[0]}?" if near else "Choose one of them."
        yield Finding(path, "enum", f"This must be one of {_listed(schema['enum'])}.", remedy)
    if isinstance(value, str):
        yield from _string_errors(value, schema, path)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from _number_errors(value, schema, path)


def _string_errors(value: str, schema: Schema, path: Path) -> Iterator[Finding]:
    if len(value) < schema.get("minLength", 0):
        yield Finding(path, "min-length", "This must not be empty.", "Give a value, or remove it.")
    elif len(value) > schema.get("maxLength", len(value)):
        yield Finding(path, "max-length", f"At most {schema['maxLength']:,} characters.", "Shorten it.")
    elif "pattern" in schema and re.fullmatch(schema["pattern"], value) is None:
        yield Finding(path, "pattern", f"This must match {schema['pattern']}", "Correct it.")


def _number_errors(value: float, schema: Schema, path: Path) -> Iterator[Finding]:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and (value < low or (value == low and schema.get("exclusiveMinimum"))):
        bound = f"more than {low:,}" if schema.get("exclusiveMinimum") else f"at least {low:,}"
        yield Finding(path, "minimum", f"This must be {bound}.", "Raise it.")
    if high is not None and (value > high or (value == high and schema.get("exclusiveMaximum"))):
        bound = f"less than {high:,}" if schema.get("exclusiveMaximum") else f"at most {high:,}"
        yield Finding(path, "maximum", f"This must be {bound}.", "Lower it.")


def _list_errors(value: list[Any], schema: Schema, path: Path) -> Iterator[Finding]:
    if len(value) < schema.get("minItems", 0):
        yield Finding(path, "min-items", f"At least {schema['minItems']} is needed.", "Add one, or remove the list.")
    if len(value) > schema.get("maxItems", len(value)):
        yield Finding(path, "max-items", f"At most {schema['maxItems']:,} are allowed.", "Remove some.")
    for index, item in enumerate(value):
        yield from find_schema_errors(item, schema.get("items", {}), (*path, index))
    for key in schema.get("x-kubernetes-list-map-keys", ()):
        seen: list[Any] = []
        for index, item in enumerate(value):
            if isinstance(item, dict) and key in item:
                if item[key] in seen:
                    yield Finding((*path, index), "duplicate", f"{key} must differ.", "Rename or remove one.")
                seen.append(item[key])


def _object_errors(value: dict[str, Any], schema: Schema, path: Path) -> Iterator[Finding]:
    properties: dict[str, Schema] = schema.get("properties", {})
    for name in schema.get("required", ()):
        if name not in value:
            yield Finding((*path, name), "required", "This field is required.", "Add it.")
    if len(value) > schema.get("maxProperties", len(value)):
        yield Finding(path, "max-properties", f"At most {schema['maxProperties']:,} are allowed.", "Remove some.")
    # An object without a schema of its own (metadata, free-form values) takes everything.
    is_open = schema.get("x-kubernetes-preserve-unknown-fields") or not (
        {"properties", "additionalProperties"} & set(schema)
    )
    for name, item in value.items():
        member = _member_schema(schema, name)
        if member is not None:
            yield from find_schema_errors(item, member, (*path, name))
        elif not is_open:
            yield _unknown_field((*path, name), name, list(properties))


def _unknown_field(path: Path, name: str, known: list[str]) -> Finding:
    if name in LATER_FIELDS:
        return Finding(path, "later-field", "This field comes with a later version.", LATER_FIELDS[name])
    near = difflib.get_close_matches(name, known, n=1)
    remedy = f"Did you mean {near[0]}?" if near else f"Remove it; known here: {', '.join(known)}."
    return Finding(path, "unknown-field", "This field does not exist.", remedy)
