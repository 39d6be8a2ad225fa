"""The commands as a person calls them, over a state folder that lies there; nothing runs here."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from trivium.cli.application import application
from trivium.cli.errors import CommandError
from trivium.cli.ordering import open_store
from trivium.local.state_folder import StateFolder, StateLock
from trivium.ports import ObjectKey

MANIFEST = """\
apiVersion: trivium.dev/v1alpha1
kind: SFTJob
metadata: {name: chat}
spec:
  model: {from: {hub: {repo: org/model}}}
  data:
    train: [{from: {volume: {claimName: data, path: chat.jsonl}}}]
"""
KEY = ObjectKey(kind="SFTJob", namespace="default", name="chat")


def call(*arguments: str | Path, stdin: str | None = None):
    return CliRunner().invoke(application, [str(one) for one in arguments], input=stdin)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state folder with one job that has a plan, a finished attempt and a log."""
    folder = StateFolder(tmp_path / "state")
    with StateLock(folder):
        store = open_store(folder)
        manifest = yaml.safe_load(MANIFEST)
        manifest["metadata"]["namespace"] = "default"
        job = store.apply(manifest, manager="trivium-cli")
        attempt = {"number": 1, "stage": "prepare", "rayJob": "chat-sft-prepare-1", "startedAt": "2026-11-23T12:00:00Z"}
        job["status"] = {
            "phase": "Running",
            "stage": "train",
            "message": "Attempt 1 is training.",
            "plan": {"runs": {"claimName": "runs"}, "workers": 1, "totalSteps": 9},
            "attempts": [attempt],
            "progress": {"step": 3, "totalSteps": 9, "loss": 2.0},
        }
        store.replace_status(job)
    log = folder.attempt("default", "chat-sft-prepare-1") / "driver.log"
    log.parent.mkdir(parents=True)
    log.write_text("first\nlast without an end")
    return folder.root


def stored(state: Path) -> dict | None:
    return open_store(StateFolder(state)).get(KEY)


def test_valid_manifests_pass(tmp_path: Path) -> None:
    file = tmp_path / "job.yaml"
    file.write_text(MANIFEST)
    result = call("validate", file)
    assert (result.exit_code, result.output) == (0, "1 manifest is valid\n")


def test_a_problem_is_told_with_its_place_and_way_out(tmp_path: Path) -> None:
    file = tmp_path / "job.yaml"
    file.write_text(MANIFEST.replace("repo:", "rope:"))
    result = call("validate", file)
    assert result.exit_code == 3
    assert f"{file}:5:" in result.output
    assert "rope" in result.output


def test_tools_get_the_verdicts_as_json(tmp_path: Path) -> None:
    file = tmp_path / "job.yaml"
    file.write_text(MANIFEST.replace("repo:", "rope:"))
    result = call("validate", file, "-o", "json")
    verdicts = json.loads(result.output)
    assert result.exit_code == 3
    assert {"file", "line", "column", "field", "value", "rule", "remedy", "name"} == verdicts[0].keys()


def test_standard_input_is_a_file_too(tmp_path: Path) -> None:
    assert call("validate", "-", stdin=MANIFEST).exit_code == 0
    assert call("validate", "-", stdin="a: [").exit_code == 3


