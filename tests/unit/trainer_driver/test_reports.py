"""What leaves the process: reports, their bounds, the report's data, the last word."""

import json
import math
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from trivium_trainer.checkpoint.marker import Marker, write_marker
from trivium_trainer.config import Progress, RunConfig, SkipWindow
from trivium_trainer.driver.chronicle import build_run_line
from trivium_trainer.driver.client import ProgressClient, ReportRefusedError
from trivium_trainer.driver.ending import build_final_report, deliver, exit_code, newest_report, read_end_record
from trivium_trainer.driver.ledger import begin_attempt
from trivium_trainer.driver.rank import _require_shared_storage
from trivium_trainer.driver.rank_session import RankSession
from trivium_trainer.driver.report_file import MAX_STEP_LINES, ReportFile
from trivium_trainer.driver.reporter import SEQUENCE_BLOCK, Reporter
from trivium_trainer.driver.state import RunState
from trivium_trainer.failure import DivergedError, EndRecord, FailureClass, TrainingError
from trivium_trainer.launch import build_end_record
from trivium_trainer.layout import StageDirectory
from trivium_trainer.progress import ProgressReport
from trivium_trainer.report_data import CheckpointLine, StepLine


@pytest.fixture
def config():
    return RunConfig.model_validate(
        {
            "job": {"kind": "SFTJob", "namespace": "n", "name": "bot", "uid": "a", "specDigest": "1"},
            "stage": "prepare",
            "recipe": "sft",
            "runs": "/runs",
            "model": {"source": {"hub": {"repo": "r", "credentialFile": "/trivium/credentials/hub"}}},
            "data": {
                "train": [
                    {"name": "train[0]", "source": {"uri": "s3://b", "credentialFile": "/trivium/credentials/s3"}}
                ]
            },
            "progress": {"tokenFile": "/trivium/token/token", "caFile": "/trivium/ca/ca.crt"},
        }
    )


@pytest.fixture
def endpoint():
    """A receiver with scripted answers: (status, body) each; the last one repeats."""
    answers, reports = [(200, b'{"attempt":1,"remainingRestarts":3}')], []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            reports.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            status, body = answers.pop(0) if len(answers) > 1 else answers[0]
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield ProgressClient(Progress(url=f"http://127.0.0.1:{server.server_port}/report")), answers, reports
        server.shutdown()
        thread.join()


def report(**fields):
    return ProgressReport(job_uid="a", stage="train", sequence=1, **fields)


def test_what_the_contract_forbids_is_left_out_of_a_report_and_never_raised():
    state = RunState(job_uid="a", stage="train", step=1)
    state.merge(loss=math.nan, metrics={"ok": 1, "Bad Key": 2, "nan": math.inf}, message="a\x1b[31m\nb" * 1000)
    state.merge(no_such_field=1)
    state.merge(step="many")
    sent = state.report(7)
    assert (sent.loss, sent.metrics, sent.step, sent.sequence) == (None, {"ok": 1.0}, 1, 7)
    assert len(sent.message) == 1024
    assert "\x1b" not in sent.message
    json.loads(sent.model_dump_json())


def test_more_metrics_than_allowed_are_cut_not_refused():
    state = RunState(job_uid="a", stage="train", metrics={f"m{i:03}": 1.0 for i in range(100)})
    assert len(state.report(0).metrics) == 64


def test_an_answer_of_a_newer_operator_is_understood(endpoint):
    client, answers, _ = endpoint
    answers[:] = [(200, b'{"attempt":2,"remainingRestarts":3,"command":"checkpointAndStop","news":{}}')]
    assert client.post(report()).command == "checkpointAndStop"


@pytest.mark.parametrize(
    "answer", [(503, b"{}"), (401, b"{}"), (302, b"{}"), (200, b"no json"), (200, b"[]"), (200, b'{"attempt":1}')]
)
def test_anything_but_an_acknowledgment_is_a_refusal(endpoint, answer):
    client, answers, _ = endpoint
    answers[:] = [answer]
    with pytest.raises(ReportRefusedError):
        client.post(report())


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "http://", "https://127.0.0.1:1/", "http://127.0.0.1:bad/"])
def test_an_endpoint_that_cannot_be_reached_is_a_refusal(url):
    with pytest.raises(ReportRefusedError):
        ProgressClient(Progress(url=url)).post(report())


def test_a_token_or_ca_file_that_is_missing_is_a_refusal(endpoint):
    client, _, _ = endpoint
    with pytest.raises(ReportRefusedError):
        ProgressClient(client.config.model_copy(update={"token_file": "/no/such/token"})).post(report())
    with pytest.raises(ReportRefusedError):
        ProgressClient(Progress(url="https://127.0.0.1:1/", ca_file="/no/such/ca")).post(report())


def test_the_token_is_read_again_for_each_report(endpoint, tmp_path, monkeypatch):
    monkeypatch.setenv("TRIVIUM_MOUNT_ROOT", str(tmp_path))
    client = ProgressClient(Progress(url="http://x/", token_file="/token"))
    tokens = []
    for token in ("old", "new"):
        (tmp_path / "token").write_text(token)
        tokens.append(client._headers()["Authorization"])
    assert tokens == ["Bearer old", "Bearer new"]


