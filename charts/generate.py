"""`python charts/generate.py [--check]`: the chart's files that are made from others.

values.schema.json comes from values.yaml: the comment above a key is its description, its default tells its type, and
a line `+schema {…}` in that comment narrows it. Every object is closed, unless its keys are its users' own. files/crds/
is a copy of crds/, because a chart may hold no link to what is outside of it.
"""
# ruff: noqa: INP001 - a script beside the chart, not a package

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).parent / "trivium"
CRDS = Path(__file__).parents[1] / "crds"
_TYPES = {"str": "string", "int": "integer", "bool": "boolean", "map": "object", "seq": "array"}
_MARK = "+schema "


class UndescribedError(Exception):
    """A value without a comment, or whose type its default does not tell."""


def generated_files() -> dict[Path, str]:
    """Path -> content. Raises UndescribedError."""
    text = (CHART / "values.yaml").read_text(encoding="utf-8")
    files = {CHART / "values.schema.json": json.dumps(values_schema(text), indent=2, ensure_ascii=False) + "\n"}
    for source in sorted(CRDS.glob("*.yaml")):
        files[CHART / "files" / "crds" / source.name] = source.read_text(encoding="utf-8")
    return files


def values_schema(text: str) -> dict[str, Any]:
    """JSON Schema of a commented values.yaml. Raises UndescribedError."""
    root = _closed(yaml.compose(text), text.splitlines(), place="")
    # Helm adds `global`, for charts that have this one as a part.
    root["properties"]["global"] = {"description": "Values for all charts of a release; unused here.", "type": "object"}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Values of the Trivium chart", **root}


def _closed(node: yaml.MappingNode, lines: list[str], *, place: str) -> dict[str, Any]:
    properties = {
        key.value: _value(value, *_comment(lines, key.start_mark), lines=lines, place=f"{place}{key.value}")
        for key, value in node.value
    }
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _value(node: yaml.Node, description: str, extra: dict[str, Any], *, lines: list[str], place: str) -> dict[str, Any]:
    if not description:
        raise UndescribedError(f"values.yaml: {place} has no comment. Say above it what it is for.")
    kind = _TYPES[node.tag.rpartition(":")[2]]
    if kind == "object" and "additionalProperties" not in extra:
        if not node.value:
            raise UndescribedError(f"values.yaml: {place} is empty: which keys may it have? Add a line `{_MARK}{{…}}`.")
        return {"description": description, **_closed(node, lines, place=f"{place}.")}
    if kind == "array" and "items" not in extra:
        extra = {"items": {"type": "string", "minLength": 1}, **extra}
    return {"description": description, "type": kind, **extra}


def _comment(lines: list[str], mark: yaml.Mark) -> tuple[str, dict[str, Any]]:
    """The comment above a key, and what its `+schema` line says."""
    words: list[str] = []
    extra: dict[str, Any] = {}
    for line in reversed(lines[: mark.line]):
        if not line.startswith(" " * mark.column + "# "):
            break
        text = line.strip().removeprefix("# ")
        if text.startswith(_MARK):
            extra = json.loads(text.removeprefix(_MARK))
        else:
            words.insert(0, text)
    return " ".join(words), extra


def main() -> int:
    """Exit code 0: done, or up to date; 1: out of date."""
    parser = argparse.ArgumentParser(prog="python charts/generate.py", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file is out of date")
    check = parser.parse_args().check
    files = generated_files()
    stale = [path for path, text in files.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    left = [path for path in (CHART / "files" / "crds").glob("*") if path not in files]
    for path in [*stale, *left]:
        if check:
            print(f"{path}: out of date. Run `make generate`.")
        elif path in files:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(files[path], encoding="utf-8")
        else:
            path.unlink()
    return 1 if check and (stale or left) else 0


if __name__ == "__main__":
    sys.exit(main())
