"""When the platform cannot give all workers: fewer, down to compute.minWorkers.

    attempt ended Unschedulable, 3 of 8 without room ──> 5 workers ──again──> 4 ... minWorkers ──again──> no
    attempt ended for any other reason               ──> all workers again

Growing back costs nothing while an attempt trains well; a try that fails costs one start time-out.
"""

from trivium.api import Job
from trivium.api.plan_status import Plan
from trivium.api.status import Attempt


def fewest_workers(job: Job, plan: Plan) -> int:
    """The smallest number that the job allows and its plan has a size for, without a gap up to all workers."""
    wanted = min(job.spec.compute.min_workers or plan.workers, plan.workers)
    planned = {size.world_size for size in plan.sizes}
    fewest = plan.workers
    while fewest > wanted and (fewest - 1) * ranks_per_worker(plan) in planned:
        fewest -= 1
    return fewest


def fewer_workers(job: Job, plan: Plan, attempt: Attempt) -> int | None:
    """How many workers to ask for after `attempt` found no room; None if it had the fewest already."""
    fewest = fewest_workers(job, plan)
    have = min(attempt.workers, plan.workers)
    return max(fewest, have - max(1, attempt.missing_workers)) if have > fewest else None


def ranks_per_worker(plan: Plan) -> int:
    """One for each GPU; one on CPU."""
    return max(1, plan.gpus_per_worker)
