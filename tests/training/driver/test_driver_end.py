"""The driver from start to exit, with real Ray and gloo and a toy for a recipe.

Covered: success, replay of a complete stage, final report until acknowledged, a dead receiver, stop by command and by
signal, prepare, a cluster of the machine's own. Left out: TLS (unit), GPUs, several nodes.
"""

import json
import signal
import threading

import pytest

pytestmark = pytest.mark.slow

ONE_RANK = {
    "workers": 1,
    "cpusPerRank": 0.5,
    "sizes": [{"worldSize": 1, "microBatchSize": 2, "gradientAccumulation": 1}],
}
"""Where the number of ranks does not matter: each costs seconds of imports."""


def test_a_run_completes_reports_rising_sequences_and_repeats_its_end_until_it_is_acknowledged(
    cluster, run_config, start_driver, receiver
):
    refusals = []

    def answer(report):
        if "end" in report and len(refusals) < 2:
            refusals.append(report)
            return 503, {}
        return 200, {"attempt": 1, "remainingRestarts": 0, "somethingNew": True}

    with receiver(answer=answer) as endpoint:
        token = cluster.mount_root / "token"
        token.write_text("secret-token\n")
        config = run_config("success", progress={**endpoint.progress(), "tokenFile": "/token"})
        run = start_driver(config, cluster.mount_root, address=cluster.address)
        code, record, log = run.wait()
        assert (code, record.outcome, record.step) == (0, "complete", 6), log
        again = start_driver(config, cluster.mount_root, address="nowhere:1")
        code_again, record_again, log_again = again.wait()

    assert len(endpoint.ends()) == 4  # two refused, one taken, one of the second run
    first_run = endpoint.reports[:-1]
    sequences = [report["sequence"] for report in first_run]
    assert sequences == sorted(set(sequences))
    assert {"start", "finish"} <= {report["activity"] for report in first_run}
    assert first_run[-1]["step"] == 6
    assert first_run[-1]["metrics"] == {}  # NaN is not JSON
    assert set(endpoint.tokens) == {"Bearer secret-token"}
    assert "secret-token" not in log
    assert json.loads(run.stage.end_record.read_text())["outcome"] == "complete"
    assert [line["step"] for line in run.report_lines("step")] == [1, 2, 3, 4, 5, 6]
    (opening,) = run.report_lines("run")
    assert opening["worldSize"] == 2
    assert opening["environment"]["ray"]
    assert "tokenFile" not in opening["config"]["progress"]
    assert len(run.report_lines("end")) == 1

    assert (code_again, record_again) == (0, record), log_again
    assert endpoint.reports[-1]["end"]["outcome"] == "complete"
    assert len(run.ledger("attempt")) == 1


def test_a_dead_receiver_costs_no_step_and_gets_the_end_when_it_comes_back(cluster, run_config, start_driver, receiver):
    with receiver() as deaf:
        pass
    config = run_config("deaf", parallelism=ONE_RANK, progress=deaf.progress())
    run = start_driver(config, cluster.mount_root, address=cluster.address)
    watcher = threading.Thread(target=wait_for_file, args=(run,))
    watcher.start()
    watcher.join()
    with receiver(port=deaf.port) as endpoint:
        code, record, log = run.wait()
    assert (code, record.outcome) == (0, "complete"), log
    (report,) = endpoint.reports
    longest_wait_seconds = float(report["message"].split()[2])
    assert longest_wait_seconds < 0.5  # the client's time-outs and back-off are seconds


def wait_for_file(run):
    while not run.stage.end_record.exists():
        if run.process.poll() is not None:
            return
        threading.Event().wait(0.1)


def test_the_command_to_stop_ends_a_run_between_steps_with_its_own_exit_code(
    cluster, run_config, start_driver, receiver
):
    def answer(report):
        command = "checkpointAndStop" if report["step"] >= 2 else None
        return 200, {"attempt": 1, "remainingRestarts": 0, "command": command}

    with receiver(answer=answer) as endpoint:
        optimization = {"totalSteps": 100_000, "globalBatchSize": 2, "learningRate": 1e-3}
        config = run_config("stopped", parallelism=ONE_RANK, progress=endpoint.progress(), optimization=optimization)
        run = start_driver(config, cluster.mount_root, address=cluster.address)
        code, record, log = run.wait()
    assert (code, record.outcome, record.failure) == (90, "stopped", None), log
    assert 2 <= record.step < 100_000
    assert run.ledger("restart") == []


