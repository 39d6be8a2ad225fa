"""`python -m trivium_trainer check`, bad configurations, signals."""

import os
import signal

import pytest

from trivium_trainer.__main__ import main, read_config
from trivium_trainer.driver.patience import OTHER_ACTIVITIES
from trivium_trainer.driver.signals import Termination
from trivium_trainer.driver.watchdog import Watchdog
from trivium_trainer.failure import FailureClass, TrainingError


@pytest.mark.parametrize("content", [None, "{torn", "{}", '{"job":"s3cret"}', '{"stage":"s3cret"}', '{"s3cret":1'])
def test_a_config_that_is_none_is_the_users_error_and_shows_no_value(tmp_path, monkeypatch, content):
    monkeypatch.setenv("TRIVIUM_MOUNT_ROOT", str(tmp_path))
    if content is not None:
        (tmp_path / "run.json").write_text(content)
    with pytest.raises(TrainingError, match=r"--config: /run\.json") as refused:
        read_config("/run.json")
    assert refused.value.failure_class is FailureClass.USER_ERROR
    assert "s3cret" not in str(refused.value)


def test_a_command_is_needed(capsys):
    with pytest.raises(SystemExit) as left:
        main([])
    assert left.value.code == 2
    assert "check" in capsys.readouterr().err


def test_the_first_signal_asks_and_the_second_insists():
    asked = []
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    termination = Termination()
    try:
        termination.install()
        termination.on_ask(lambda: asked.append(1))
        os.kill(os.getpid(), signal.SIGTERM)
        first = (termination.asked.is_set(), termination.insisted.is_set())
        os.kill(os.getpid(), signal.SIGINT)
        second = (termination.asked.is_set(), termination.insisted.is_set())
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert (first, second, asked) == ((True, False), (True, True), [1])


def test_a_signal_before_there_is_an_attempt_is_not_lost():
    termination = Termination()
    termination._receive(signal.SIGTERM, None)
    asked = []
    termination.on_ask(lambda: asked.append(1))
    assert asked == [1]


def test_silence_in_a_step_is_a_hang_sooner_than_in_anything_else():
    import threading

    heard = {}
    events = {name: threading.Event() for name in ("step", "save")}

    def listen(name):
        def on_hang(activity, silent_seconds):
            heard[activity] = silent_seconds
            events[name].set()

        return on_hang

    watchdogs = {name: Watchdog(0.05, listen(name)) for name in events}
    for name, watchdog in watchdogs.items():
        watchdog.beat(name)
    assert all(event.wait(20) for event in events.values())
    for watchdog in watchdogs.values():
        watchdog.close()
    assert heard["step"] > 0.05
    assert heard["save"] > 0.05 * OTHER_ACTIVITIES


def test_a_closed_watchdog_says_nothing():
    heard = []
    watchdog = Watchdog(0.01, lambda *args: heard.append(args))
    watchdog.beat("save")
    watchdog.close()
    assert not watchdog._thread.is_alive()
    assert heard == []