def test_a_folder_stands_for_the_manifests_in_it(tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yml"):
        (tmp_path / name).write_text(MANIFEST)
    (tmp_path / "c.txt").write_text("no manifest")
    assert call("validate", tmp_path).output == "2 manifests are valid\n"


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    result = call("validate", tmp_path / "nothing.yaml")
    assert isinstance(result.exception, CommandError)
    assert "nothing.yaml: no such file." in str(result.exception)


def test_status_lists_the_jobs(state: Path) -> None:
    result = call("status", "--state", state)
    assert result.exit_code == 0
    header, row, *rest = result.output.splitlines()
    assert header.split() == ["JOB", "PHASE", "STAGE", "STEP", "LOSS", "TOKENS/S", "ETA", "RESTARTS", "AGE"]
    assert row.split()[:5] == ["sft/chat", "Running", "train", "3/9", "2.0000"]
    assert "No trivium process is at work here" in " ".join(rest)


def test_status_of_one_job_shows_its_attempts(state: Path) -> None:
    result = call("status", "chat", "--state", state)
    assert "Attempt 1 is training." in result.output
    assert "prepare" in result.output


@pytest.mark.parametrize(
    ("outcome", "want"), [(None, "time 10m; start 30s"), ({"seconds": 720}, "time 10m, measured 12m; start 30s")]
)
def test_status_of_one_job_shows_what_was_foreseen_beside_what_came_of_it(state: Path, outcome, want: str) -> None:
    folder = StateFolder(state)
    with StateLock(folder):
        store = open_store(folder)
        job = store.get(KEY)
        job["status"]["plan"] |= {"estimatedSeconds": 600, "startSeconds": 30} | (
            {"outcome": outcome} if outcome else {}
        )
        store.replace_status(job)
    assert f"{want}\n" in "".join(
        f"{line.rstrip()}\n" for line in call("status", "chat", "--state", state).output.splitlines()
    )


@pytest.mark.parametrize(("output", "parse"), [("json", json.loads), ("yaml", yaml.safe_load)])
def test_tools_get_the_object(state: Path, output: str, parse) -> None:
    one = parse(call("status", "sft/chat", "--state", state, "-o", output).output)
    assert (one["kind"], one["status"]["phase"]) == ("SFTJob", "Running")
    every = parse(call("status", "--state", state, "-o", output).output)
    assert [item["metadata"]["name"] for item in every["items"]] == ["chat"]


def test_another_namespace_is_empty(state: Path) -> None:
    assert call("status", "--state", state, "-n", "other").exit_code == 0
    assert isinstance(call("status", "chat", "--state", state, "-n", "other").exception, CommandError)


def test_logs_show_the_last_attempt_to_its_end(state: Path) -> None:
    assert call("logs", "chat", "--state", state).output == "first\nlast without an end\n"


def test_logs_follow_until_nobody_is_at_work(state: Path) -> None:
    assert call("logs", "chat", "--state", state, "-f").output == "first\nlast without an end\n"


def test_logs_of_an_attempt_that_is_not_there_say_so(state: Path) -> None:
    result = call("logs", "chat", "--state", state, "--stage", "train")
    assert "no attempt that fits has started yet" in str(result.exception)


def test_suspend_and_resume_without_a_process_at_work_are_kept_for_the_next_run(state: Path) -> None:
    result = call("suspend", "chat", "--state", state)
    assert result.output.startswith("sft/chat saves a checkpoint and stops. No trivium process is at work here")
    assert stored(state)["spec"]["runPolicy"]["suspend"] is True
    assert call("suspend", "chat", "--state", state).output.startswith("sft/chat is suspended already")
    call("resume", "chat", "--state", state)
    assert stored(state)["spec"]["runPolicy"]["suspend"] is False


def test_delete_keeps_what_the_job_wrote_unless_it_is_told_not_to(state: Path) -> None:
    runs = state / "claims/default/runs/default/SFTJob/chat"
    runs.mkdir(parents=True)
    assert str(runs) in call("delete", "chat", "--state", state).output
    assert stored(state) is None
    assert runs.exists()
    assert not (state / "attempts/default/chat-sft-prepare-1").exists()


def test_purge_removes_it_too(state: Path) -> None:
    runs = state / "claims/default/runs/default/SFTJob/chat"
    runs.mkdir(parents=True)
    call("delete", "chat", "--purge", "--state", state)
    assert not runs.exists()


def test_a_report_of_a_job_that_wrote_nothing_says_so(state: Path) -> None:
    assert "it has written nothing yet" in str(call("report", "chat", "--state", state).exception)


def test_the_crds_are_those_of_the_repository() -> None:
    documents = list(yaml.safe_load_all(call("crds").output))
    names = {one["spec"]["names"]["kind"] for one in documents}
    assert names == {"PretrainJob", "SFTJob", "PreferenceJob", "ComputeProfile"}


def test_version_names_what_trains_here() -> None:
    output = call("version").output
    assert output.startswith("trivium ")
    assert "deepspeed " in output


@pytest.mark.parametrize(
    ("arguments", "want"),
    [
        (["run", "{file}"], r"data has no folder here. Give it one: --claim data=FOLDER"),
        (["run", "{file}", "--claim", "data"], r"--claim data: write NAME=FOLDER"),
        (["run", "{file}", "--claim", "data=/nonexistent"], r"/nonexistent is no folder"),
        (["run", "{file}", "--claim", "data={tmp}"], r"spec.data.train\[0\].from.volume.path: chat.jsonl is not in"),
        (["run"], r"nothing is left to go on with"),
    ],
)
def test_a_run_says_at_once_what_is_missing(tmp_path: Path, arguments: list[str], want: str) -> None:
    file = tmp_path / "job.yaml"
    file.write_text(MANIFEST)
    filled = [one.format(file=file, tmp=tmp_path) for one in arguments]
    result = call(*filled, "--state", tmp_path / "state")
    with pytest.raises(CommandError, match=want):
        raise result.exception


def test_a_run_refuses_a_job_that_is_given_twice(tmp_path: Path) -> None:
    file = tmp_path / "job.yaml"
    file.write_text(f"{MANIFEST}---\n{MANIFEST}")
    assert "SFTJob chat is given twice" in str(call("run", file, "--state", tmp_path / "state").exception)


def test_the_command_line_is_loaded_without_what_trains_and_without_the_models() -> None:
    program = (
        "import sys, trivium.cli.application;"
        "print([m for m in ('ray', 'torch', 'pydantic', 'aiohttp', 'yaml', 'trivium.api') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_an_error_is_one_sentence_on_standard_error(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "from trivium.cli import main; main()", "validate", str(tmp_path / "no.yaml")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (4, "")
    assert result.stderr == f"trivium: {tmp_path / 'no.yaml'}: no such file.\n"
