"""What a run shows, as text: the live table, plain lines, and JSON."""

import io
import json

import pytest
from rich.console import Console

from trivium.cli.job_view import JobView, view_job
from trivium.cli.json_display import JsonDisplay
from trivium.cli.line_display import LineDisplay
from trivium.cli.live_display import LiveDisplay

FAILURE = {"class": "DataError", "reason": "MissingColumn", "message": "no column text", "remedy": "Rename it."}


def console(**options) -> Console:
    return Console(file=io.StringIO(), width=100, highlight=False, **options)


@pytest.fixture
def running(make):
    def view(step: int, **status) -> JobView:
        progress = {"step": step, "totalSteps": 480, "loss": 2.5, "tokensPerSecond": 950.4, "eta": "2m10s"}
        return view_job(make.sft_job(phase="Running", stage="train", progress=progress, **status))

    return view


@pytest.fixture
def ended(make):
    def view(phase: str, **status) -> JobView:
        return view_job(make.sft_job(phase=phase, **status))

    return view


def lines_of(display: LineDisplay, target: Console) -> list[str]:
    return [line.split(" ", 1)[1] for line in target.file.getvalue().splitlines()]


def test_lines_tell_every_change_once(running) -> None:
    target = console()
    display = LineDisplay(target)
    for now in (0, 1, 2):
        display.update([running(0, message="Attempt 1 is training.")], now=now)
    assert lines_of(display, target) == ["sft/a            Running, train: Attempt 1 is training."]


def test_lines_tell_progress_now_and_then_and_the_last_step_always(running) -> None:
    target = console()
    display = LineDisplay(target)
    for step, now in ((1, 0), (2, 1), (3, 11), (4, 12), (480, 13), (480, 14)):
        display.update([running(step)], now=now)
    assert lines_of(display, target)[1:] == [
        "sft/a            step 3/480 (0 %), loss 2.5000, 950 tokens/s, 2m10s left",
        "sft/a            step 480/480 (100 %), loss 2.5000, 950 tokens/s, 2m10s left",
    ]


def test_a_tenants_text_is_no_markup(running) -> None:
    target = console()
    LineDisplay(target).update([running(0, message="[red]data[/red] [/nonsense]")], now=0)
    assert "[red]data[/red] [/nonsense]" in target.file.getvalue()


def test_the_table_shows_each_job_with_its_figures_and_what_it_says(running, ended) -> None:
    target = console(force_terminal=True, color_system=None)
    display = LiveDisplay(target)
    target.print(display.draw([running(120, message="Attempt 1 is training."), ended("Succeeded")]))
    shown = target.file.getvalue()
    for text in ("Running train", "120/480", "2.5000", "950", "2m10s", "sft/a: Attempt 1 is training.", "✓"):
        assert text in shown


def test_the_table_survives_a_text_that_looks_like_markup(running) -> None:
    target = console(force_terminal=True, color_system=None)
    display = LiveDisplay(target)
    display.update([running(1, message="[/nonsense]")], now=0)
    target.print(display.draw([running(1, message="[/nonsense]")]))
    display.log("sft/a", "[/nonsense]")
    display.note("[/nonsense]")
    display.close([running(1)], exit_code=0)
    assert target.file.getvalue().count("[/nonsense]") >= 3


def test_json_has_an_object_a_change_and_ends_with_the_exit_code(running) -> None:
    stream = io.StringIO()
    display = JsonDisplay(stream)
    display.update([running(1)], now=0)
    display.update([running(1)], now=1)
    display.update([running(2)], now=2)
    display.note("hello")
    display.log("sft/a", "line")
    display.close([running(2)], exit_code=0)
    objects = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [one["type"] for one in objects] == ["job", "job", "note", "log", "end"]
    assert [one.get("step") for one in objects[:2]] == [1, 2]
    assert objects[-1] == {"type": "end", "exitCode": 0}


def test_the_end_names_model_and_report(ended) -> None:
    target = console()
    output = {"uri": "/claims/runs/model", "reportUri": "/claims/runs/report.html"}
    LineDisplay(target).close([ended("Succeeded", output=output)], exit_code=0)
    assert "sft/a succeeded" in target.file.getvalue()
    assert "/claims/runs/model" in target.file.getvalue()
    assert "/claims/runs/report.html" in target.file.getvalue()


def test_the_end_of_a_failure_names_class_message_and_remedy(ended) -> None:
    target = console()
    attempts = [{"number": 1, "stage": "prepare", "failure": FAILURE}]
    LineDisplay(target).close([ended("Failed", attempts=attempts)], exit_code=65)
    for text in ("failed: DataError", "MissingColumn: no column text", "What to do: Rename it.", "trivium logs sft/a"):
        assert text in target.file.getvalue()


def test_the_end_of_a_suspended_job_says_how_to_go_on(ended) -> None:
    target = console()
    LineDisplay(target).close([ended("Suspended")], exit_code=90)
    assert "trivium resume sft/a" in target.file.getvalue()


def test_an_interrupted_job_is_not_shown_as_if_it_ran_on(running) -> None:
    target = console()
    LineDisplay(target).close([running(3, message="Attempt 1 is training.")], exit_code=130)
    assert target.file.getvalue() == ""
