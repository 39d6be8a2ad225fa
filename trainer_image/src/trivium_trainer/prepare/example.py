"""One tokenized example: its token ids, and which of them are trained."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokenized:
    """One example. `segments` is one array, or three for a preference: prompt, chosen, rejected."""

    segments: tuple[Ids, ...]
    trained: Mask | None
    """Over the only segment; None: every token (text), or the two completions (preference)."""

    @property
    def length(self) -> int:
        """Tokens as a model sees them: a preference counts with its longer side."""
        if len(self.segments) == 1:
            return len(self.segments[0])
        prompt, chosen, rejected = (len(segment) for segment in self.segments)
        return prompt + max(chosen, rejected)

    @property
    def prompt_length(self) -> int:
        """Tokens before the first trained one."""
        if len(self.segments) > 1:
            return len(self.segments[0])
        return int(np.argmax(self.trained)) if self.trained is not None and self.trained.any() else 0

    @property
    def trained_count(self) -> int:
        """Trained tokens; the very first token of a sequence has nothing before it and is never one."""
        if len(self.segments) > 1:
            lost = 0 if len(self.segments[0]) else 2
            return len(self.segments[1]) + len(self.segments[2]) - lost
        trained = self.trained
        return max(0, len(self.segments[0]) - 1) if trained is None else int(trained[1:].sum())

    def cut(self, max_length: int) -> "Tokenized | None":
        """The first `max_length` tokens; None where nothing trained is left of it, or of one side of it."""
        if len(self.segments) == 1:
            trained = None if self.trained is None else self.trained[:max_length]
            short = Tokenized(segments=(self.segments[0][:max_length],), trained=trained)
            return short if short.trained_count else None
        prompt, chosen, rejected = self.segments
        room = max_length - len(prompt)
        if room <= 0:
            return None
        return Tokenized(segments=(prompt, chosen[:room], rejected[:room]), trained=None)
