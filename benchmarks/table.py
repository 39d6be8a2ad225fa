"""The part of README.md between the markers: a row for each goal, then what was measured where."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import results
from benchmarks.comparison import Comparison, Goal, Settings, ratio

BEGIN, END = "<!-- results: written by python -m benchmarks --write -->", "<!-- end of results -->"
_NOT_MEASURED = "not yet measured"


def write(readme: Path, comparisons: Sequence[Comparison], *, folder: Path) -> None:
    """Replace what is between the markers."""
    text = readme.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    assert begin, f"{readme} lost its markers"
    assert end, f"{readme} lost its markers"
    found = {comparison.NAME: results.read(comparison.NAME, folder) for comparison in comparisons}
    readme.write_text(f"{before}{BEGIN}\n\n{render(comparisons, found)}\n{END}{after}", encoding="utf-8")


def render(comparisons: Sequence[Comparison], found: dict[str, dict[str, Any] | None]) -> str:
    """The table, the machines, and the histogram of lengths."""
    lines = [
        "| comparison | goal | median ratio | interval | pairs | passed | measured |",
        "|---|---|---|---|---|---|---|",
        *(row(goal, found[comparison.NAME]) for comparison in comparisons for goal in comparison.GOALS),
        "",
    ]
    for name, result in found.items():
        if result is not None:
            lines += [_origin(name, result), *_histogram(result["facts"])]
    return "\n".join(lines)


def row(goal: Goal, result: dict[str, Any] | None) -> str:
    """One goal and what came of it."""
    sign = "≥" if goal.at_least else "≤"
    head = f"| {goal.title} | {sign} {goal.goal:g} |"
    if result is None:
        return f"{head} {_NOT_MEASURED} | | | | |"
    interval = ratio(goal, result["pairs"])
    passed = "yes" if interval.reaches(goal.goal, at_least=goal.at_least) else "no"
    if not Settings(**result["settings"]).counts:
        passed = "smoke test"
    return (
        f"{head} {interval.median:.3f} | {interval.low:.3f} to {interval.high:.3f} ({interval.coverage:.0%}) "
        f"| {len(result['pairs'])} | {passed} | {result['date']} |"
    )


def _origin(name: str, result: dict[str, Any]) -> str:
    machine = result["machine"]
    versions = ", ".join(
        f"{package} {machine[package]}"
        for package in ("trivium", "python", "torch", "deepspeed", "transformers", "trl", "ray")
    )
    facts = ", ".join(f"{key} {_told(value)}" for key, value in result["facts"].items() if key != "histogram")
    where = (
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory']}, load {machine['loadBefore']} before"
    )
    return f"- `{name}`: {where}; {versions}; {facts}."


def _told(value: Any) -> str:
    if isinstance(value, dict):
        return " / ".join(f"{key} {_told(one)}" for key, one in value.items())
    return f"{value:,.0f}" if isinstance(value, int | float) else str(value)


def _histogram(facts: dict[str, Any]) -> list[str]:
    if "histogram" not in facts:
        return []
    counts = sorted(((int(bound), count) for bound, count in facts["histogram"].items()))
    largest = max(count for _, count in counts)
    bars = [f"  {bound:>6,} {count:>6,} {'█' * round(40 * count / largest)}" for bound, count in counts]
    return ["", "  Lengths of the examples (tokens at most, examples):", "", "  ```text", *bars, "  ```", ""]
