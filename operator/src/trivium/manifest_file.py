"""Manifests in YAML files, each value with its line and column, and the verdicts on them.

Read as kubectl reads them: `1e-5` is a number, a date is a string, a key that occurs twice is an error.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from trivium.api.resource import GROUP
from trivium.api.schema_check import without_nulls
from trivium.api.structural import structural_schema
from trivium.api.validation import KINDS, find_problems

ValuePath = tuple[str | int, ...]
_MAX_VALUES = 100_000
"""Aliases can multiply: beyond this a file is no manifest (the API server's own limit is 3 MiB)."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Mark:
    """A place in a file; both count from 1."""

    line: int
    column: int


_START = Mark(line=1, column=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One YAML document."""

    file: str
    manifest: Mapping[str, Any]
    marks: Mapping[ValuePath, Mark]
    """Path of a value -> where its key (in a list: the item) stands. The document itself has the path ()."""

    def mark(self, path: ValuePath) -> Mark:
        """Where a value stands; for an absent one, where its nearest parent does."""
        while path not in self.marks:
            path = path[:-1]
        return self.marks[path]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One problem and where it is."""

    file: str
    line: int
    column: int
    field: str
    value: str
    rule: str
    remedy: str
    name: str
    """Stable name of the rule, for tools."""

    def __str__(self) -> str:
        value = f" {self.value}." if self.value else ""
        return f"{self.file}:{self.line}:{self.column}: {self.field}:{value} {self.rule} {self.remedy}".rstrip()


class ManifestFileError(Exception):
    """The file is no YAML that a cluster would take."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(str(verdict))
        self.verdict = verdict


def check(path: Path | str) -> list[Verdict]:
    """Everything that is wrong with the manifests of a file; empty = the API server would take them."""
    try:
        documents = load_documents(path)
    except ManifestFileError as error:
        return [error.verdict]
    return [verdict for document in documents for verdict in check_document(document)]


def check_document(document: Document) -> list[Verdict]:
    """Everything that is wrong with one document; objects of other API groups are none of our business."""
    api_version = document.manifest.get("apiVersion")
    if isinstance(api_version, str) and "kind" in document.manifest and api_version.partition("/")[0] != GROUP:
        return []
    return [
        _verdict(
            document.file,
            document.mark(problem.path),
            field=problem.field,
            value=problem.value,
            rule=problem.rule,
            remedy=problem.remedy,
            name=problem.name,
        )
        for problem in find_problems(document.manifest)
    ]


def load_documents(path: Path | str) -> list[Document]:
    """The documents of a file, empty ones left out. Raises ManifestFileError if it cannot be read."""
    file = str(path)
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _error(file, _START, f"The file cannot be read: {error}.", "Name a YAML file.") from error
    return parse_documents(text, file=file)


def parse_documents(text: str, *, file: str) -> list[Document]:
    """The documents of a text. Raises ManifestFileError if it is no YAML that a cluster would take."""
    try:
        return list(_documents(text, file))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Mark(line=mark.line + 1, column=mark.column + 1) if mark else _START
        raise _error(file, place, f"This is no valid YAML: {error.problem}.", "Correct it.") from error
    except yaml.YAMLError as error:
        raise _error(file, _START, f"This is no valid YAML: {error}.", "Correct it.") from error


def _documents(text: str, file: str) -> Iterator[Document]:
    loader = _Loader(text)
    try:
        while loader.check_node():
            node = loader.get_node()
            marks: dict[ValuePath, Mark] = {}
            value = None if node is None else _Reader(loader, file, marks).read(node, ())
            if value is None:
                continue
            if not isinstance(value, dict):
                raise _error(file, marks[()], "A manifest must be a block of fields.", "Begin with apiVersion.")
            yield Document(file=file, manifest=_settled(value), marks=marks)
    finally:
        loader.dispose()


def _settled(manifest: dict[str, Any]) -> dict[str, Any]:
    resource = KINDS.get(str(manifest.get("kind")))
    settled: dict[str, Any] = without_nulls(manifest, structural_schema(resource)) if resource else manifest
    return settled


class _Loader(yaml.SafeLoader):
    """Scalars as Kubernetes' YAML reads them; PyYAML's own table lacks 1e-5 and knows times and base 60."""

    yaml_implicit_resolvers: dict[str, Any] = {}


for _tag, _pattern, _first in (
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE|yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF)$", "tTfFyYnNoO"),
    ("int", r"^[-+]?(?:0|[1-9][0-9]*|0x[0-9a-fA-F]+|0o?[0-7]+)$", "-+0123456789"),
    ("float", r"^[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?$", "-+.0123456789"),
    ("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("merge", r"^<<$", "<"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), list(_first))


class _Reader:
    """Turns nodes into values, and remembers where each stood."""

    def __init__(self, loader: _Loader, file: str, marks: dict[ValuePath, Mark]) -> None:
        self._loader = loader
        self._file = file
        self._marks = marks
        self._open: set[int] = set()

    def read(self, node: yaml.Node, path: ValuePath, mark: Mark | None = None) -> Any:
        place = mark or _mark_of(node)
        self._marks[path] = place
        if len(self._marks) > _MAX_VALUES or id(node) in self._open:
            raise _error(self._file, place, "An alias makes this endless.", "Write the values out.")
        if isinstance(node, yaml.ScalarNode):
            return self._loader.construct_object(node)
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.SequenceNode):
                return [self.read(item, (*path, index)) for index, item in enumerate(node.value)]
            assert isinstance(node, yaml.MappingNode)
            return dict(self._members(node, path))
        finally:
            self._open.discard(id(node))

    def _members(self, node: yaml.MappingNode, path: ValuePath) -> Iterator[tuple[str, Any]]:
        self._refuse_doubles(node)
        self._loader.flatten_mapping(node)
        for key, item in node.value:
            name = str(self._loader.construct_object(key))
            yield name, self.read(item, (*path, name), _mark_of(key))

    def _refuse_doubles(self, node: yaml.MappingNode) -> None:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _error(self._file, _mark_of(key), "A field's name must be a word.", "Correct it.")
            if key.value in seen:
                raise _error(self._file, _mark_of(key), f"The field {key.value} is given twice.", "Remove one.")
            seen.add(key.value)


def _mark_of(node: yaml.Node) -> Mark:
    return Mark(line=node.start_mark.line + 1, column=node.start_mark.column + 1)


def _verdict(file: str, mark: Mark, *, field: str, value: str, rule: str, remedy: str, name: str) -> Verdict:
    return Verdict(
        file=file, line=mark.line, column=mark.column, field=field, value=value, rule=rule, remedy=remedy, name=name
    )


def _error(file: str, mark: Mark, rule: str, remedy: str) -> ManifestFileError:
    return ManifestFileError(_verdict(file, mark, field="manifest", value="", rule=rule, remedy=remedy, name="yaml"))
