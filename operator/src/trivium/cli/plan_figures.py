"""The numbers of a plan, as people read them."""

from trivium.api.plan_status import Plan
from trivium.cli import figures

_GIBI = 1024**3


def facts(plan: Plan, *, unit: str) -> list[tuple[str, str]]:
    """(name, value) of what was chosen; only what is known."""
    rows = [
        ("Machines", _machines(plan)),
        ("Model", f"{plan.parameters:,} parameters" if plan.parameters else ""),
        ("Parallelism", _parallelism(plan)),
        ("Batch", _batch(plan, unit=unit)),
        ("Time", _time(plan)),
        ("Cost", _cost(plan)),
        ("Checkpoints", f"every {figures.age(plan.checkpoint_seconds)}" if plan.checkpoint_seconds else ""),
    ]
    return [(name, value) for name, value in rows if value]


def gibibytes(size: int) -> str:
    """`14.9 GiB`; below one, in MiB."""
    return f"{size / _GIBI:.1f} GiB" if size >= _GIBI else f"{size / 1024**2:.0f} MiB"


def memory(plan: Plan) -> str:
    """`61.2 GiB`, or nothing where it is not known."""
    return "" if plan.memory_per_gpu is None else gibibytes(plan.memory_per_gpu.needed)


def cut(plan: Plan) -> str:
    """Micro-batch × accumulation × ranks at full size."""
    if not plan.sizes:
        return ""
    size = plan.sizes[-1]
    return f"{size.micro_batch_size}×{size.gradient_accumulation}×{size.world_size}"


def time(plan: Plan) -> str:
    """Of the whole training, start not counted; of a step where the number of steps is not known."""
    if plan.estimated_seconds is not None:
        return figures.age(plan.estimated_seconds)
    return "" if plan.estimated_step_seconds is None else f"{_seconds(plan.estimated_step_seconds)}/step"


def step_time(plan: Plan) -> str:
    """Of one optimizer step."""
    return "" if plan.estimated_step_seconds is None else _seconds(plan.estimated_step_seconds)


def hours(plan: Plan) -> str:
    """GPU-hours and their cost."""
    if plan.estimated_gpu_hours is None:
        return ""
    cost = "" if plan.estimated_cost is None else f" = {plan.estimated_cost:,.2f}"
    return f"{plan.estimated_gpu_hours:,.1f}{cost}"


def _machines(plan: Plan) -> str:
    workers = "1 worker" if plan.workers == 1 else f"{plan.workers} workers"
    if plan.min_workers:
        workers = f"{plan.min_workers} to {workers}"
    return f"{plan.gpus} GPUs: {workers} × {plan.gpus_per_worker}" if plan.gpus else f"{workers} on CPU"


def _parallelism(plan: Plan) -> str:
    parts = [f"ZeRO {plan.zero_stage}"] if plan.parameters else []
    parts += [f"{plan.offload} offloaded"] if plan.offload != "none" else []
    parts += [plan.precision, plan.attention.replace("_", " ")]
    parts += ["Liger kernels"] if plan.liger else []
    parts += ["activations computed again"] if plan.gradient_checkpointing else []
    return ", ".join(parts)


def _batch(plan: Plan, *, unit: str) -> str:
    text = f"{plan.global_batch_size} {unit} a step"
    if plan.tokens_per_step:
        most = "" if not plan.provisional or plan.packing else "at most "
        text += f", {most}{plan.tokens_per_step:,.0f} tokens"
    sizes = [
        f"{size.micro_batch_size} × {size.gradient_accumulation} accumulated on {_ranks(size.world_size)}"
        for size in plan.sizes
    ]
    shown = sizes if len(sizes) <= 3 else [sizes[0], "…", sizes[-1]]
    return text + (f": {'; '.join(shown)}" if sizes else "")


def _ranks(count: int) -> str:
    return "1 rank" if count == 1 else f"{count} ranks"


def _time(plan: Plan) -> str:
    step = plan.estimated_step_seconds
    if not step:
        why = "offloading depends on the host" if plan.offload != "none" else "no peak TFLOPS is named"
        return f"unknown: {why}, and no finished job of this shape is known here" if plan.sizes else ""
    rate = f"{(plan.tokens_per_step or 0) / step:,.0f} tokens/s"
    start = f"; start {figures.age(plan.start_seconds)}" if plan.start_seconds is not None else ""
    whole = (
        f"{figures.age(plan.estimated_seconds)} for {plan.total_steps:,} steps of "
        if plan.estimated_seconds is not None
        else "steps of "
    )
    length = "" if plan.estimated_seconds is not None else "; the number of steps depends on the data"
    return f"{whole}{_seconds(step)}, {rate}{start}{length}"


def _cost(plan: Plan) -> str:
    if plan.estimated_gpu_hours is None:
        return ""
    cost = "" if plan.estimated_cost is None else f", {plan.estimated_cost:,.2f} at the profile's price"
    return f"{plan.estimated_gpu_hours:,.1f} GPU-hours{cost}"


def _seconds(seconds: float) -> str:
    """`0.42 s`, `7.8 s`, `3m`."""
    return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s" if seconds < 120 else figures.age(seconds)