def test_the_final_report_is_repeated_with_rising_numbers_until_it_is_acknowledged(endpoint):
    client, answers, reports = endpoint
    answers[:] = [(503, b"{}"), (503, b"{}"), (200, b'{"attempt":1,"remainingRestarts":0}')]
    waits = []
    assert deliver(client, report(), wait=lambda seconds: waits.append(seconds) or False, patience_seconds=300)
    assert [sent["sequence"] for sent in reports] == [1, 2, 3]
    assert waits == [0.5, 1.0]


def test_the_final_report_gives_up_when_its_time_is_over_or_a_second_signal_comes(endpoint):
    client, answers, reports = endpoint
    answers[:] = [(503, b"{}")]
    assert not deliver(client, report(), wait=lambda _: False, patience_seconds=0.1)
    assert not deliver(client, report(), wait=lambda _: True, patience_seconds=300)
    assert len(reports) == 2


def test_without_an_endpoint_the_end_waits_for_nobody():
    def wait(_):
        raise AssertionError

    assert not deliver(ProgressClient(Progress()), report(), wait=wait, patience_seconds=300)


def test_the_last_report_is_numbered_above_every_start_of_the_attempt():
    end = EndRecord(outcome="complete", stage="train", step=9)
    last = build_final_report(report(step=8, loss=0.5), end, restarts=2)
    assert (last.step, last.loss, last.end, last.activity) == (9, 0.5, end, "finish")
    third_start_block = 1 + 2
    assert last.sequence > third_start_block * SEQUENCE_BLOCK + 10**8


def test_a_damaged_end_record_or_state_is_ignored(config, tmp_path):
    stage = StageDirectory(tmp_path)
    for content in ("{torn", '{"outcome":"perhaps"}', "[]"):
        stage.end_record.write_text(content)
        stage.progress.write_text(content)
        assert read_end_record(stage) is None
        assert newest_report(config, stage).step == 0


def test_exit_codes_tell_complete_stopped_and_each_class_apart():
    failures = [TrainingError(c, "R", "m", remedy="r").to_failure() for c in FailureClass]
    codes = [exit_code(EndRecord(outcome="failed", stage="train", failure=failure)) for failure in failures]
    codes += [exit_code(EndRecord(outcome=outcome, stage="train")) for outcome in ("complete", "stopped")]
    assert len(set(codes)) == len(FailureClass) + 2
    assert codes[-2:] == [0, 90]


def test_a_command_and_a_budget_in_an_answer_reach_the_attempt(endpoint, tmp_path):
    client, answers, reports = endpoint
    answers[:] = [(200, b'{"attempt":1,"remainingRestarts":3,"command":"checkpointAndStop"}')]
    attempt = begin_attempt(StageDirectory(tmp_path), "one")
    reporter = Reporter(client, RunState(job_uid="a", stage="train"), attempt, block=1, interval_seconds=0.01)
    assert reporter._stop.wait(10)
    reporter.close()
    assert reporter.stop_requested
    assert attempt.remaining_budget() == 3
    assert reports[0]["sequence"] == SEQUENCE_BLOCK


def test_a_stop_file_reaches_rank_0_without_any_endpoint(tmp_path):
    attempt = begin_attempt(StageDirectory(tmp_path), "one")
    state = RunState(job_uid="a", stage="train", step=4)
    reporter = Reporter(ProgressClient(Progress()), state, attempt, block=1, interval_seconds=0.01)
    attempt.stop.touch()
    assert reporter._stop.wait(10)
    reporter.close()
    assert json.loads(attempt.stage.progress.read_text())["step"] == 4


@pytest.mark.parametrize(("total", "want_lines"), [(1000, 1000), (1001, 502), (10_000, 1001)])
def test_long_runs_keep_every_kth_step_the_first_and_the_last(tmp_path, total, want_lines):
    path = tmp_path / "data.jsonl"
    file = ReportFile(path, total_steps=total)
    for step in range(1, total + 1):
        file.write(StepLine(at=0, step=step, loss=1, learning_rate=1, tokens=1, tokens_per_second=1))
    file.close()
    steps = [json.loads(line)["step"] for line in path.read_text().splitlines()]
    assert len(steps) == want_lines <= MAX_STEP_LINES + 2
    assert (steps[0], steps[-1]) == (1, total)


def test_a_torn_line_of_the_report_is_cut_before_more_is_written(tmp_path, config):
    path = tmp_path / "data.jsonl"
    path.write_text('{"kind":"step"}\n{"kind":"st')
    file = ReportFile(path, total_steps=1)
    file.write(build_run_line(config, StageDirectory(tmp_path), world_size=1, resumed_from_step=0))
    file.close()
    assert [json.loads(line)["kind"] for line in path.read_text().splitlines()] == ["step", "run"]


