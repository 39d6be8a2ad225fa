"""`kubectl trivium why JOB`: the answer on a terminal, or as JSON."""

import json
from dataclasses import asdict
from typing import Any

from rich.columns import Columns
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from trivium.cli import figures
from trivium.cli.cluster.session import on_cluster
from trivium.cli.cluster.target import ClusterTarget
from trivium.cli.job_view import view_job
from trivium.cli.options import AnswerFormat
from trivium.cli.why.cause import Check
from trivium.cli.why.chain import Answer, find_cause
from trivium.cli.why.facts import Facts
from trivium.cli.why.gather import gather_facts

_MARKS = {
    "passed": ("✓", "green"),
    "stopped": ("✗", "red"),
    "not reached": ("·", "dim"),
    "unknown": ("?", "yellow"),
}
_TURN = {"nobody": "nobody: it goes on by itself", "you": "yours", "platform": "the platform team's"}


def show_why(job: str, target: ClusterTarget, *, output: AnswerFormat) -> None:
    """Print the answer. Raises CommandError."""
    facts = on_cluster(target, lambda access: gather_facts(access, job, flags=target.flags()))
    answer = find_cause(facts)
    if output is AnswerFormat.JSON:
        print(json.dumps(as_json(facts, answer), indent=2))
    else:
        print_answer(facts, answer, console=Console(highlight=False))


def as_json(facts: Facts, answer: Answer) -> dict[str, Any]:
    """For tools."""
    view = view_job(facts.job)
    cause = answer.cause
    return {
        "job": view.job,
        "namespace": view.namespace,
        "phase": view.phase,
        "reason": cause.code,
        "message": cause.says,
        "remedy": cause.remedy,
        "turn": cause.who,
        "next": list(cause.commands),
        "checks": [asdict(check) for check in answer.checks],
    }


def print_answer(facts: Facts, answer: Answer, *, console: Console) -> None:
    """The job, the stations of its way, the reason, and what to type next."""
    view = view_job(facts.job)
    age = figures.age(facts.seconds_since(facts.job["metadata"]["creationTimestamp"]))
    console.print(Text.assemble((view.job, "bold"), f" in namespace {view.namespace}: {view.phase}, {age} old"))
    if answer.checks:
        console.print()
        console.print(Padding(Columns([_station(check) for check in answer.checks], padding=(0, 3)), (0, 0, 0, 2)))
    console.print()
    told = Table(box=None, show_header=False, pad_edge=False)
    told.add_column(style="bold", no_wrap=True)
    told.add_column(overflow="fold")
    told.add_row("Why", answer.cause.says)
    told.add_row("What to do", answer.cause.remedy)
    told.add_row("Whose turn", _TURN[answer.cause.who])
    console.print(told)
    if answer.cause.commands:
        console.print("\nNext:")
    for command in answer.cause.commands:
        # soft_wrap: a command that is cut into lines cannot be copied.
        console.print(f"  {command}", soft_wrap=True)


def _station(check: Check) -> Text:
    mark, color = _MARKS[check.state]
    return Text.assemble((f"{mark} ", color), (check.name, "bold" if check.state == "stopped" else ""))
