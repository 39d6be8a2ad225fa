"""What the API server does to our kinds before it stores them: defaults, bounds, rules, and what may still change.

The schema that fills the defaults and classifies the fields is the one that the CRDs are generated from.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from trivium.api.mutability import CHANGE_KEY, Change
from trivium.api.structural import Schema, structural_schema
from trivium.api.validation import KINDS, find_problems
from trivium.local.object_store import Object
from trivium.ports import Manifest, RefusedError


def admit(old: Manifest | None, new: Object) -> Object:
    """`new` with defaults, as it would be stored (object_store.Admission). Raises RefusedError with every problem."""
    model = KINDS.get(new["kind"])
    if model is None:
        return new
    schema = structural_schema(model)
    # Status is the operator's own word and has a schema too; what an older version wrote must not block a spec.
    judged = {**{field: value for field, value in new.items() if field != "status"}, "metadata": _written(new)}
    problems = [str(problem) for problem in find_problems(judged)]
    if not problems and old is not None and old.get("status", {}).get("plan"):
        problems = list(_late_changes(old["spec"], new["spec"], schema["properties"]["spec"], "spec"))
    if problems:
        raise RefusedError("\n".join(problems))
    return {**new, "spec": with_defaults(new["spec"], schema["properties"]["spec"])}


def with_defaults(value: Any, schema: Schema) -> Any:
    """Kubernetes' defaulting: absent fields get their default, and defaults are filled in themselves."""
    if isinstance(value, list) and "items" in schema:
        return [with_defaults(item, schema["items"]) for item in value]
    if not isinstance(value, Mapping):
        return value
    properties: Mapping[str, Schema] = schema.get("properties", {})
    missing = {name: child["default"] for name, child in properties.items() if "default" in child and name not in value}
    children = {**value, **missing}
    others = schema.get("additionalProperties", {})
    return {name: with_defaults(child, properties.get(name, others)) for name, child in children.items()}


def _late_changes(old: Mapping[str, Any], new: Mapping[str, Any], schema: Schema, path: str) -> Iterator[str]:
    """Fields that are fixed once the job is planned, and differ."""
    for name, child in schema["properties"].items():
        before, after = (with_defaults(spec, schema).get(name) for spec in (old, new))
        if before == after:
            continue
        field = f"{path}.{name}"
        match child.get(CHANGE_KEY):
            case Change.NEVER.name:
                difference = f"{_shown(before)} cannot become {_shown(after)}"
                yield f"{field}: {difference}. {Change.NEVER.value} Restore it, or give the job another name."
            case Change.BY_FIELD.name:
                yield from _late_changes(before or {}, after or {}, child, field)
            case _:
                continue


def _written(manifest: Object) -> dict[str, Any]:
    """The part of metadata that a user writes."""
    return {
        name: manifest["metadata"][name]
        for name in ("name", "namespace", "labels", "annotations")
        if name in manifest["metadata"]
    }


def _shown(value: Any) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
