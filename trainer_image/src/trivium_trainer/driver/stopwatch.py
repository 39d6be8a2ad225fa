"""Where an attempt's time went, by kind, over all of its starts. Pure: the clock is an argument, in seconds.

    attempt begins                                                       now
    |-- start --|-- restore --|-- step --|save|-- step --X  start  |restore|-- wasted --|-- step --|
                                                         killed                steps again

The kinds are a partition: together they are the attempt's age. A step counts as wasted when an earlier start, of this
attempt or of one before, had come at least as far: it is trained again, because a checkpoint lies behind it.
"""

from collections.abc import Mapping

from trivium_trainer.progress import Doing, SecondsKind


class Stopwatch:
    """Runs from the attempt's begin. `beat` is called whenever the activity changes and after every step."""

    def __init__(
        self,
        *,
        now: float,
        age: float,
        reached: int,
        carried: Mapping[SecondsKind, float],
        first_step_seconds: float | None = None,
    ) -> None:
        """age: of the attempt at `now`; carried: what its earlier starts have counted; reached: the last step that
        any earlier start has trained.
        """
        self._seconds: dict[SecondsKind, float] = dict(carried)
        # What the last start could not count any more, the restart, or the way to the first rank.
        self._add("start", max(0.0, age - sum(carried.values())))
        self._doing: Doing = "start"
        self._since = now
        self._reached = reached
        self._last_step = -1
        self.first_step_seconds = first_step_seconds

    @property
    def seconds(self) -> dict[SecondsKind, float]:
        return dict(self._seconds)

    def beat(self, doing: Doing, *, now: float, step: int) -> None:
        """From now on `doing`; `step`: completed optimizer steps, the one that this beat ends included."""
        is_step = self._doing == "step"
        self._add("wasted" if is_step and step <= self._reached else self._doing, now - self._since)
        if is_step and self.first_step_seconds is None and 0 <= self._last_step < step:
            self.first_step_seconds = sum(self._seconds.values())
        self._doing, self._since, self._last_step = doing, now, step

    def _add(self, kind: SecondsKind, seconds: float) -> None:
        self._seconds[kind] = self._seconds.get(kind, 0.0) + seconds
