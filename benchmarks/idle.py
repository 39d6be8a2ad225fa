"""What the operator spends on jobs that have no news, at a thousand and at ten thousand of them."""

from functools import partial
from pathlib import Path

from benchmarks.comparison import Bench, Goal, Settings
from benchmarks.side_process import run_side

NAME = "idle"
GOALS = (
    Goal(
        title="CPU time of a pass over a job without news, 10,000 jobs against 1,000",
        side="10,000 jobs",
        against="1,000 jobs",
        figure="passSeconds",
        goal=1.2,
        at_least=False,
    ),
    Goal(
        title="CPU time of such a pass at 10,000 jobs, against a millisecond",
        side="10,000 jobs",
        against="budget",
        figure="passSeconds",
        goal=1.0,
        at_least=False,
    ),
    Goal(
        title="Operator state per job at 10,000 jobs, against 50 KB",
        side="10,000 jobs",
        against="budget",
        figure="bytesPerJob",
        goal=1.0,
        at_least=False,
    ),
)
PASSES = 2000
BUDGET = {"passSeconds": 1e-3, "bytesPerJob": 50_000}


def prepare(settings: Settings, folder: Path) -> Bench:
    """Two sides that differ in the number of jobs; every job is in the middle of training on sixteen GPUs."""
    sides = {
        f"{jobs:,} jobs": partial(
            run_side,
            "idle_jobs",
            {"jobs": jobs, "passes": PASSES},
            folder=folder / str(jobs),
            settings=settings,
        )
        for jobs in (1_000, 10_000)
    }
    return Bench(sides=sides, derived={"budget": lambda _: dict(BUDGET)}, facts={"passes": PASSES})
