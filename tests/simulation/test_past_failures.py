"""Histories that once failed, shrunk and kept: each file in histories/ names the bug that it found."""

from pathlib import Path

import pytest

from simulator.history import play
from simulator.script import load

HISTORIES = sorted((Path(__file__).parent / "histories").glob("*.json"))


def test_there_are_histories_to_play():
    assert HISTORIES


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
def test_a_history_that_once_failed_does_not_fail_again(path):
    result = play(load(path.read_text()))
    assert not result.failed, str(result)
