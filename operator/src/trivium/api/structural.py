"""Structural schemas, as Kubernetes wants them, from the pydantic models.

pydantic's JSON schema has references, titles, nulls and unions; a structural schema has none of these. Used by the
generator and by trivium.api.validation, so that both know exactly what the API server knows.
"""

from functools import cache
from typing import Any

from trivium.api.mutability import CHANGE_KEY, Change
from trivium.api.resource import Resource

Schema = dict[str, Any]
CONSTRAINTS = (
    "enum",
    "pattern",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "maxProperties",
    "minimum",
    "maximum",
    "required",
)
"""Keywords that JSON Schema and the API server's structural schemas mean alike."""
_KEPT = (
    *CONSTRAINTS,
    "x-kubernetes-int-or-string",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-validations",
    CHANGE_KEY,
)


@cache
def structural_schema(resource: type[Resource]) -> Schema:
    """The schema of one kind, classes of change included (`CHANGE_KEY`); shared, so copy before editing."""
    raw = resource.model_json_schema(by_alias=True, mode="validation")
    schema = _convert(raw, raw.get("$defs", {}))
    # The API server checks these three itself and allows no more than their types here.
    for name, kind in (("apiVersion", "string"), ("kind", "string"), ("metadata", "object")):
        schema["properties"][name] = {"type": kind}
    schema["required"] = ["spec"]
    return schema


def _convert(raw: Schema, definitions: dict[str, Schema]) -> Schema:
    node = _resolve(raw, definitions)
    schema: Schema = {}
    if "description" in node:
        schema["description"] = " ".join(node["description"].split())
    if "type" in node:
        schema["type"] = node["type"]
    schema |= {key: node[key] for key in _KEPT if key in node}
    schema |= _type_details(node)
    if "items" in node:
        schema["items"] = _convert(node["items"], definitions)
    if node.get("type") == "object":
        schema |= _convert_object(node, definitions)
    if node.get("default") is not None:
        schema["default"] = _without_nested_defaults(node["default"], schema)
    return schema


def _type_details(node: Schema) -> Schema:
    details: Schema = {}
    if "const" in node:
        details["enum"] = [node["const"]]
    if node.get("type") == "integer":
        details["format"] = "int64"
    if node.get("format") == "date-time":
        details["format"] = "date-time"
    for bound in ("minimum", "maximum"):
        exclusive = f"exclusive{bound.capitalize()}"
        if exclusive in node:
            details |= {bound: node[exclusive], exclusive: True}
    return details


def _resolve(raw: Schema, definitions: dict[str, Schema]) -> Schema:
    """The node without reference, null, or union; what stands beside a reference wins over what it names."""
    node = dict(raw)
    if "$ref" in node:
        node = definitions[node.pop("$ref").rsplit("/", 1)[1]] | node
        return _resolve(node, definitions)
    if "anyOf" not in node:
        return node
    members = [_resolve(member, definitions) for member in node.pop("anyOf")]
    members = [member for member in members if member.get("type") != "null"]
    if len(members) == 1:
        return members[0] | node
    return _int_or_string(members) | node


def _int_or_string(members: list[Schema]) -> Schema:
    """`auto | <integer>`, the one union that a structural schema knows."""
    (text,) = (member for member in members if member["type"] == "string")
    (number,) = (member for member in members if member["type"] == "integer")
    merged: Schema = {"x-kubernetes-int-or-string": True}
    words = text.get("enum") or [text["const"]]
    if "enum" in number:
        return merged | {"enum": [*words, *number["enum"]]}
    bounds = {key: number[key] for key in ("minimum", "maximum") if key in number}
    return merged | {"pattern": f"^({'|'.join(words)})$"} | bounds


def _convert_object(node: Schema, definitions: dict[str, Schema]) -> Schema:
    schema: Schema = {}
    if "properties" in node:
        schema["properties"] = {name: _convert(child, definitions) for name, child in node["properties"].items()}
    # A map's keys cannot be bound by a structural schema; where it matters there is a rule.
    values = node.get("additionalProperties") or next(iter(node.get("patternProperties", {}).values()), None)
    if values is True:
        schema["x-kubernetes-preserve-unknown-fields"] = True
    elif values:
        schema["additionalProperties"] = _convert(values, definitions)
    return schema


def _without_nested_defaults(default: Any, schema: Schema) -> Any:
    """`{}` instead of everything: the API server fills nested defaults by itself, and one place should say them.

    What the block's own rules read stays: the API server tries them on the default as it is written (measured, 1.36).
    """
    if not isinstance(default, dict):
        return default
    properties = schema.get("properties", {})
    rules = " ".join(rule["rule"] for rule in schema.get("x-kubernetes-validations", ()))
    pruned = {name: _without_nested_defaults(value, properties.get(name, {})) for name, value in default.items()}
    return {
        name: value
        for name, value in pruned.items()
        if value is not None
        and (
            "default" not in properties.get(name, {}) or value != properties[name]["default"] or f"self.{name}" in rules
        )
    }


def unclassified_fields(resource: type[Resource]) -> list[str]:
    """Fields of a job's spec without a class of change; the generator refuses them."""
    return _unclassified(structural_schema(resource)["properties"]["spec"], "spec")


def _unclassified(block: Schema, path: str) -> list[str]:
    missing: list[str] = []
    for name, child in block["properties"].items():
        change = child.get(CHANGE_KEY)
        if change is None:
            missing.append(f"{path}.{name}")
        elif change == Change.BY_FIELD.name:
            missing += _unclassified(child, f"{path}.{name}")
    return missing
