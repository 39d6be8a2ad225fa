"""Manifests that a person names on the command line: read, judged, and made ready to be submitted."""

import dataclasses
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from trivium.api import JOB_KINDS
from trivium.api.validation import KINDS
from trivium.cli.errors import CommandError
from trivium.cli.exit_codes import ExitCode
from trivium.manifest_file import (
    Document,
    ManifestFileError,
    Verdict,
    check_document,
    load_documents,
    parse_documents,
)

_YAML_SUFFIXES = {".yaml", ".yml", ".json"}


def check_files(files: Sequence[Path], *, as_json: bool) -> int:
    """Print every verdict; the exit code."""
    verdicts: list[Verdict] = []
    count = 0
    for path in expand(files):
        try:
            documents = read(path)
        except ManifestFileError as error:
            verdicts.append(error.verdict)
            continue
        count += len(documents)
        verdicts += [verdict for document in documents for verdict in check_document(document)]
    if as_json:
        print(json.dumps([dataclasses.asdict(verdict) for verdict in verdicts], indent=2))
    elif verdicts:
        print("\n".join(str(verdict) for verdict in verdicts))
    else:
        print(f"{count} {'manifest is' if count == 1 else 'manifests are'} valid")
    return ExitCode.INVALID if verdicts else 0


def load_valid(files: Sequence[Path], *, namespace: str) -> list[dict[str, Any]]:
    """The manifests of the files, in the namespace that they name or else `namespace`. Raises CommandError."""
    try:
        documents = [document for path in expand(files) for document in read(path)]
    except ManifestFileError as error:
        raise CommandError(str(error), code=ExitCode.INVALID) from error
    verdicts = [str(verdict) for document in documents for verdict in check_document(document)]
    if verdicts:
        raise CommandError("\n         ".join(verdicts), code=ExitCode.INVALID)
    manifests = [_placed(document, namespace) for document in documents]
    _refuse_doubles(manifests)
    if files and not any(manifest["kind"] in JOB_KINDS for manifest in manifests):
        kinds = ", ".join(JOB_KINDS)
        raise CommandError(f"{_names(files)}: no job. A job is one of {kinds}.", code=ExitCode.INVALID)
    return manifests


def expand(files: Sequence[Path]) -> list[Path]:
    """Folders become the manifests in them, as with kubectl. Raises CommandError for what is not there."""
    expanded: list[Path] = []
    for path in files:
        if path.is_dir():
            found = sorted(child for child in path.iterdir() if child.suffix in _YAML_SUFFIXES)
            if not found:
                raise CommandError(f"{path}: no manifest in this folder.", code=ExitCode.NOT_FOUND)
            expanded += found
        elif str(path) == "-" or path.exists():
            expanded.append(path)
        else:
            raise CommandError(f"{path}: no such file.", code=ExitCode.NOT_FOUND)
    return expanded


def read(path: Path) -> list[Document]:
    """The documents of one file, or of standard input for `-`. Raises ManifestFileError."""
    return parse_documents(sys.stdin.read(), file="-") if str(path) == "-" else load_documents(path)


def _placed(document: Document, namespace: str) -> dict[str, Any]:
    manifest = dict(document.manifest)
    metadata = manifest.get("metadata")
    if not isinstance(metadata, dict) or not metadata.get("name") or "kind" not in manifest:
        place = f"{document.file}:{document.mark(()).line}"
        raise CommandError(f"{place}: kind and metadata.name: a manifest needs both.", code=ExitCode.INVALID)
    if manifest["kind"] in KINDS and manifest["kind"] not in JOB_KINDS:
        return manifest
    return {**manifest, "metadata": {**metadata, "namespace": metadata.get("namespace") or namespace}}


def _refuse_doubles(manifests: Iterable[dict[str, Any]]) -> None:
    seen: set[tuple[str, str, str]] = set()
    for manifest in manifests:
        metadata = manifest["metadata"]
        key = (manifest["kind"], metadata.get("namespace", ""), metadata["name"])
        if key in seen:
            name = f"{manifest['kind']} {metadata['name']}"
            raise CommandError(f"{name} is given twice. Remove one, or rename it.", code=ExitCode.INVALID)
        seen.add(key)


def _names(files: Sequence[Path]) -> str:
    return ", ".join(str(path) for path in files)
