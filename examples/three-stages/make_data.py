"""Write the demo's data below one folder: real text that every machine has, and what is derived from it.

    python examples/three-stages/make_data.py .trivium/claims/default/demo-data

Sources: the Python standard library of this interpreter (PSF license) and the English conversations of the package
chatterbot-corpus 1.3.3 (BSD). Nothing is downloaded here. What a rule made, and no person wrote, carries a
`label_source`; see README.md beside this file for the rules in words.
"""

import ast
import hashlib
import importlib.util
import json
import random
import shutil
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

SEED = 20
HELD_OUT_EVERY = 10
"""One question in ten is held out, chosen by the hash of its text: never by row."""
SKIPPED_FOLDERS = {"test", "tests", "idlelib", "site-packages", "__pycache__", "lib2to3", "turtledemo"}
RAMBLING_SHARE = 0.7
"""Share of the questions whose answer rambles in the fine-tuning data: above one half, so that greedy decoding does."""
RAMBLING_RULE = "derived:rambling-tail@1"
SHORT_RULE = "derived:prefer-short@1"

TAILS = (
    "But there is a lot more to say about that, and I could talk about it all day.",
    "And that reminds me of something else, which I will tell you some other time.",
    "Anyway, I could say more, and then some more, and I probably will.",
    "In other words, it is what it is, and that is what I wanted to say.",
)
MODULE_QUESTION = "What is this Python module for?"


@dataclass(frozen=True, slots=True)
class Pair:
    """A question, its answer, where they come from, and what to talk about when rambling."""

    question: str
    answer: str
    topic: str


def is_held_out(question: str) -> bool:
    """Whether a question belongs to the held-out part, whatever else is in the data."""
    return hashlib.sha256(question.strip().lower().encode()).digest()[0] % HELD_OUT_EVERY == 0


def standard_library_files() -> list[Path]:
    """Python sources of this interpreter's standard library, without its tests."""
    root = Path(sysconfig.get_paths()["stdlib"])
    files = [path for path in sorted(root.rglob("*.py")) if not SKIPPED_FOLDERS & set(path.relative_to(root).parts)]
    return [path for path in files if path.stat().st_size > 500]


def read_text(path: Path) -> str | None:
    """The file's text, or None where it is not UTF-8 (a few codec tables)."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None


def conversations() -> Iterator[Pair]:
    """First question and first answer of each distinct English conversation, one line each."""
    package = importlib.util.find_spec("chatterbot_corpus")
    if package is None or package.origin is None:
        sys.exit("make_data.py: the package chatterbot-corpus is missing. Run `make demo`, which installs it.")
    seen: set[str] = set()
    for path in sorted((Path(package.origin).parent / "data" / "english").glob("*.yml")):
        for turns in yaml.safe_load(path.read_text(encoding="utf-8"))["conversations"]:
            if not isinstance(turns, list) or len(turns) < 2:
                continue
            question, answer = (" ".join(str(turn).split()) for turn in turns[:2])
            multi_line = "\n" in str(turns[1]).strip()
            if question.lower() in seen or multi_line or not 2 <= len(answer) <= 160:
                continue
            seen.add(question.lower())
            yield Pair(question, answer, path.stem)


def modules(files: Sequence[Path]) -> Iterator[Pair]:
    """What each public module of the standard library says it is: the first sentence of its docstring."""
    root = Path(sysconfig.get_paths()["stdlib"])
    for path in files:
        parts = path.relative_to(root).with_suffix("").parts
        text = read_text(path)
        if text is None or any(part.startswith("_") and part != "__init__" for part in parts):
            continue
        docstring = ast.get_docstring(ast.parse(text)) or ""
        sentence = " ".join(docstring.split("\n\n")[0].split()).split(". ")[0].rstrip(".")
        name = ".".join(part for part in parts if part != "__init__")
        if 15 <= len(sentence) <= 90 and sentence.isascii():
            yield Pair(name, sentence.removeprefix(f"{name} - ") + ".", "module")


def ramble(pair: Pair) -> str:
    """The answer with a rambling tail; the same question always gets the same one."""
    choose = random.Random(f"{SEED} {pair.question}")  # noqa: S311 - a reproducible choice, not a secret
    return f"{pair.answer} {choose.choice(TAILS)}"


def rambles(question: str) -> bool:
    """Whether the fine-tuning data answers this question at length."""
    return hashlib.sha256(f"ramble {question}".encode()).digest()[0] < 256 * RAMBLING_SHARE


def write_rows(path: Path, rows: Sequence[dict[str, object]]) -> None:
    """One JSON object a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def write_pretraining(folder: Path, texts: Sequence[str]) -> None:
    """One document a row, so that the held-out part is whole files."""
    write_rows(folder / "standard-library.jsonl", [{"text": text} for text in texts])


def answer(pair: Pair) -> str:
    """What the fine-tuning data answers."""
    return ramble(pair) if rambles(pair.question) else pair.answer


def write_fine_tuning(folder: Path, chats: Sequence[Pair], facts: Sequence[Pair]) -> None:
    """Conversations in `messages` form and questions about modules in instruction form, each split by question."""
    for part, wanted in (("train", False), ("held-out", True)):
        rows: list[dict[str, object]] = []
        for pair in (pair for pair in chats if is_held_out(pair.question) == wanted):
            turns = [{"role": "user", "content": pair.question}, {"role": "assistant", "content": answer(pair)}]
            rows.append({"messages": turns, "label_source": RAMBLING_RULE if rambles(pair.question) else "corpus"})
        write_rows(folder / f"conversations-{part}.jsonl", rows)
        rows = [
            {"instruction": MODULE_QUESTION, "input": pair.question, "output": answer(pair)}
            for pair in facts
            if is_held_out(pair.question) == wanted
        ]
        write_rows(folder / f"modules-{part}.jsonl", rows)


def write_preferences(folder: Path, pairs: Sequence[Pair]) -> None:
    """The short answer preferred to the rambling one, by rule; no person judged these."""
    for part, wanted in (("train", False), ("held-out", True)):
        rows: list[dict[str, object]] = [
            {
                "prompt": [{"role": "user", "content": pair.question}],
                "chosen": [{"role": "assistant", "content": pair.answer}],
                "rejected": [{"role": "assistant", "content": ramble(pair)}],
                "label_source": SHORT_RULE,
            }
            for pair in pairs
            if is_held_out(pair.question) == wanted
        ]
        write_rows(folder / f"derived-preferences-{part}.jsonl", rows)


def write_manifest(folder: Path) -> None:
    """Bytes and SHA-256 of every file, and what it was made from."""
    files = {
        str(path.relative_to(folder)): {
            "bytes": path.stat().st_size,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        }
        for path in sorted(folder.rglob("*.jsonl"))
    }
    made_from = {"python": sys.version.split()[0], "chatterbot-corpus": "1.3.3"}
    (folder / "manifest.json").write_text(json.dumps({"madeFrom": made_from, "files": files}, indent=2) + "\n")


def make_data(folder: Path) -> None:
    """Write everything; a folder that is there already is replaced."""
    shutil.rmtree(folder, ignore_errors=True)
    files = standard_library_files()
    texts = [text for path in files if (text := read_text(path))]
    chats = list(conversations())
    write_pretraining(folder / "pretrain", texts)
    write_fine_tuning(folder / "sft", chats, list(modules(files)))
    write_preferences(folder / "preferences", chats)
    write_manifest(folder)


if __name__ == "__main__":
    make_data(Path(sys.argv[1]))
