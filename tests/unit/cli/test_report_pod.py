"""The pod that reads a report off its claim: its manifest, the program in it run for real, and its envelope."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from trivium.cli.cluster.report_pod import PROGRAM, open_envelope, profile_name, report_pod
from trivium.cli.errors import CommandError
from trivium_trainer.report import render_report

SPEC = {
    "model": {"from": {"hub": {"repo": "a/b"}}},
    "data": {"train": [{"from": {"volume": {"claimName": "data", "path": "a.jsonl"}}}]},
}
PLAN = {"image": "trainer:1", "profile": "gpu", "runs": {"claimName": "runs", "path": "teams/a"}}
PREPARE = {"name": "prepare", "plan": {**PLAN, "profile": "cpu"}}
ATTEMPTS = [{"number": 1, "stage": "train"}]


@pytest.fixture
def job(make: SimpleNamespace) -> dict[str, Any]:
    return make.job("SFTJob", "chat", uid="u-1", spec=SPEC, plan=PLAN, stages=[PREPARE], attempts=ATTEMPTS)


def pod_of(job: dict[str, Any], *, chain: bool = False, profile: dict[str, Any] | None = None) -> dict[str, Any]:
    return report_pod(job, chain=chain, profile=profile, deadline_seconds=60)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True, check=False)


def test_the_pod_reads_the_run_directory_and_can_write_nowhere(job) -> None:
    spec = pod_of(job)["spec"]
    command = spec["containers"][0]["command"]
    assert command[3:] == ["/trivium/runs/teams/a/default/SFTJob/chat/u-1", "", "job"]
    writable = [mount["mountPath"] for mount in spec["containers"][0]["volumeMounts"] if not mount.get("readOnly")]
    assert writable == ["/tmp"]
    assert {volume["name"]: volume for volume in spec["volumes"]}["runs"]["persistentVolumeClaim"] == {
        "claimName": "runs"
    }


def test_the_pod_ends_by_itself_and_goes_with_the_job(job) -> None:
    pod = pod_of(job)
    assert (pod["spec"]["activeDeadlineSeconds"], pod["spec"]["restartPolicy"]) == (60, "Never")
    assert pod["metadata"]["ownerReferences"][0]["uid"] == "u-1"


def test_the_operator_does_not_take_the_pod_for_its_own(job) -> None:
    labels = pod_of(job)["metadata"]["labels"]
    assert labels["app.kubernetes.io/managed-by"] == "kubectl-trivium"
    assert "trivium.dev/job-uid" not in labels


def test_it_is_placed_as_the_stage_without_gpus(job) -> None:
    assert profile_name(job) == "cpu"
    pod = {"nodeSelector": {"pool": "cpu"}, "imagePullSecrets": ["pull"], "tolerations": [{"operator": "Exists"}]}
    spec = pod_of(job, profile={"pod": pod})["spec"]
    assert (spec["nodeSelector"], spec["imagePullSecrets"]) == ({"pool": "cpu"}, [{"name": "pull"}])
    assert spec["tolerations"] == [{"operator": "Exists"}]
    assert "nodeSelector" not in pod_of(job)["spec"]


def test_a_chain_over_two_claims_mounts_both(job) -> None:
    upstream = {"claimName": "others", "path": "", "runPath": "default/PretrainJob/base/u-0"}
    job["status"]["upstream"] = upstream
    spec = pod_of(job, chain=True)["spec"]
    assert spec["containers"][0]["command"][4:] == ["/trivium/upstream/default/PretrainJob/base/u-0", "chain"]
    assert [one.get("persistentVolumeClaim", {}).get("claimName") for one in spec["volumes"]] == [
        None,
        "runs",
        "others",
    ]


def test_a_chain_on_one_claim_mounts_it_once(job) -> None:
    job["status"]["upstream"] = {"claimName": "runs", "path": "teams/a", "runPath": "default/PretrainJob/base/u-0"}
    spec = pod_of(job, chain=True)["spec"]
    assert spec["containers"][0]["command"][4] == "/trivium/runs/teams/a/default/PretrainJob/base/u-0"
    assert len(spec["volumes"]) == 2


def test_a_job_that_has_not_begun_has_no_report(make: SimpleNamespace) -> None:
    with pytest.raises(CommandError, match="sft/new: it has written nothing yet"):
        pod_of(make.job("SFTJob", "new", spec=SPEC, plan=PLAN))


def test_what_the_pod_prints_is_the_page(tmp_path: Path) -> None:
    done = run(str(tmp_path), "", "job")
    noise = ["a warning of a library", *done.stdout.splitlines(), "TRIVIUM-RECORD {}"]
    assert done.returncode == 0
    assert open_envelope(noise) == render_report([tmp_path])
    assert max(map(len, noise)) < 16_000


def test_a_directory_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    done = run(str(tmp_path / "nothing"), "", "job")
    assert done.returncode == 1
    assert done.stderr.startswith("FileNotFoundError: ")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("damage", "want"),
    [
        (lambda lines: lines[:-1], "breaks off"),
        (lambda lines: [lines[0], lines[-1]], "damaged"),
        (lambda lines: [lines[0], lines[1][:-40], *lines[2:]], "damaged"),
        (lambda lines: ["TRIVIUM-REPORT 00", *lines[1:]], "its digest differs"),
        (lambda _: ["", "exec: python: not found", ""], "exec: python: not found"),
        (lambda _: [], "it printed nothing"),
    ],
)
def test_a_page_that_did_not_arrive_whole_is_refused(tmp_path: Path, damage, want: str) -> None:
    lines = run(str(tmp_path), "", "job").stdout.splitlines()
    with pytest.raises(ValueError, match=want):
        open_envelope(damage(lines))
