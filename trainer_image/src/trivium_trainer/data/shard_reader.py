"""One shard: the tokens of one part of the input, as plain arrays that the operating system pages in.

<shards>/<source>-<part>/
    tokens.npy          uint16 or uint32 [T]   all examples one after another
    trained.npy         bool [T]               which tokens are trained; absent in pre-training, where all are
    lengths.npy         int32 [E, S]           tokens of each segment; S = 1, in preferences 3: prompt, chosen, rejected
    trained_counts.npy  int32 [E]              trained tokens of each example
    held_out.npy        bool [E]
    marker.json         written last: without it the folder does not count

No file needs pickle: `allow_pickle` is off.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

TOKENS, TRAINED, LENGTHS = "tokens.npy", "trained.npy", "lengths.npy"
TRAINED_COUNTS, HELD_OUT, MARKER = "trained_counts.npy", "held_out.npy", "marker.json"


def load_array(path: Path) -> NDArray[np.generic]:
    """A read-only memory map, or an empty array: an empty file cannot be mapped."""
    header = np.load(path, mmap_mode="r", allow_pickle=False)
    return np.asarray(header) if header.size == 0 else header


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """The token arrays of one shard; the per-example arrays are only read when an index is built."""

    tokens: NDArray[np.generic]
    trained: NDArray[np.bool_] | None

    @classmethod
    def open(cls, folder: Path) -> "Shard":
        """Maps the arrays; no byte is read until it is used."""
        trained = folder / TRAINED
        return cls(
            tokens=load_array(folder / TOKENS),
            trained=load_array(trained).astype(np.bool_, copy=False) if trained.exists() else None,
        )
