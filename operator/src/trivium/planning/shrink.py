"""After running out of memory: the same batch in smaller bites."""

from trivium.api.plan_status import Plan, SizePlan
from trivium.planning.batch import BatchCut, halve


def shrink(plan: Plan) -> Plan | None:
    """Half the micro-batch and more accumulation at every number of ranks; None if no entry can be halved.

    The global batch, and with it the data order, stays exactly the same.
    """
    smaller = tuple(_smaller(size) for size in plan.sizes)
    if smaller == plan.sizes:
        return None
    return plan.model_copy(update={"sizes": smaller})


def _smaller(size: SizePlan) -> SizePlan:
    cut = halve(
        BatchCut(world_size=size.world_size, micro_batch=size.micro_batch_size, accumulation=size.gradient_accumulation)
    )
    if cut is None:
        return size
    return SizePlan(world_size=cut.world_size, micro_batch_size=cut.micro_batch, gradient_accumulation=cut.accumulation)
