"""How long a run is: epochs or tokens become optimizer steps, and samples become tokens."""

from math import ceil

from trivium.api import Job, PretrainJob
from trivium.api.inspection import Inspection
from trivium.planning import defaults
from trivium.planning.refusal import PlanError

_ROUNDING = 1e-9  # 3.0 epochs of 0.1 are 0.30000000000000004: without it a run gets one step too many


def steps_of_epochs(*, epochs: float, train_sequences: int, global_batch: int) -> int:
    """Steps that pass the data `epochs` times; at least one. Units of the global batch: sequences."""
    return max(1, ceil(epochs * train_sequences / global_batch - _ROUNDING))


def steps_of_tokens(*, tokens: int, train_tokens: int, train_sequences: int, global_batch: int) -> int:
    """Steps that train at least `tokens` tokens, at the data's mean of trained tokens per sequence; at least one."""
    # Whole numbers: 15T tokens are more than a float counts exactly.
    return max(1, -(-tokens * train_sequences // (train_tokens * global_batch)))


def total_steps(job: Job, *, inspection: Inspection | None) -> int:
    """Optimizer steps of the run; 0 while the data has not been seen and the length depends on it.

    Raises PlanError where no trained token is left.
    """
    optimization = job.spec.optimization
    if optimization.steps is not None:
        return optimization.steps
    if inspection is None:
        return _steps_of_packed_rows(job)
    if inspection.train_sequences == 0 or inspection.train_tokens == 0:
        raise PlanError(
            "spec.data.train",
            f"{inspection.train_sequences} sequences with {inspection.train_tokens} trained tokens are left",
            "Add data, or raise data.maxLength so that answers are not cut away.",
        )
    batch = optimization.global_batch_size
    if optimization.tokens is not None:
        return steps_of_tokens(
            tokens=optimization.tokens.to_int(),
            train_tokens=inspection.train_tokens,
            train_sequences=inspection.train_sequences,
            global_batch=batch,
        )
    passes = defaults.epochs(job)
    assert passes is not None, "the rule length-union leaves epochs, steps, tokens or a default"
    return steps_of_epochs(epochs=passes, train_sequences=inspection.train_sequences, global_batch=batch)


def _steps_of_packed_rows(job: Job) -> int:
    """Before the data has been seen: pre-training fills every row, so a number of tokens is a number of steps."""
    tokens = job.spec.optimization.tokens
    if tokens is None or not isinstance(job, PretrainJob):
        return 0
    row = job.spec.data.max_length
    batch = job.spec.optimization.global_batch_size
    return steps_of_tokens(tokens=tokens.to_int(), train_tokens=row, train_sequences=1, global_batch=batch)


def tokens_per_sample(job: Job, *, inspection: Inspection | None) -> float:
    """Mean tokens that a sample of the global batch (for preferences: a pair) puts through the model.

    Before the data has been seen, as many as fit: an upper bound, exact where rows are packed.
    """
    most = defaults.sequences_per_sample(job) * (inspection.max_length if inspection else job.spec.data.max_length)
    if inspection is None or inspection.packing:
        return float(most)
    seen = sum(source.tokens for source in inspection.sources)
    return seen / inspection.train_sequences if seen and inspection.train_sequences else float(most)
