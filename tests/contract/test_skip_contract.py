"""The windows that the operator decides on after divergences, as the trainer understands them: written apart, held together.

Histories of divergences: each time some checkpoints are kept and one later step is bad. The operator's choice must be a
window that the trainer accepts, both must count data steps alike, and the run must go on without losing sight of what it
has trained and without meeting the bad data again.
"""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from trivium.api.failure_classes import FailureClass
from trivium.api.recovery import OnDivergence
from trivium.api.status import Attempt, CheckpointStatus, Failure
from trivium.domain.rollback import choose_skip, data_step_of
from trivium_trainer.checkpoint.marker import Marker
from trivium_trainer.checkpoint.rollback import stands
from trivium_trainer.config import SkipWindow
from trivium_trainer.data import skips as trainer

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DIVERGENCES = st.lists(
    st.tuples(
        st.lists(st.integers(1, 200), min_size=1, max_size=4, unique=True).map(sorted),  # checkpoints kept
        st.integers(1, 60),  # the bad step lies so far behind the last
        st.integers(1, 80),  # skipSteps
    ),
    min_size=1,
    max_size=3,
)


def checkpoint(step, skips):
    counts = {"step": step, "tokens": step, "world_size": 1, "zero_stage": 0}
    return Marker(
        **counts, global_batch_size=8, micro_batch_size=8, data_digest="d", model_digest="m", skips=skips, files=[]
    )


@given(DIVERGENCES)
def test_whatever_the_operator_leaves_out_the_trainer_goes_on_where_the_checkpoint_stands(divergences):
    decided, told = (), []
    for kept, behind, skip_steps in divergences:
        bad_step = kept[-1] + behind
        bad = trainer.data_step_of(bad_step, told)
        skip = choose_skip(
            Attempt(
                number=1,
                stage="train",
                ray_job="r",
                started_at=NOW,
                failure=Failure(
                    failure_class=FailureClass.DIVERGED, reason="LossIsNaN", message="m", step=bad_step, data_step=bad
                ),
            ),
            checkpoint=CheckpointStatus(step=kept[-1], uri="u", at=NOW, kept=tuple(kept)),
            skips=decided,
            rule=OnDivergence(max_rollbacks=3, skip_steps=skip_steps),
            now=NOW,
        )
        window = SkipWindow(data_step=skip.data_step, steps=skip.steps, rollback_to=skip.rollback_to)
        before, told, decided = told, [*told, window], (*decided, skip)

        steps = range(1, 301)
        assert [trainer.data_step_of(step, told) for step in steps] == [data_step_of(step, decided) for step in steps]
        standing = [step for step in kept if stands(checkpoint(step, before), told)]
        assert standing == [step for step in kept if step <= skip.rollback_to]
        for step in range(1, skip.rollback_to + 1):
            assert trainer.data_step_of(step, told) == trainer.data_step_of(step, before)
        assert bad not in {trainer.data_step_of(step, told) for step in steps}
