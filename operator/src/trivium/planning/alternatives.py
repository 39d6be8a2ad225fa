"""Other plans for the same job: for one that does not fit the nearest that do, for one that fits what else it could be.

Each is an edit of the manifest that was applied, checked by the API's rules and planned; none is a guess.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from trivium.api import Job, PretrainJob
from trivium.api.inspection import Inspection
from trivium.api.plan_status import Plan
from trivium.planning.edits import Edit, apply_edit
from trivium.planning.refusal import DoesNotFitError, PlanError
from trivium.planning.train_plan import PlanInput, plan_training

_SHORTEST_LENGTH = 256
_MOST_DOUBLINGS = 6
_TIGHT = 0.7
"""Share of the device's memory from which saving it is worth being shown."""
_ADAPTER: dict[str, Any] = {"lora": {"rank": 16}}
_ADAPTER_REMARK = " to train an adapter instead of all weights"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """An edit and the plan that it gives."""

    edit: Edit
    plan: Plan


def ways_out(given: PlanInput, error: DoesNotFitError) -> tuple[str, ...]:
    """Sentences for a refusal, the smallest change of the job's meaning first; empty if nothing was found."""
    fitting = alternatives_to_refusal(given, workers=error.workers)
    return tuple(one.edit.sentence for one in fitting)


def alternatives_to_refusal(given: PlanInput, *, workers: int) -> tuple[Alternative, ...]:
    """The nearest plans that fit: single changes, or two at once where no single one is enough."""
    if given.previous is not None and not given.previous.provisional:
        # It has been planned with a seen model: only its size can still be changed.
        sizes = (_fixed_size(given, workers=workers), _more_workers(given, workers=workers))
        return tuple(found for some in sizes for found in _first_that_fits(given, some))
    single = (
        *_first_that_fits(given, _free_micro_batch(given)),
        *_first_that_fits(given, _checkpointing(given.job)),
        *_first_that_fits(given, _higher_stages(given)),
        *_first_that_fits(given, _offloads(given)),
        *_first_that_fits(given, _fixed_size(given, workers=workers)),
        *_first_that_fits(given, _more_workers(given, workers=workers)),
        *_first_that_fits(given, _shorter(given.job)),
        *_first_that_fits(given, _adapters(given)),
    )
    if single:
        return single
    both = (more + less for more in _more_workers(given, workers=workers) for less in _shorter(given.job))
    adapted = (adapter + less for adapter in _adapters(given) for less in _shorter(given.job))
    return (*_first_that_fits(given, both), *_first_that_fits(given, adapted))


