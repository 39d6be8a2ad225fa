"""Changes of a job, as the lines of YAML that a person would change, and the job after them.

Pure; the job after an edit has passed the API's own rules again, so that a way out is never one that is refused.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from trivium.api import Job, parse_job


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """Fields below `spec`, by their path in YAML's spelling."""

    values: tuple[tuple[str, Any], ...]
    remark: str = ""
    """What to know of it, as the sentence goes on: `, which is slower`, ` to train an adapter`."""

    @property
    def sentence(self) -> str:
        """`Set compute.workers: 4 and data.maxLength: 2048.`"""
        lines = " and ".join(f"{path}: {value}" for path, value in self.lines())
        return f"Set {lines}{self.remark}."

    def lines(self) -> tuple[tuple[str, str], ...]:
        """(path, value) as they are written in one line each."""
        return tuple((path, _flow(value)) for path, value in self.values)

    def yaml_lines(self) -> tuple[str, ...]:
        """The lines as they stand in a manifest, `spec:` first."""
        tree: dict[str, Any] = {}
        for path, value in self.values:
            _set(tree, path.split("."), value)
        return ("spec:", *_block(tree, indent=2))

    def __add__(self, other: "Edit") -> "Edit":
        return Edit(values=(*self.values, *other.values), remark=self.remark + other.remark)


def apply_edit(job: Job, edit: Edit) -> Job | None:
    """The job after an edit; None if the API would refuse it."""
    manifest = job.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"status"})
    for path, value in edit.values:
        _set(manifest["spec"], path.split("."), value)
    try:
        return parse_job(manifest)
    except ValidationError:
        return None


def _set(tree: dict[str, Any], path: list[str], value: Any) -> None:
    for part in path[:-1]:
        tree = tree.setdefault(part, {})
    if isinstance(value, Mapping) and isinstance(tree.get(path[-1]), dict):
        tree[path[-1]] = {**tree[path[-1]], **value}
    else:
        tree[path[-1]] = value


def _flow(value: Any) -> str:
    """YAML's flow style; the values here are numbers, plain words and mappings of them."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_flow(item)}" for key, item in value.items()) + "}"
    return value if isinstance(value, str) else json.dumps(value)


def _block(tree: Mapping[str, Any], *, indent: int) -> list[str]:
    lines: list[str] = []
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            lines += [f"{' ' * indent}{key}:", *_block(value, indent=indent + 2)]
        else:
            lines.append(f"{' ' * indent}{key}: {_flow(value)}")
    return lines
