"""The global batch against every number of ranks that a job may run with: exact for each, or refused with the way out.

A changed global batch would move the data position on resume, so a remainder is never rounded away.
"""

from collections.abc import Iterator

from trivium.api import Job
from trivium.planning.batch import BatchError, allowed_world_sizes, check_divisible
from trivium.planning.machines import Machines
from trivium.planning.refusal import PlanError

_LARGEST_BATCH = 1_000_000
"""The API's bound of globalBatchSize."""


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
    possible = [value for value in nearest if value <= _LARGEST_BATCH]
    fewest = _smallest_minimum(job.spec.optimization.global_batch_size, machines=machines, micro=micro)
    if possible:
        yield f"Set globalBatchSize: {' or '.join(str(value) for value in possible)}."
    if fewest is not None:
        yield f"{'Or set' if possible else 'Set'} compute.minWorkers: {fewest}."
    else:
        yield f"{'Or change' if possible else 'Change'} compute.workers."


def _smallest_minimum(global_batch: int, *, machines: Machines, micro: int) -> int | None:
    """The smallest minWorkers above the job's own at which the batch divides for every number of workers."""
    for fewest in range(machines.min_workers + 1, machines.workers + 1):
        sizes = allowed_world_sizes(
            min_workers=fewest, workers=machines.workers, ranks_per_worker=machines.ranks_per_worker
        )
        if all(global_batch % (size * micro) == 0 for size in sizes):
            return fewest
    return None
