"""What a recipe needs of the process it runs in: its rank, a pulse, a place for news, and the wish to stop.

`driver/` gives each Ray Train worker a real one; tests pass their own. Recipes know neither Ray nor HTTP.
"""

from typing import Any, Protocol

from trivium_trainer.progress import Doing
from trivium_trainer.report_data import Line


class Session(Protocol):
    """One rank's view of its attempt. None of these calls blocks on the network or raises for it."""

    @property
    def rank(self) -> int: ...

    @property
    def world_size(self) -> int: ...

    @property
    def local_rank(self) -> int: ...

    def beat(self, activity: Doing) -> None:
        """Say what this rank does now and that it lives: at the start of each activity and after every step.

        After a step it comes when the step has been told (`progress`), so that the step's time is the step's.
        """

    def progress(self, **fields: Any) -> None:
        """Merge fields of ProgressReport into the newest state; rank 0's reporter posts it, others ignore it."""

    def write(self, line: Line) -> None:
        """Append a line to the stage's report data; rank 0 only, others ignore it."""

    def stop_requested(self) -> bool:
        """Whether the operator asked for checkpointAndStop. Only rank 0 knows: the recipe broadcasts it."""

    def save_requested(self) -> bool:
        """Whether a checkpoint is wanted now, because a node is about to go: True once for each such news.

        As with stop_requested, only rank 0 knows.
        """
