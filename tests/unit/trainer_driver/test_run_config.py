"""What a RunConfig may say of elastic workers and of data that is left out."""

import pytest
from pydantic import ValidationError

from trivium_trainer.config import Parallelism, SkipWindow


def parallelism(*, workers=4, minimum=None, gpus=0, sizes=(4,)):
    cut = [{"world_size": n, "micro_batch_size": 1, "gradient_accumulation": 8} for n in sizes]
    return Parallelism(workers=workers, min_workers=minimum, gpus_per_worker=gpus, sizes=cut)


def test_every_number_of_workers_that_may_occur_must_be_planned():
    assert parallelism(minimum=2, sizes=(2, 3, 4)).min_workers == 2
    assert parallelism(minimum=2, gpus=8, sizes=(16, 24, 32)).min_workers == 2
    with pytest.raises(ValidationError, match="nothing is planned for 3 workers"):
        parallelism(minimum=2, sizes=(2, 4))
    with pytest.raises(ValidationError, match="nothing is planned for 2 workers"):
        parallelism(minimum=2, gpus=8, sizes=(2, 3, 4))


def test_the_minimum_is_at_most_the_number_of_workers():
    with pytest.raises(ValidationError, match="5 is more than workers: 4"):
        parallelism(minimum=5)


def test_without_a_minimum_one_size_is_enough():
    assert parallelism().min_workers is None


def test_a_window_cannot_begin_in_data_that_the_kept_checkpoint_has_trained():
    assert SkipWindow(data_step=6, steps=1, rollback_to=5).data_step == 6
    with pytest.raises(ValidationError, match="data step 5 was trained before the checkpoint 5"):
        SkipWindow(data_step=5, steps=1, rollback_to=5)
