"""What `make demo` runs: the demo's data, the three jobs, and what came of them next to what was expected.

    python examples/three-stages/demo.py [--state .trivium] [--minutes 12] [--fresh] [--check]

Interrupted at any moment and started again, it goes on; run again when all is done, it says so. With more minutes the
same jobs train longer, under names of their own.
"""

import argparse
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from make_data import make_data
from rich.console import Console
from rich.table import Table

from trivium_trainer.report import StageSummary, load_run, summarize

HERE = Path(__file__).parent
FILES = ("pretrain.yaml", "sft.yaml", "preference.yaml")
BASE_MINUTES = 12
"""What the steps in the three files take on two cores, installation not counted."""
CLAIM = Path("claims") / "default"
QUESTIONS_SHOWN = 3
"""Of the questions seen in training, and again of those held out."""


@dataclass(frozen=True, slots=True)
class Target:
    """One figure that the demo promises."""

    text: str
    value: float | None
    goal: str
    met: bool


def job_files(state: Path, *, minutes: int) -> list[Path]:
    """The three files; for another length, copies with more steps and names of their own."""
    files = [HERE / name for name in FILES]
    if minutes == BASE_MINUTES:
        return files
    folder = state / f"demo-{minutes}m"
    folder.mkdir(parents=True, exist_ok=True)
    return [_lengthened(path, folder / path.name, minutes=minutes) for path in files]


def _lengthened(source: Path, target: Path, *, minutes: int) -> Path:
    text = re.sub(r"(?m)^# yaml-language-server.*\n", "", source.read_text(encoding="utf-8"))
    job = yaml.safe_load(text)
    job["metadata"]["name"] += f"-{minutes}m"
    if "job" in (upstream := job["spec"]["model"].get("from", {})):
        upstream["job"]["name"] += f"-{minutes}m"
    job["spec"]["optimization"]["steps"] = int(job["spec"]["optimization"]["steps"] * minutes / BASE_MINUTES)
    target.write_text(yaml.safe_dump(job, sort_keys=False), encoding="utf-8")
    return target


def run_directories(state: Path, files: Sequence[Path]) -> list[Path]:
    """The newest run directory of each job."""
    found = []
    for path in files:
        job = yaml.safe_load(path.read_text(encoding="utf-8"))
        runs = state / CLAIM / "runs" / "default" / job["kind"] / job["metadata"]["name"]
        found.append(max(runs.iterdir(), key=lambda folder: folder.stat().st_mtime))
    return found


def targets(base: StageSummary, tuned: StageSummary, preferred: StageSummary) -> Iterator[Target]:
    """What each stage promises, from the held-out sets and the answers to the job files' questions."""
    fall = _ratio(_perplexity(base, "before"), _perplexity(base, "after"))
    yield Target(
        "Pre-training: held-out perplexity falls by a factor of", fall, "≥ 30", fall is not None and fall >= 30
    )
    ended_before = tuned.answers_before.ended_share if tuned.answers_before else None
    yield Target(
        "Base model: answers that end by themselves",
        ended_before,
        "< 0.10",
        ended_before is not None and ended_before < 0.1,
    )
    ended = tuned.answers_after.ended_share if tuned.answers_after else None
    yield Target("Fine-tuning: answers that end in time", ended, "≥ 0.85", ended is not None and ended >= 0.85)
    left = _ratio(_perplexity(tuned, "after"), _perplexity(tuned, "before"))
    yield Target(
        "Fine-tuning: held-out answer perplexity ÷ the base's", left, "≤ 0.50", left is not None and left <= 0.5
    )
    accuracy, margin = preferred.preference_accuracy, preferred.preference_margin
    yield Target("DPO: held-out preference accuracy", accuracy, "≥ 0.90", accuracy is not None and accuracy >= 0.9)
    yield Target("DPO: held-out preference margin", margin, "> 0", margin is not None and margin > 0)
    shorter = _ratio(
        preferred.answers_after.mean_tokens if preferred.answers_after else None,
        preferred.answers_before.mean_tokens if preferred.answers_before else None,
    )
    yield Target("DPO: mean answer length ÷ before", shorter, "≤ 0.70", shorter is not None and shorter <= 0.7)
    worse = _ratio(_perplexity(preferred, "after"), _perplexity(preferred, "before"))
    yield Target("DPO: answer perplexity ÷ before", worse, "≤ 1.25", worse is not None and worse <= 1.25)


def _perplexity(stage: StageSummary, moment: str) -> float | None:
    held_out = stage.main_held_out
    return getattr(held_out, f"perplexity_{moment}") if held_out is not None else None


def _ratio(over: float | None, under: float | None) -> float | None:
    return over / under if over is not None and under else None


def show_answers(console: Console, directories: Sequence[Path]) -> None:
    """The same questions, answered by the base, the tuned and the preferred model; seen and held-out ones apart."""
    answers: dict[str, list[str]] = {}
    origins: dict[str, str] = {}
    for column, directory in enumerate(directories):
        training = load_run(directory).training
        for line in training.samples if training else ():
            if line.moment == "after":
                answers.setdefault(line.prompt, ["", "", ""])[column] = line.completion + ("" if line.ended else " …")
                origins[line.prompt] = line.origin or "other"
    for origin, title in (("seen", "Questions seen in training"), ("held-out", "Questions held out")):
        table = Table(title=title, show_lines=True)
        for name in ("question", "base", "tuned", "preferred"):
            table.add_column(name, overflow="fold", ratio=1)
        for prompt in [prompt for prompt in answers if origins[prompt] == origin][:QUESTIONS_SHOWN]:
            table.add_row(prompt, *(textwrap.shorten(answer, 160) for answer in answers[prompt]))
        console.print(table)


def show_targets(console: Console, rows: Sequence[Target]) -> bool:
    """Print measured beside expected; whether all were met."""
    table = Table(title="What was expected, and what came")
    for name in ("", "measured", "goal", ""):
        table.add_column(name)
    for row in rows:
        value = "not measured" if row.value is None else f"{row.value:.3g}"
        table.add_row(row.text, value, row.goal, "[green]met[/]" if row.met else "[red]missed[/]")
    console.print(table)
    console.print(
        "A model of 2.6 million parameters shows that the pipeline works, not that the model is useful. "
        "The preferences are derived by a rule (short before rambling); no person judged them.",
        style="dim",
    )
    return all(row.met for row in rows)


def main() -> int:
    """Returns trivium run's exit code; with --check also 1 where a target was missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--state", type=Path, default=Path(".trivium"))
    parser.add_argument("--minutes", type=int, default=BASE_MINUTES)
    parser.add_argument("--fresh", action="store_true", help="forget the three jobs and start over")
    parser.add_argument("--check", action="store_true", help="fail where a target is missed")
    options = parser.parse_args()
    console = Console()
    data = options.state / CLAIM / "demo-data"
    if options.fresh or not (data / "manifest.json").exists():
        console.print(f"Writing the demo's data to {data}")
        make_data(data)
    files = job_files(options.state, minutes=options.minutes)
    command = [sys.executable, "-m", "trivium", "run", "--state", str(options.state), *map(str, files)]
    code = subprocess.run([*command, *(["--fresh"] if options.fresh else [])], check=False).returncode
    if code != 0:
        return code
    directories = run_directories(options.state, files)
    base, tuned, preferred = summarize(directories)
    show_answers(console, directories)
    met = show_targets(console, list(targets(base, tuned, preferred)))
    console.print("To start over: make demo FRESH=1. To train longer: make demo MINUTES=30.")
    return 0 if met or not options.check else 1


if __name__ == "__main__":
    sys.exit(main())