def alternatives_to_plan(given: PlanInput, *, plan: Plan) -> tuple[Alternative, ...]:
    """What a person may weigh against a plan that fits: other sizes, less memory, an adapter."""
    memory = plan.memory_per_gpu
    is_tight = memory is not None and memory.needed > _TIGHT * memory.available
    halves = [Edit(values=(("compute.workers", plan.workers // 2),))] if plan.workers % 2 == 0 else []
    edits = (
        halves,
        _more_workers(given, workers=plan.workers),
        _offloads(given) if is_tight else (),
        _adapters(given),
        _precomputed_reference(given.job) if is_tight else (),
    )
    return tuple(found for some in edits for found in _first_that_fits(given, iter(some)))


def try_edit(given: PlanInput, edit: Edit) -> Alternative | None:
    """The plan after an edit; None if the API or the planner refuses it."""
    job = apply_edit(given.job, edit)
    if job is None:
        return None
    changed = replace(given, job=job, workers=None, inspection=_shortened(given.inspection, job=job))
    try:
        return Alternative(edit=edit, plan=plan_training(changed))
    except PlanError:
        return None


def _first_that_fits(given: PlanInput, edits: Iterator[Edit]) -> Iterator[Alternative]:
    for edit in edits:
        found = try_edit(given, edit)
        if found is not None:
            yield found
            return


def _shortened(inspection: Inspection | None, *, job: Job) -> Inspection | None:
    """The inspection as far as a shorter maxLength changes it: packed rows become more, others shorter."""
    length = job.spec.data.max_length
    if inspection is None or inspection.max_length <= length:
        return inspection
    changes: dict[str, Any] = {"max_length": length}
    if inspection.packing:
        changes["train_sequences"] = -(-inspection.train_sequences * inspection.max_length // length)
    return inspection.model_copy(update=changes)


def _free_micro_batch(given: PlanInput) -> Iterator[Edit]:
    if given.job.spec.optimization.micro_batch_size == "auto":
        return
    free = try_edit(given, Edit(values=(("optimization.microBatchSize", "auto"),)))
    if free is not None and free.plan.sizes:
        # As a number, because a person who wrote a number wants one.
        micro = min(size.micro_batch_size for size in free.plan.sizes)
        yield Edit(values=(("optimization.microBatchSize", micro),))
        yield free.edit


def _checkpointing(job: Job) -> Iterator[Edit]:
    if job.spec.parallelism.gradient_checkpointing == "disabled":
        yield Edit(values=(("parallelism.gradientCheckpointing", "enabled"),))


def _higher_stages(given: PlanInput) -> Iterator[Edit]:
    stage = given.job.spec.parallelism.zero_stage
    if stage != "auto":
        for higher in range(stage + 1, 4):
            yield Edit(values=(("parallelism.zeroStage", higher),))


def _offloads(given: PlanInput) -> Iterator[Edit]:
    if given.profile.spec.gpu is not None and given.job.spec.parallelism.offload == "none":
        yield Edit(values=(("parallelism.offload", "optimizer"),), remark=", which is slower")
        yield Edit(values=(("parallelism.offload", "parameters"),), remark=", which is much slower")


def _fixed_size(given: PlanInput, *, workers: int) -> Iterator[Edit]:
    """Of an elastic job the smallest size is the one that has to fit: the least minimum at which it does."""
    fewest = given.job.spec.compute.min_workers
    if fewest is None or try_edit(given, _minimum(workers)) is None:
        return
    # More ranks never need more memory each, so the sizes that fit are the upper ones.
    too_few, enough = fewest, workers
    while enough - too_few > 1:
        middle = (too_few + enough) // 2
        too_few, enough = (middle, enough) if try_edit(given, _minimum(middle)) is None else (too_few, middle)
    yield _minimum(enough)


def _minimum(workers: int) -> Edit:
    return Edit(values=(("compute.minWorkers", workers),))


def _more_workers(given: PlanInput, *, workers: int) -> Iterator[Edit]:
    elastic = given.job.spec.compute.min_workers is not None
    for power in range(1, _MOST_DOUBLINGS + 1):
        count = workers * 2**power
        if given.most_workers is not None and count > given.most_workers:
            return
        fixed = (("compute.minWorkers", count),) if elastic else ()
        yield Edit(values=(("compute.workers", count), *fixed))


def _shorter(job: Job) -> Iterator[Edit]:
    length = job.spec.data.max_length // 2
    while length >= _SHORTEST_LENGTH:
        yield Edit(values=(("data.maxLength", length),))
        length //= 2


def _adapters(given: PlanInput) -> Iterator[Edit]:
    """LoRA, then QLoRA; for pre-training from scratch neither makes sense."""
    job = given.job
    if isinstance(job, PretrainJob) and job.spec.model.architecture is not None:
        return
    if job.spec.adapter is None:
        yield Edit(values=(("adapter", _ADAPTER),), remark=_ADAPTER_REMARK)
        yield Edit(values=(("adapter", {**_ADAPTER, "quantization": "nf4"}),), remark=_ADAPTER_REMARK)
    elif job.spec.adapter.quantization == "none":
        yield Edit(values=(("adapter.quantization", "nf4"),), remark=" to hold the frozen weights in 4 bits")


def _precomputed_reference(job: Job) -> Iterator[Edit]:
    if job.kind == "PreferenceJob" and job.spec.adapter is None:
        yield Edit(values=(("method.dpo.reference", "precomputed"),))
