"""The nearest plans that do fit: each is tried, then said as the YAML to change."""

from collections.abc import Iterator
from dataclasses import replace

from trivium.planning.fit import FitRequest, find_fit
from trivium.planning.parameters import count_adapter

_SHORTEST_LENGTH = 256
_MOST_DOUBLINGS = 6
_ADAPTER_RANK = 16


def ways_to_fit(request: FitRequest, *, workers: int, may_use_adapter: bool) -> tuple[str, ...]:
    """Sentences for a refusal, the smallest change of the job's meaning first; empty if nothing was found."""
    single = (
        *_smaller_micro_batch(request),
        *_other_choices(request),
        *_offload(request),
        *_more_workers(request, workers=workers),
        *_shorter(request),
        *(_adapter(request) if may_use_adapter else ()),
    )
    return single or tuple(_more_workers_and_shorter(request, workers=workers))


def _smaller_micro_batch(request: FitRequest) -> Iterator[str]:
    if request.micro_batch is not None and (fit := find_fit(replace(request, micro_batch=None))) is not None:
        yield f"Set optimization.microBatchSize: {fit.cuts[0].micro_batch}, or auto."


def _other_choices(request: FitRequest) -> Iterator[str]:
    """What the job has fixed by itself and could leave to us."""
    if request.checkpointing == (False,) and find_fit(replace(request, checkpointing=(True,))) is not None:
        yield "Set parallelism.gradientCheckpointing: enabled."
    if len(request.zero_stages) == 1 and request.zero_stages[0] < 3 and not request.work.quantized:
        stage = request.zero_stages[0]
        for higher in range(stage + 1, 4):
            if find_fit(replace(request, zero_stages=(higher,))) is not None:
                yield f"Set parallelism.zeroStage: {higher}."
                return


def _offload(request: FitRequest) -> Iterator[str]:
    if request.work.offload != "none" or not request.work.gpu:
        return
    offloaded = replace(
        request,
        work=replace(request.work, offload="optimizer"),
        zero_stages=tuple(stage for stage in request.zero_stages if stage > 0),
    )
    if offloaded.zero_stages and find_fit(offloaded) is not None:
        yield "Set parallelism.offload: optimizer, which is slower."


def _more_workers(request: FitRequest, *, workers: int) -> Iterator[str]:
    for times in _times_more_workers(request):
        if find_fit(_enlarged(request, times=times)) is not None:
            yield f"Set compute.workers: {workers * times}."
            return


def _shorter(request: FitRequest) -> Iterator[str]:
    for length in _shorter_lengths(request):
        if find_fit(_shortened(request, length=length)) is not None:
            yield f"Set data.maxLength: {length}."
            return


def _more_workers_and_shorter(request: FitRequest, *, workers: int) -> Iterator[str]:
    """Two changes, where no single one is enough: the fewest workers first."""
    for times in _times_more_workers(request):
        for length in _shorter_lengths(request):
            if find_fit(_enlarged(_shortened(request, length=length), times=times)) is not None:
                yield f"Set compute.workers: {workers * times} and data.maxLength: {length}."
                return


def _times_more_workers(request: FitRequest) -> Iterator[int]:
    for power in range(1, _MOST_DOUBLINGS + 1):
        worlds = _enlarged(request, times=2**power).world_sizes
        if all(request.global_batch % (world * (request.micro_batch or 1)) == 0 for world in worlds):
            yield 2**power


def _enlarged(request: FitRequest, *, times: int) -> FitRequest:
    return replace(request, world_sizes=tuple(world * times for world in request.world_sizes))


def _shorter_lengths(request: FitRequest) -> Iterator[int]:
    length = request.work.max_length // 2
    while length >= _SHORTEST_LENGTH:
        yield length
        length //= 2


def _shortened(request: FitRequest, *, length: int) -> FitRequest:
    return replace(request, work=replace(request.work, max_length=length))


def _adapter(request: FitRequest) -> Iterator[str]:
    work = request.work
    if work.adapter_rank or work.architecture is None or work.architecture.experts:
        return
    trainable = count_adapter(work.architecture, rank=_ADAPTER_RANK, target_modules="all-linear")
    adapted = replace(work, trainable=trainable, adapter_rank=_ADAPTER_RANK, reference_copy=False)
    if find_fit(replace(request, work=adapted)) is not None:
        yield f"Add adapter: {{lora: {{rank: {_ADAPTER_RANK}}}}} to train an adapter instead of all weights."
