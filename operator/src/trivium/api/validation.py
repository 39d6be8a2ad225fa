"""What the API server would say about a manifest, without a server: the same schema, the same rules.

Pure: `trivium.manifest_file` adds file, line and column. Called by `trivium validate` and `trivium run`.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from trivium.api import JOB_KINDS, parse_with_rules_later
from trivium.api.block import Block
from trivium.api.compute_profile import ComputeProfile
from trivium.api.resource import API_VERSION, Resource
from trivium.api.schema_check import Finding, Path, find_schema_errors, without_nulls
from trivium.api.structural import structural_schema

KINDS: dict[str, type[Resource]] = {**JOB_KINDS, "ComputeProfile": ComputeProfile}
_SHOWN = 80
"""Characters of a value that a problem shows: a guess at what a line of a terminal can spare."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong, in the order in which it is told: field, value, rule, way out."""

    path: Path
    value: str
    """The value as JSON, shortened; empty where there is none."""
    rule: str
    remedy: str
    name: str
    """Stable name of the rule, for tools."""

    @property
    def field(self) -> str:
        """The path as kubectl writes it: `spec.data.train[0].from`."""
        text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in self.path)
        return text.removeprefix(".") or "manifest"

    def __str__(self) -> str:
        value = f" {self.value}." if self.value else ""
        return f"{self.field}:{value} {self.rule} {self.remedy}".rstrip()


def find_problems(manifest: Mapping[str, Any]) -> list[Problem]:
    """Everything that is wrong with one manifest; empty = the API server would take it."""
    found = list(_find(manifest))
    return [
        Problem(path=f.path, value=_shown(_value_at(manifest, f.path)), rule=f.rule, remedy=f.remedy, name=f.name)
        for f in found
    ]


def _find(manifest: Mapping[str, Any]) -> Iterator[Finding]:
    resource = KINDS.get(str(manifest.get("kind")))
    if resource is None:
        yield Finding(("kind",), "kind", "This kind is not ours.", f"Set kind to one of {', '.join(KINDS)}.")
        return
    if manifest.get("apiVersion") != API_VERSION:
        yield Finding(("apiVersion",), "api-version", "This version is not served.", f"Set it to {API_VERSION}.")
        return
    schema = structural_schema(resource)
    given = without_nulls(manifest, schema)
    errors = list(find_schema_errors(given, schema))
    yield from errors
    if errors:
        return
    try:
        parsed = parse_with_rules_later(resource, given)
    except ValidationError as error:
        # Only metadata is left to fail here: it has no schema in the CRD, the API server knows it by itself.
        for details in error.errors():
            yield Finding(details["loc"], details["type"], f"{details['msg']}.", "Correct it.")
        return
    yield from _broken_rules(parsed, ())


def _broken_rules(value: object, path: Path) -> Iterator[Finding]:
    if isinstance(value, Block):
        for rule in value.RULES:
            if not rule.holds(value):
                said, _, remedy = rule.text(value).partition(". ")
                below = tuple(rule.path.split(".")) if rule.path else ()
                yield Finding((*path, *below), rule.name, f"{said}.", remedy)
        for name, field in type(value).model_fields.items():
            yield from _broken_rules(getattr(value, name), (*path, field.alias or name))
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from _broken_rules(item, (*path, index))


def _value_at(manifest: Mapping[str, Any], path: Path) -> object:
    value: Any = manifest
    for part in path:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def _shown(value: object) -> str:
    if value is None or value == {}:
        return ""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
