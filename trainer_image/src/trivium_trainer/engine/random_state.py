"""Random states: seeded once per rank, forked around evaluation and sampling, saved with every checkpoint."""

import contextlib
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch


def seed_all_ranks_alike(seed: int) -> None:
    """The state in which a model is initialized: the same on every rank, at every world size."""
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002  libraries below us use the global state
    torch.manual_seed(seed)


def seed_rank(seed: int, *, rank: int) -> None:
    """The state in which a rank trains: dropout differs between ranks, and does not depend on the model's size."""
    seed_all_ranks_alike(seed * 1_000_003 + rank + 1)


def capture() -> dict[str, Any]:
    """All random states of this process."""
    state: dict[str, Any] = {
        "python": random.getstate(),
        "numpy": np.random.get_state(),  # noqa: NPY002  see above
        "torch": torch.get_rng_state(),
    }
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state()
    return state


def restore(state: dict[str, Any]) -> None:
    """Put back what `capture` took."""
    random.setstate(state["python"])
    np.random.set_state(state["numpy"])  # noqa: NPY002  see above
    torch.set_rng_state(state["torch"])
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])


@contextlib.contextmanager
def forked(seed: int | None = None) -> Iterator[None]:
    """What happens inside leaves no trace in the training's random numbers."""
    state = capture()
    try:
        if seed is not None:
            seed_all_ranks_alike(seed)
        yield
    finally:
        restore(state)


def make_deterministic() -> None:
    """Bit-exact kernels on GPU, at their cost in speed; a CPU run is exact anyway."""
    torch.use_deterministic_algorithms(mode=True)
    torch.backends.cudnn.benchmark = False
