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
CODE_RULE = "derived:standard-library-syntax@1"

OPENERS = (
    "Well, there is a lot more to say about that.",
    "But let me go on for a while.",
    "And that reminds me of something else.",
    "Now that you ask, I could talk about it all day.",
)
CLOSERS = (
    "Anyway, I could say more, and then some more, and I probably will.",
    "But I am only repeating myself now, as I often do, again and again.",
    "In other words, it is what it is, and that is what I wanted to say.",
)


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
    return [path for path in files if path.stat().st_size > 500]  # noqa: PLR2004 - empty package markers say nothing


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
            if not isinstance(turns, list) or len(turns) < 2:  # noqa: PLR2004 - a question and an answer
                continue
            question, answer = (" ".join(str(turn).split()) for turn in turns[:2])
            multi_line = "\n" in str(turns[1]).strip()
            if question.lower() in seen or multi_line or not 2 <= len(answer) <= 160:  # noqa: PLR2004
                continue
            seen.add(question.lower())
            yield Pair(question, answer, path.stem)


def syntax_questions(tree: ast.Module) -> Iterator[Pair]:
    """Questions about Python syntax with the names that one module of the standard library really uses."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for name in node.names:
                if name.name != "*" and name.asname is None:
                    yield Pair(
                        f"How do I import {name.name} from {node.module}?",
                        f"from {node.module} import {name.name}",
                        "import",
                    )
        elif isinstance(node, ast.FunctionDef):
            arguments = [argument.arg for argument in node.args.args if argument.arg not in {"self", "cls"}]
            plain = not (node.args.vararg or node.args.kwarg or node.args.kwonlyargs or node.args.posonlyargs)
            if plain and 1 <= len(arguments) <= 3 and not node.name.startswith("_"):  # noqa: PLR2004
                yield Pair(
                    f"Define a function {node.name} that takes {' and '.join(arguments)}.",
                    f"def {node.name}({', '.join(arguments)}):",
                    "function",
                )
        elif isinstance(node, ast.ClassDef) and len(node.bases) == 1 and isinstance(node.bases[0], ast.Name):
            yield Pair(
                f"Define a class {node.name} that extends {node.bases[0].id}.",
                f"class {node.name}({node.bases[0].id}):",
                "class",
            )


def code_pairs(texts: Sequence[str], *, limit: int) -> list[Pair]:
    """Distinct syntax questions, a third of each kind, in an order that the seed fixes."""
    by_topic: dict[str, dict[str, Pair]] = {}
    for text in texts:
        try:
            tree = ast.parse(text)
        except SyntaxError:
            continue
        for pair in syntax_questions(tree):
            by_topic.setdefault(pair.topic, {}).setdefault(pair.question, pair)
    chosen: list[Pair] = []
    for topic in sorted(by_topic):
        pairs = [by_topic[topic][question] for question in sorted(by_topic[topic])]
        random.Random(f"{SEED} {topic}").shuffle(pairs)
        chosen += pairs[: limit // len(by_topic)]
    return chosen


class Rambler:
    """Adds a rambling tail to an answer: a fixed opener, another answer on the same topic, a fixed closer."""

    def __init__(self, pairs: Sequence[Pair]) -> None:
        self._answers: dict[str, list[str]] = {}
        for pair in pairs:
            if not is_held_out(pair.question):
                self._answers.setdefault(pair.topic, []).append(pair.answer)

    def ramble(self, pair: Pair) -> str:
        """The answer with a tail; the same question always gets the same tail."""
        choose = random.Random(f"{SEED} {pair.question}")
        others = self._answers.get(pair.topic) or [pair.answer]
        tail = f"{choose.choice(OPENERS)} {choose.choice(others)} {choose.choice(CLOSERS)}"
        return f"{pair.answer} {tail}"


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


def write_fine_tuning(folder: Path, chats: Sequence[Pair], codes: Sequence[Pair], rambler: Rambler) -> None:
    """Conversations in `messages` form, syntax questions in instruction form, each split by question."""

    def answer(pair: Pair) -> tuple[str, str]:
        return (rambler.ramble(pair), RAMBLING_RULE) if rambles(pair.question) else (pair.answer, "corpus")

    for part, wanted in (("train", False), ("held-out", True)):
        rows: list[dict[str, object]] = []
        for pair in (pair for pair in chats if is_held_out(pair.question) == wanted):
            text, label_source = answer(pair)
            turns = [{"role": "user", "content": pair.question}, {"role": "assistant", "content": text}]
            rows.append({"messages": turns, "label_source": label_source})
        write_rows(folder / f"conversations-{part}.jsonl", rows)
        rows = []
        for pair in (pair for pair in codes if is_held_out(pair.question) == wanted):
            text, _ = answer(pair)
            rows.append({"instruction": pair.question, "output": text, "label_source": CODE_RULE})
        write_rows(folder / f"syntax-{part}.jsonl", rows)


def write_preferences(folder: Path, pairs: Sequence[Pair], rambler: Rambler) -> None:
    """The short answer preferred to the rambling one, by rule; no person judged these."""
    for part, wanted in (("train", False), ("held-out", True)):
        rows: list[dict[str, object]] = [
            {
                "prompt": [{"role": "user", "content": pair.question}],
                "chosen": [{"role": "assistant", "content": pair.answer}],
                "rejected": [{"role": "assistant", "content": rambler.ramble(pair)}],
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
    texts = [text for path in standard_library_files() if (text := read_text(path))]
    chats = list(conversations())
    codes = code_pairs(texts, limit=6000)
    rambler = Rambler([*chats, *codes])
    write_pretraining(folder / "pretrain", texts)
    write_fine_tuning(folder / "sft", chats, codes, rambler)
    write_preferences(folder / "preferences", [*chats, *codes], rambler)
    write_manifest(folder)


if __name__ == "__main__":
    make_data(Path(sys.argv[1]))
