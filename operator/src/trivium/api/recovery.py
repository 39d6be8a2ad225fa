"""What happens after a failure."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from trivium.api.block import Block, Seconds
from trivium.api.mutability import Change
from trivium.api.rules import Rule

MAX_ROLLBACKS = 16
"""Far more than help, and it bounds status.skips."""


class Backoff(Block):
    """The pause before the next attempt: it doubles from initialSeconds up to maxSeconds."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            name="backoff-order",
            cel="self.initialSeconds <= self.maxSeconds",
            message="initialSeconds is above maxSeconds. Lower it, or raise maxSeconds.",
            holds=lambda backoff: backoff.initial_seconds <= backoff.max_seconds,
            path="initialSeconds",
        ),
    )

    initial_seconds: Annotated[int, Field(ge=0, le=86_400)] = 10
    """Pause before the first new attempt."""
    max_seconds: Annotated[int, Field(ge=0, le=86_400)] = 600
    """Longest pause."""


class OnDivergence(Block):
    """What happens when the loss or the gradients are no numbers any more."""

    action: Literal["rollback", "fail"] = "rollback"
    """rollback: the next attempt goes on from the checkpoint before the last one and leaves out the batches up to the
    bad one, for the same batches would diverge again. fail: the job ends.
    """
    max_rollbacks: Annotated[int, Field(ge=0, le=MAX_ROLLBACKS)] = 2
    """Rollbacks of a job; the next divergence after them ends it."""
    skip_steps: Annotated[int, Field(ge=1, le=1_000_000)] = 50
    """Optimizer steps' worth of batches that a rollback leaves out, the bad one last. Recorded in status.skips, in the
    checkpoints and in the model card.
    """


class Recovery(Block):
    """What happens after a failure. Preemptions cost nothing of the budget."""

    max_restarts: Annotated[Annotated[int, Field(ge=0, le=1000)], Change.AT_ONCE] = 5
    """Restarts that failures may cost, inside an attempt or by a new one. 0: the first failure ends the job."""
    window_seconds: Annotated[Seconds, Change.AT_ONCE] = 86_400
    """The restart budget is full again after this much progress without a failure."""
    backoff: Annotated[Backoff, Change.AT_ONCE] = Backoff()
    """The pause before the next attempt."""
    on_out_of_memory: Annotated[Literal["reduceMicroBatch", "fail"], Change.AT_ONCE] = "reduceMicroBatch"
    """reduceMicroBatch: the next attempt halves the micro-batch and accumulates more, so globalBatchSize stays the
    same.
    """
    on_divergence: Annotated[OnDivergence, Change.AT_ONCE] = OnDivergence()
    """What happens when training diverges."""
    exclude_failed_nodes: Annotated[bool, Change.NEXT_ATTEMPT] = True
    """Whether the next attempts keep away from nodes that failed one (status.excludedNodes), as long as there is room
    elsewhere.
    """
    hang_timeout_seconds: Annotated[Annotated[int, Field(ge=10, le=86_400)], Change.NEXT_ATTEMPT] = 600
    """No step in this long is a hang. Ten times this for download, prepare, save and evaluate."""
