"""Which ZeRO stage, with or without checkpointing, and which micro-batch: the least communication that fits.

Stages are tried from the one that communicates least; within a stage, keeping activations before computing them again.
The first choice whose micro-batch keeps the device busy wins; where none does, the one with the largest micro-batch.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil

from trivium.planning.batch import BatchCut, cut_batch
from trivium.planning.memory import MemoryBreakdown, Workload, estimate_memory, host_bytes

# Tokens of a micro-batch from which a device is busy, and beyond which more only costs memory. Guesses, by device.
_BUSY_TOKENS = {True: 2048, False: 256}
_MOST_TOKENS = {True: 32_768, False: 4096}


@dataclass(frozen=True, slots=True, kw_only=True)
class FitRequest:
    """What has to fit, where, and what may be chosen."""

    work: Workload
    global_batch: int
    world_sizes: tuple[int, ...]
    """Allowed numbers of ranks, from the smallest; each divides the global batch."""
    zero_stages: tuple[int, ...]
    """In the order of preference."""
    checkpointing: tuple[bool, ...]
    """In the order of preference."""
    micro_batch: int | None
    """None: the planner chooses."""
    available: int
    """Bytes of one rank's device."""
    host_available: int
    """Bytes of one rank's share of its pod's memory, for what is offloaded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """A choice that fits at every allowed number of ranks."""

    zero_stage: int
    checkpointing: bool
    cuts: tuple[BatchCut, ...]
    """One for each number of ranks, in the request's order."""
    memory: MemoryBreakdown
    """At the number of ranks that needs most: of an elastic run usually the smallest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One choice that was weighed, for those who ask why."""

    zero_stage: int
    checkpointing: bool
    micro_batch: int
    """At the largest number of ranks; of one that does not fit, the smallest that was tried."""
    memory: MemoryBreakdown
    fits: bool
    busy: bool
    """Whether the micro-batch keeps the device busy."""


def find_fit(request: FitRequest) -> Fit | None:
    """The best choice, None if nothing fits."""
    busy = _busy_micro_batch(request)
    best: Fit | None = None
    for fit in _fits(request):
        if fit.cuts[-1].micro_batch >= busy or request.micro_batch is not None:
            return fit
        if best is None or fit.cuts[-1].micro_batch > best.cuts[-1].micro_batch:
            best = fit
    return best


def weigh_choices(request: FitRequest) -> tuple[Candidate, ...]:
    """Every choice that was open, in the order of preference, each at its largest micro-batch."""
    busy = _busy_micro_batch(request)
    return tuple(
        _weigh(request, stage=stage, ckpt=ckpt, busy=busy)
        for stage in request.zero_stages
        for ckpt in request.checkpointing
    )


def _weigh(request: FitRequest, *, stage: int, ckpt: bool, busy: int) -> Candidate:
    fit = _fit_of(request, stage=stage, ckpt=ckpt)
    micro = fit.cuts[-1].micro_batch if fit else request.micro_batch or 1
    memory = _memory(request, stage=stage, world=request.world_sizes[0], micro=micro, ckpt=ckpt)
    return Candidate(
        zero_stage=stage,
        checkpointing=ckpt,
        micro_batch=micro,
        memory=fit.memory if fit else memory,
        fits=fit is not None,
        busy=micro >= busy,
    )


def _busy_micro_batch(request: FitRequest) -> int:
    per_rank = request.global_batch // request.world_sizes[-1]
    return min(per_rank, ceil(_BUSY_TOKENS[request.work.gpu] / _tokens_per_sample(request.work)))


def smallest_need(request: FitRequest) -> tuple[int, MemoryBreakdown]:
    """(ZeRO stage, memory) of the choice that needs least: what a refusal shows."""
    needs = [
        (stage, _memory(request, stage=stage, world=request.world_sizes[0], micro=request.micro_batch or 1, ckpt=ckpt))
        for stage in request.zero_stages
        for ckpt in request.checkpointing
    ]
    return min(needs, key=lambda need: need[1].total)


def _fits(request: FitRequest) -> Iterator[Fit]:
    for stage in request.zero_stages:
        for ckpt in request.checkpointing:
            fit = _fit_of(request, stage=stage, ckpt=ckpt)
            if fit is not None:
                yield fit


def _fit_of(request: FitRequest, *, stage: int, ckpt: bool) -> Fit | None:
    """One choice at every allowed number of ranks, each with its largest micro-batch; None if one does not fit."""
    cuts = tuple(_largest_cut(request, stage=stage, world=world, ckpt=ckpt) for world in request.world_sizes)
    fitting = tuple(cut for cut in cuts if cut is not None)
    if len(fitting) < len(cuts):
        return None
    needs = (_memory(request, stage=stage, world=cut.world_size, micro=cut.micro_batch, ckpt=ckpt) for cut in fitting)
    return Fit(zero_stage=stage, checkpointing=ckpt, cuts=fitting, memory=max(needs, key=lambda need: need.total))


def _largest_cut(request: FitRequest, *, stage: int, world: int, ckpt: bool) -> BatchCut | None:
    if host_bytes(request.work, zero_stage=stage, world_size=world) > request.host_available:
        return None
    for micro in _candidates(request, world=world):
        need = _memory(request, stage=stage, world=world, micro=micro, ckpt=ckpt)
        if need.total <= request.available:
            return cut_batch(global_batch=request.global_batch, world_size=world, largest_micro_batch=micro)
    return None


def _candidates(request: FitRequest, *, world: int) -> Sequence[int]:
    """Micro-batches without a remainder, from the largest that is worth its memory."""
    if request.micro_batch is not None:
        return (request.micro_batch,)
    per_rank = request.global_batch // world
    most = max(1, _MOST_TOKENS[request.work.gpu] // _tokens_per_sample(request.work))
    return [micro for micro in range(min(per_rank, most), 0, -1) if per_rank % micro == 0]


def _memory(request: FitRequest, *, stage: int, world: int, micro: int, ckpt: bool) -> MemoryBreakdown:
    return estimate_memory(
        request.work,
        zero_stage=stage,
        world_size=world,
        micro_batch=micro,
        checkpointing=ckpt,
        available=request.available,
        accumulates=world * micro < request.global_batch,
    )


def _tokens_per_sample(work: Workload) -> int:
    return work.sequences_per_sample * work.max_length
