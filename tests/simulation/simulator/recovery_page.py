"""docs/recovery.md: the policies in their order, and the state diagram that they draw over many histories.

    PYTHONPATH=tests/simulation python -m simulator.recovery_page --write

Nothing of the diagram is drawn by hand: an arrow is there because a policy's verdict took a job from one phase to another.
"""

import inspect
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from simulator.chance import CELLS, write_script
from simulator.history import play
from trivium import reconcile
from trivium.api.failure_classes import FAILURE_POLICIES
from trivium.api.status import JobStatus
from trivium.domain import decide as chain

PAGE = Path(__file__).parents[3] / "docs" / "recovery.md"
BEGIN, END = "<!-- generated: make generate-recovery -->", "<!-- end of generated -->"
HISTORIES = len(CELLS)
"""Every fault in every phase once."""
Arrow = tuple[str, str]
_RARE = 2
"""An arrow that so few histories drew says more of the histories than of the policies: it is in no diagram."""


@contextmanager
def listening() -> Iterator[Counter[tuple[str, str, str]]]:
    """(phase before, phase after, policy) -> recorded passes, while it is open."""
    seen: Counter[tuple[str, str, str]] = Counter()
    judges, decide = chain.CHAIN, reconcile.decide
    spoke: list[str] = []

    def noting(judge):
        def judged(situation):
            verdict = judge(situation)
            if verdict is not None:
                spoke.append(policy_name(judge))
            return verdict

        return judged

    def decided(job, observation, **settings):
        spoke.clear()
        decision = decide(job, observation, **settings)
        before = job.status or JobStatus()
        if decision.status.phase != before.phase:
            seen[str(before.phase), str(decision.status.phase), spoke[0]] += 1
        return decision

    chain.CHAIN = tuple(noting(judge) for judge in judges)
    reconcile.decide = decided
    try:
        yield seen
    finally:
        chain.CHAIN, reconcile.decide = judges, decide


def policy_name(judge) -> str:
    """judge_start_deadline -> start deadline."""
    return judge.__name__.removeprefix("judge_").replace("_", " ")


def draw(seen: Counter[tuple[str, str, str]]) -> list[str]:
    """Mermaid: each pair of phases once, labelled with the policies behind it, the most frequent first."""
    arrows: dict[Arrow, Counter[str]] = {}
    for (before, after, policy), count in seen.items():
        arrows.setdefault((before, after), Counter())[policy] += count
    lines = ["```mermaid", "stateDiagram-v2", "    [*] --> Pending"]
    for (before, after), policies in sorted(arrows.items()):
        if policies.total() > _RARE:
            lines.append(f"    {before} --> {after}: {', '.join(name for name, _ in policies.most_common())}")
    finals = sorted({after for _, after in arrows} - {before for before, _ in arrows})
    return [*lines, *(f"    {phase} --> [*]" for phase in finals), "```"]


def policies() -> list[str]:
    """A row for each policy, in the order of the chain: what comes first wins."""
    rows = ["| | policy | what it decides |", "| ---: | --- | --- |"]
    for number, judge in enumerate(chain.CHAIN, start=1):
        words = inspect.cleandoc(judge.__doc__ or "").split("\n\n")[0].replace("\n", " ")
        rows.append(f"| {number} | {policy_name(judge)} | {words} |")
    return rows


def classes() -> list[str]:
    """A row for each failure class."""
    rows = ["| class | another attempt | costs a restart | what to do |", "| --- | --- | --- | --- |"]
    for failure_class, policy in FAILURE_POLICIES.items():
        retried = "no" if not policy.retried else "yes, changed" if policy.needs_change else "yes"
        rows.append(f"| {failure_class} | {retried} | {'yes' if policy.counted else 'no'} | {policy.remedy} |")
    return rows


def generated() -> str:
    """What stands between the markers."""
    with listening() as seen:
        for seed in range(HISTORIES):
            play(write_script(seed))
    intro = f"Drawn from {HISTORIES:,} histories of the simulator: every fault in every phase that it can strike."
    parts = [
        ["## The policies, in their order", "", *policies()],
        ["## From phase to phase", "", intro, "", *draw(seen)],
        ["## Failure classes", "", *classes()],
    ]
    return "\n\n".join("\n".join(part) for part in parts)


def page(text: str) -> str:
    """The page with its generated part anew."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    assert begin, f"{PAGE} lost its markers"
    assert end, f"{PAGE} lost its markers"
    return f"{before}{BEGIN}\n\n{generated()}\n\n{END}{after}"


if __name__ == "__main__":
    text = page(PAGE.read_text(encoding="utf-8"))
    if "--write" in sys.argv:
        PAGE.write_text(text, encoding="utf-8")
    else:
        print(text)
