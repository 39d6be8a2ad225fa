"""Errors of torch that have a name: what ran out of memory, and what is no number any more."""

import contextlib
import math
from collections.abc import Iterator

import torch

from trivium_trainer.failure import DivergedError, FailureClass, TrainingError

# torch raises a plain RuntimeError where the CPU's allocator fails; the text is the only mark (torch 2.13).
CPU_ALLOCATOR_MARKS = ("DefaultCPUAllocator: can't allocate memory", "DefaultCPUAllocator: not enough memory")


@contextlib.contextmanager
def named_memory_errors(*, micro_batch_size: int) -> Iterator[None]:
    """Turn every form of running out of memory into OutOfMemory, which the operator answers with a smaller batch."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise _out_of_memory(error, micro_batch_size=micro_batch_size) from error
    except RuntimeError as error:
        if any(mark in str(error) for mark in CPU_ALLOCATOR_MARKS):
            raise _out_of_memory(error, micro_batch_size=micro_batch_size) from error
        raise


def check_finite(*, step: int, data_step: int, loss: float, grad_norm: float | None) -> None:
    """Stop at the first number that is none: every later step would only spread it. Raises DivergedError.

    `step` and `data_step` are counted from 1; a rollback leaves the data step out.
    """
    name, value = ("loss", loss) if not math.isfinite(loss) else ("gradient norm", grad_norm)
    if value is None or math.isfinite(value):
        return
    what = "NaN" if math.isnan(value) else "infinite"
    place = f"step {step}" if step == data_step else f"step {step} (data step {data_step})"
    raise DivergedError(
        "LossIsNaN" if name == "loss" and math.isnan(value) else "NumbersOverflow",
        f"The {name} became {what} at {place}.",
        remedy="Lower optimization.learningRate, raise warmupFraction, or set gradientClip to 1.0.",
        step=step,
        data_step=data_step,
    )


def _out_of_memory(error: BaseException, *, micro_batch_size: int) -> TrainingError:
    first_line = str(error).splitlines()[0][:300] if str(error) else type(error).__name__
    smaller = "Lower optimization.microBatchSize" if micro_batch_size > 1 else "Lower data.maxLength"
    return TrainingError(
        FailureClass.OUT_OF_MEMORY,
        "OutOfMemory",
        f"Memory ran out at micro-batch size {micro_batch_size}: {first_line}",
        remedy=f"{smaller}, switch gradientCheckpointing on, raise zeroStage, or use a profile with more memory.",
    )
