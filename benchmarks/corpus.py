"""Real text that every machine has: the Python standard library, as documents and as questions with answers."""

import ast
import json
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path

SKIPPED_FOLDERS = {"test", "tests", "idlelib", "site-packages", "__pycache__", "lib2to3", "turtledemo", "encodings"}
MAX_DOCUMENT_CHARACTERS = 3_000_000
"""Half a million tokens: more than a run of 110 steps reads, and a tokenizer of 16,384 tokens learns from it."""

_Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def documents() -> list[str]:
    """Sources of the standard library in the order of their paths, up to a limit."""
    texts: list[str] = []
    left = MAX_DOCUMENT_CHARACTERS
    for _, text in _sources():
        if left > 0:
            texts.append(text)
            left -= len(text)
    return texts


def questions() -> list[dict[str, str]]:
    """{instruction, output}: what a module, class or function of the standard library does, by its docstring.

    Lengths are skewed as people's answers are: many of one sentence, some of several pages.
    """
    return [
        {"instruction": f"What does {name} do?", "output": docstring}
        for module, text in _sources()
        for name, docstring in _docstrings(module, ast.parse(text))
    ]


def write_rows(path: Path, rows: Iterable[dict[str, str]]) -> None:
    """One JSON object a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def _sources() -> Iterator[tuple[str, str]]:
    """(module name, text) of every module that is UTF-8."""
    root = Path(sysconfig.get_paths()["stdlib"])
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        if SKIPPED_FOLDERS & set(parts):
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        yield ".".join(part for part in parts if part != "__init__"), text


def _docstrings(name: str, node: _Documented) -> Iterator[tuple[str, str]]:
    docstring = ast.get_docstring(node)
    if docstring and docstring.strip():
        yield name, docstring
    for child in node.body:
        if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _docstrings(f"{name}.{child.name}", child)
