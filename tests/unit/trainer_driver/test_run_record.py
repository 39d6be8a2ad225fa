"""Whose a run directory is: created, reopened, refused, adopted."""

import json

import pytest

from trivium_trainer.config import RunConfig
from trivium_trainer.failure import FailureClass, TrainingError
from trivium_trainer.run_record import open_run_directory


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.setenv("TRIVIUM_MOUNT_ROOT", str(tmp_path))

    def build(*, uid="a", digest="1", continue_from=None):
        return RunConfig.model_validate(
            {
                "job": {"kind": "SFTJob", "namespace": "n", "name": "bot", "uid": uid, "specDigest": digest},
                "stage": "prepare",
                "recipe": "sft",
                "runs": "/runs",
                "continueFrom": continue_from,
                "model": {"source": {"path": "/model"}},
                "data": {"train": [{"name": "train[0]", "source": {"path": "/data"}}]},
            }
        )

    return build


def test_a_directory_is_opened_again_by_the_same_job(config):
    first = open_run_directory(config())
    assert open_run_directory(config()) == first
    assert json.loads(first.record.read_text()) == {"uid": "a", "specDigest": "1", "adoptedBy": []}


def test_a_directory_of_another_spec_is_refused_and_left_alone(config):
    record = open_run_directory(config()).record
    before = record.read_text()
    with pytest.raises(TrainingError, match="another digest") as refused:
        open_run_directory(config(digest="2"))
    assert refused.value.failure_class is FailureClass.USER_ERROR
    assert record.read_text() == before


def test_an_earlier_run_with_the_same_digest_is_adopted_by_every_later_uid(config):
    earlier = open_run_directory(config())
    assert open_run_directory(config(uid="b", continue_from="a")) == earlier
    open_run_directory(config(uid="b", continue_from="a"))
    open_run_directory(config(uid="c", continue_from="a"))
    assert json.loads(earlier.record.read_text())["adoptedBy"] == ["b", "c"]


def test_an_earlier_run_with_another_digest_is_not_adopted(config):
    open_run_directory(config())
    with pytest.raises(TrainingError, match="RunDirectoryTaken"):
        open_run_directory(config(uid="b", digest="2", continue_from="a"))


def test_a_run_that_is_not_there_cannot_be_continued(config):
    with pytest.raises(TrainingError, match="NothingToContinue"):
        open_run_directory(config(uid="b", continue_from="a"))


def test_a_record_that_cannot_be_read_is_refused_not_replaced(config):
    record = open_run_directory(config()).record
    record.write_text("{torn")
    with pytest.raises(TrainingError, match="cannot be read"):
        open_run_directory(config())
    assert record.read_text() == "{torn"


def test_a_claim_that_cannot_be_written_is_told_as_infrastructure(config, tmp_path):
    (tmp_path / "runs").write_text("a file where a folder should be")
    with pytest.raises(TrainingError) as failed:
        open_run_directory(config())
    assert failed.value.failure_class is FailureClass.INFRASTRUCTURE