def test_the_run_line_holds_no_path_of_a_secret(config, tmp_path):
    line = build_run_line(config, StageDirectory(tmp_path), world_size=1, resumed_from_step=0).model_dump_json()
    assert "/trivium/credentials" not in line
    assert "/trivium/token" not in line
    assert '"repo":"r"' in line


def test_a_rank_on_another_disk_is_told_to_use_a_shared_claim(tmp_path):
    attempt = begin_attempt(StageDirectory(tmp_path / "driver"), "one")
    _require_shared_storage(attempt, rank=1)
    elsewhere = type(attempt)(stage=StageDirectory(tmp_path / "rank"), name="one")
    with pytest.raises(TrainingError, match="ReadWriteMany"):
        _require_shared_storage(elsewhere, rank=1)


class Recorder:
    """A RankSession over a folder, closed at the end."""

    def __init__(self, config, stage, name, **options):
        self.attempt = begin_attempt(stage, name)
        self.session = RankSession(config, self.attempt, **options)

    def __enter__(self):
        return self.session

    def __exit__(self, *_):
        self.session.close()


def test_a_rank_reports_where_it_stands_from_its_first_report_on(tmp_path, config):
    stage = StageDirectory(tmp_path)
    for step in (5, 10):
        stage.checkpoint(step).mkdir(parents=True)
        write_marker(stage.checkpoint(step), marker_of(step))
    stage.checkpoint(15).mkdir()  # killed in the middle of a save
    window = SkipWindow(data_step=8, steps=3, rollback_to=5)
    with Recorder(config, stage, "one") as session:
        first = session.state.report(0)
    assert (first.step, first.tokens, first.checkpoints) == (10, 1000, [5, 10])
    with Recorder(config.model_copy(update={"skips": [window]}), stage, "two") as session:
        first = session.state.report(0)
    assert (first.step, first.tokens, first.checkpoints) == (5, 500, [5])
    runs = [json.loads(line) for line in stage.report_data.read_text().splitlines()]
    runs = [line for line in runs if line["kind"] == "run"]
    assert [(line["resumedFromStep"], len(line["skips"])) for line in runs] == [(10, 0), (5, 1)]


def marker_of(step):
    numbers = {"step": step, "tokens": step * 100, "world_size": 1, "zero_stage": 0}
    return Marker(**numbers, global_batch_size=8, micro_batch_size=8, data_digest="d", model_digest="m", files=[])


def test_reports_and_the_reports_data_say_what_the_time_went_to(tmp_path, config):
    stage = StageDirectory(tmp_path)
    with Recorder(config, stage, "one") as session:
        session.beat("restore")
        assert session.state.report(0).activity == "start"
        session.beat("step")
        session.progress(step=1)
        session.beat("step")
        session.write(CheckpointLine(at=0, step=1, seconds=1, bytes=1))
        said = session.state.report(0)
    assert set(said.seconds) == {"start", "restore", "step"}
    assert said.first_step_seconds == pytest.approx(sum(said.seconds.values()), abs=0.01)
    lines = [json.loads(line) for line in stage.report_data.read_text().splitlines()]
    assert [line["kind"] for line in lines] == ["run", "checkpoint", "time", "time"]
    assert lines[-1]["attempt"] == "one"
    kept = json.loads(stage.progress.read_text())["seconds"]
    assert sum(kept.values()) == pytest.approx(sum(lines[-1]["seconds"].values()), abs=0.01)


def test_a_node_that_will_go_asks_for_one_checkpoint_and_another_node_for_another(tmp_path, config):
    news = [None, "node a", "node a", "nodes a and b"]
    with Recorder(config, StageDirectory(tmp_path), "one", look_for_drain=lambda: news.pop(0)) as session:
        assert [session.save_requested() for _ in range(4)] == [False, True, False, True]


def test_only_rank_0_listens_for_a_node_that_will_go(tmp_path, config):
    with Recorder(config, StageDirectory(tmp_path), "one", rank=1, look_for_drain=lambda: "node a") as session:
        assert not session.save_requested()


def test_held_out_losses_stay_until_the_next_evaluation_and_a_steps_metrics_until_the_next_step():
    state = RunState(job_uid="a", stage="train")
    state.merge(metrics={"learning_rate": 1.0, "grad_norm": 2.0})
    state.merge(metrics={"eval_a": 3.0, "eval_b": 4.0})
    state.merge(metrics={"learning_rate": 0.5})
    assert state.report(0).metrics == {"eval_a": 3.0, "eval_b": 4.0, "learning_rate": 0.5}
    state.merge(metrics={"eval_b": 5.0})
    assert state.report(0).metrics == {"eval_b": 5.0, "learning_rate": 0.5}


def test_a_divergence_says_itself_how_many_steps_were_done_before(tmp_path, config):
    error = DivergedError("LossIsNaN", "The loss became NaN.", remedy="r", step=7, data_step=57)
    record = build_end_record(config, StageDirectory(tmp_path), error.to_failure(rank=0), is_terminated=False)
    assert (record.outcome, record.step, record.failure.data_step) == ("failed", 6, 57)
