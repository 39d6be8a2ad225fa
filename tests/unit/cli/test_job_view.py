"""One row from a job's manifest."""

from trivium.cli import figures
from trivium.cli.job_view import view_job


def test_a_job_without_a_status_is_pending(make) -> None:
    view = view_job(make.sft_job("a"))
    assert (view.job, view.phase, view.step, view.has_ended) == ("sft/a", "Pending", 0, False)


def test_progress_is_taken_from_status(make) -> None:
    progress = {"step": 12, "totalSteps": 48, "loss": 2.5, "tokensPerSecond": 950.4, "eta": "3m"}
    view = view_job(make.sft_job(phase="Running", stage="train", progress=progress))
    assert (view.step, view.total_steps, view.loss, view.eta) == (12, 48, 2.5, "3m")


def test_the_plan_knows_the_steps_before_the_first_report(make) -> None:
    assert view_job(make.sft_job(phase="Starting", plan={"totalSteps": 48})).total_steps == 48


def test_a_failure_carries_class_message_and_remedy(make) -> None:
    failure = {"class": "DataError", "reason": "MissingColumn", "message": "no text", "remedy": "Rename it."}
    view = view_job(make.sft_job(phase="Failed", attempts=[{"number": 1, "stage": "prepare", "failure": failure}]))
    assert view.failure is not None
    assert view.to_json()["failure"] == failure


def test_a_job_that_failed_before_any_attempt_says_why(make) -> None:
    conditions = [make.condition("Failed", "True", "DoesNotFit", "needs 90 GiB")]
    view = view_job(make.sft_job(phase="Failed", conditions=conditions))
    assert (view.failure.failure_class, view.failure.message) == ("UserError", "needs 90 GiB")


def test_a_failure_of_an_earlier_attempt_is_no_failure_of_a_running_job(make) -> None:
    attempts = [{"number": 1, "stage": "train", "failure": {"class": "Hang"}}]
    assert view_job(make.sft_job(phase="Running", attempts=attempts)).failure is None


def test_json_is_camel_case_and_leaves_out_what_is_unknown(make) -> None:
    raw = view_job(make.sft_job(phase="Running", progress={"step": 1, "totalSteps": 2})).to_json()
    assert raw["totalSteps"] == 2
    assert "loss" not in raw


def test_figures_read_as_people_write_them(make) -> None:
    assert [figures.rate(x) for x in (None, 950.4, 12_345, 1_234_567)] == ["", "950", "12.3k", "1.2M"]
    assert [figures.age(x) for x in (45, 720, 12_000, 187_200, -1)] == ["45s", "12m", "3h20m", "2d4h", "0s"]
    assert [figures.percent(*x) for x in ((0, 0), (479, 480), (480, 480))] == [0, 99, 100]
    assert (figures.loss(2.10341), figures.loss(None)) == ("2.1034", "")
    running = view_job(make.sft_job(phase="Running", progress={"step": 3, "totalSteps": 9}))
    assert figures.steps(running) == "3/9"
