"""One writer a state folder, and readers that do not disturb it."""

import os
from pathlib import Path

import pytest

from trivium.local.state_folder import StateFolder, StateLock, StateLockedError, lock_holder


def test_a_second_writer_is_told_who_holds_the_folder(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path / "state")
    with StateLock(folder), pytest.raises(StateLockedError) as refusal:
        StateLock(folder).acquire()
    assert refusal.value.pid == os.getpid()


def test_asking_who_holds_the_lock_takes_nothing(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    assert lock_holder(folder.lock_file) is None
    with StateLock(folder):
        assert lock_holder(folder.lock_file) == os.getpid()
        with pytest.raises(StateLockedError):
            StateLock(folder).acquire()
    assert lock_holder(folder.lock_file) is None


def test_a_released_folder_can_be_taken_again(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    with StateLock(folder):
        pass
    with StateLock(folder):
        assert lock_holder(folder.lock_file) == os.getpid()
