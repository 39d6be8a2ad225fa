"""The global batch against every number of ranks that a job may run with: exact for each, or refused with the way out.

A changed global batch would move the data position on resume, so a remainder is never rounded away.
"""

from collections.abc import Iterator

from trivium.api import Job
from trivium.planning.batch import BatchError, check_divisible
from trivium.planning.machines import Machines
from trivium.planning.refusal import PlanError


def check_batch(job: Job, *, machines: Machines) -> None:
    """Raise PlanError where the global batch leaves a remainder at an allowed number of ranks."""
    optimization = job.spec.optimization
    micro = 1 if optimization.micro_batch_size == "auto" else optimization.micro_batch_size
    try:
        check_divisible(
            global_batch=optimization.global_batch_size, world_sizes=machines.world_sizes, micro_batch=micro
        )
    except BatchError as error:
        raise PlanError(
            "spec.optimization.globalBatchSize",
            f"{error} ({_describe(machines)})",
            *_ways_out(job, machines=machines, micro=micro, nearest=error.nearest),
        ) from error


def _describe(machines: Machines) -> str:
    each = f"with {machines.ranks_per_worker} each"
    if machines.min_workers == machines.workers:
        return f"{machines.workers} workers {each}"
    return f"{machines.min_workers} to {machines.workers} workers {each}; it must divide for every number of them"


def _ways_out(job: Job, *, machines: Machines, micro: int, nearest: tuple[int, ...]) -> Iterator[str]:
    fewest = _smallest_minimum(job.spec.optimization.global_batch_size, machines=machines, micro=micro)
    if nearest:
        yield f"Set globalBatchSize: {' or '.join(str(value) for value in nearest)}."
    if fewest is not None:
        yield f"{'Or set' if nearest else 'Set'} compute.minWorkers: {fewest}."
    else:
        yield f"{'Or change' if nearest else 'Change'} compute.workers."


def _smallest_minimum(global_batch: int, *, machines: Machines, micro: int) -> int | None:
    """The smallest minWorkers at which the batch divides for every number of workers; None if it does for none."""
    fewest = None
    for workers in range(machines.workers, machines.min_workers, -1):
        if global_batch % (workers * machines.ranks_per_worker * micro):
            break
        fewest = workers
    return fewest