def test_a_command_in_the_first_answer_ends_the_attempt_before_ray_is_touched(
    tmp_path, run_config, start_driver, receiver
):
    with receiver(
        answer=lambda report: (200, {"attempt": 1, "remainingRestarts": 0, "command": "checkpointAndStop"})
    ) as endpoint:
        run = start_driver(run_config("early", progress=endpoint.progress()), tmp_path, address="nowhere:1")
        code, record, log = run.wait()
    assert (code, record.outcome, record.step) == (90, "stopped", 0), log


def test_sigterm_stops_at_a_step_and_is_told_as_preempted(cluster, run_config, start_driver, receiver):
    def answer(report):
        if report["step"] >= 2:
            stepping.set()
        return 200, {"attempt": 1, "remainingRestarts": 0}

    stepping = threading.Event()
    with receiver(answer=answer) as endpoint:
        optimization = {"totalSteps": 100_000, "globalBatchSize": 2, "learningRate": 1e-3}
        config = run_config("terminated", parallelism=ONE_RANK, progress=endpoint.progress(), optimization=optimization)
        run = start_driver(config, cluster.mount_root, address=cluster.address)
        assert stepping.wait(120), run.process.poll()
        run.process.send_signal(signal.SIGTERM)
        code, record, log = run.wait()
    assert (code, record.outcome, record.failure.failure_class) == (76, "stopped", "Preempted"), log
    assert record.step >= 2


def test_a_config_that_cannot_be_parsed_ends_with_the_users_error_on_the_last_line(run_config, start_driver, tmp_path):
    config = run_config("bad")
    run = start_driver(config.model_copy(update={"recipe": "ppo"}), tmp_path, address="nowhere:1")
    code, record, log = run.wait()
    assert (code, record.failure.failure_class, record.failure.reason) == (64, "UserError", "InvalidRunConfig"), log


def test_another_jobs_run_directory_is_refused_and_gets_no_end_record(run_config, start_driver, tmp_path):
    config = run_config("taken", stage="prepare", optimization=None, parallelism=None)
    start_driver(config, tmp_path, address="nowhere:1").wait()
    other = run_config("taken", job=config.job.model_copy(update={"spec_digest": "sha256:2"}))
    run = start_driver(other, tmp_path, address="nowhere:1")
    code, record, log = run.wait()
    assert (code, record.failure.reason) == (64, "RunDirectoryTaken"), log
    assert not run.stage.root.exists()


def test_prepare_needs_no_ray_and_its_end_carries_the_inspection(tmp_path, run_config, start_driver, receiver):
    with receiver() as endpoint:
        config = run_config(
            "prepared", stage="prepare", optimization=None, parallelism=None, progress=endpoint.progress()
        )
        run = start_driver(config, tmp_path, address="nowhere:1")
        code, record, log = run.wait()
        again = start_driver(config, tmp_path, address="nowhere:1")
        again.wait()
    assert (code, record.outcome, record.stage) == (0, "complete", "prepare"), log
    reports = [report for report in endpoint.reports if "end" in report]
    assert [report["inspection"]["trainSequences"] for report in reports] == [5, 5]
    assert len(run.report_lines("inspection")) == 1


def test_a_hang_in_prepare_still_ends_with_a_record(tmp_path, run_config, start_driver):
    config = run_config(
        "stuck", stage="prepare", optimization=None, parallelism=None, recovery={"hangTimeoutSeconds": 1}
    )
    run = start_driver(config, tmp_path, address="nowhere:1", behavior="hang")
    code, record, log = run.wait()
    assert (code, record.failure.failure_class) == (82, "Hang"), log
    assert "toy_prepare" in next(run.stage.failures.glob("*stacks*")).read_text()


def test_without_an_address_a_run_starts_and_ends_a_cluster_of_its_own(tmp_path, temp_dir, run_config, start_driver):
    settings = {
        "num_cpus": 2,
        "include_dashboard": False,
        "object_store_memory": 80 << 20,
        "_temp_dir": str(temp_dir / "own"),
    }
    config = run_config("own", parallelism=ONE_RANK)
    own = {"TRIVIUM_LOCAL_RAY": json.dumps(settings), "RAY_AUTH_MODE": None, "RAY_AUTH_TOKEN": None}
    run = start_driver(config, tmp_path, address="local", settings={**own, "HOME": str(tmp_path)})
    code, record, log = run.wait()
    assert (code, record.outcome) == (0, "complete"), log
    assert not (tmp_path / ".ray").exists()  # no token is left behind
