"""The runner over a real store and real processes; entrypoints are shell lines, so that every end can be had."""

import asyncio
import contextlib
import itertools
import json
import shutil
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from trivium.domain.pod_evidence import read_pod_evidence
from trivium.domain.ray_job_state import AttemptState, read_ray_job_state
from trivium.local.attempt import AttemptContext
from trivium.local.intake import Tokens
from trivium.local.machine import Machine
from trivium.local.object_store import ObjectStore
from trivium.local.runner import Runner, cores_of
from trivium.local.snapshots import Snapshots
from trivium.local.state_folder import StateFolder
from trivium.ports import ObjectKey

pytestmark = pytest.mark.slow


class Machinery:
    """One process's worth of embedded cluster."""

    def __init__(self, folder: Path, *, cores: int = 2) -> None:
        self.state = StateFolder(folder)
        uids = itertools.count(1)
        self.store = ObjectStore(
            Snapshots(self.state.objects),
            clock=lambda: datetime.now(UTC),
            new_uid=lambda: f"uid-{next(uids)}-{id(self)}",
        )
        self.tokens = Tokens()
        self.grace_seconds = 3.0
        self.runner = Runner(
            AttemptContext(
                store=self.store,
                state=self.state,
                machine=Machine(cores=cores, memory_bytes=4 * 1024**3),
                tokens=self.tokens,
                clock=lambda: datetime.now(UTC),
            )
        )
        self.runner.report_lost()

    @contextlib.asynccontextmanager
    async def at_work(self):
        task = asyncio.create_task(self.runner.run())
        try:
            yield self
        finally:
            task.cancel()
            await self.runner.stop(grace_seconds=self.grace_seconds)

    def rayjob(self, name: str) -> dict | None:
        return self.store.get(ObjectKey(kind="RayJob", namespace="default", name=name))

    def folder_of(self, name: str) -> Path:
        return self.state.attempt("default", name)

    async def until(self, condition, *, seconds: float = 30) -> None:
        """Wait for files as well as for objects; the latter have an event, the former do not."""
        async with asyncio.timeout(seconds):
            while not condition():  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    async def until_state(self, name: str, *states: AttemptState, seconds: float = 30) -> dict:
        await self.until(lambda: self.rayjob(name) and read_ray_job_state(self.rayjob(name)) in states, seconds=seconds)
        return self.rayjob(name)

    def evidence(self, name: str):
        pod = self.store.get(ObjectKey(kind="Pod", namespace="default", name=f"{name}-local-head"))
        return read_pod_evidence(pod or {})


def rayjob(name: str, entrypoint: str, *, cpus: str = "1", owner: str = "job-1", volumes=(), mounts=(), env=()) -> dict:
    container = {"name": "ray-head", "env": list(env), "volumeMounts": list(mounts)}
    worker = {"name": "ray-worker", "resources": {"limits": {"cpu": cpus}}}
    return {
        "apiVersion": "ray.io/v1",
        "kind": "RayJob",
        "metadata": {"name": name, "namespace": "default", "labels": {"trivium.dev/job": owner}},
        "spec": {
            "entrypoint": entrypoint,
            "rayClusterSpec": {
                "headGroupSpec": {"template": {"spec": {"containers": [container], "volumes": list(volumes)}}},
                "workerGroupSpecs": [{"replicas": 1, "template": {"spec": {"containers": [worker]}}}],
            },
        },
    }


def job(name: str = "job-1") -> dict:
    return {"apiVersion": "trivium.dev/v1alpha1", "kind": "SFTJob", "metadata": {"name": name, "namespace": "default"}}


def owned(manifest: dict, owner: dict) -> dict:
    reference = {"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": owner["metadata"]["name"]}
    reference |= {"uid": owner["metadata"]["uid"], "controller": True}
    return {**manifest, "metadata": {**manifest["metadata"], "ownerReferences": [reference]}}


async def test_an_entrypoint_runs_in_its_mounts_and_succeeds(tmp_path: Path) -> None:
    machinery = Machinery(tmp_path / "state")
    volumes = [
        {"name": "runs", "persistentVolumeClaim": {"claimName": "runs"}},
        {"name": "config", "configMap": {"name": "run"}},
        {"name": "token", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}},
        {"name": "home", "emptyDir": {}},
    ]
    mounts = [{"name": v["name"], "mountPath": f"/trivium/{v['name']}"} for v in volumes]
    env = [{"name": "HOME", "value": "/trivium/home"}, {"name": "WHO", "value": "me"}]
    entrypoint = (
        "cd $TRIVIUM_MOUNT_ROOT/trivium && cat config/run.json token/token > runs/seen"
        " && env > runs/environment && echo hello"
    )
    machinery.store.create(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "run", "namespace": "default"},
            "data": {"run.json": "{}"},
        }
    )
    machinery.store.create(rayjob("a", entrypoint, volumes=volumes, mounts=mounts, env=env))
    async with machinery.at_work():
        ended = await machinery.until_state("a", AttemptState.SUCCEEDED)
    claim = machinery.state.claim("default", "runs")
    seen, environment = (claim / "seen").read_text(), (claim / "environment").read_text()
    assert seen.startswith("{}")
    assert len(seen) > 2 + 20  # and a token
    assert "WHO=me" in environment
    assert "HOME=/trivium/home" not in environment
    assert json.loads(environment.split("TRIVIUM_LOCAL_RAY=")[1].split("\n")[0])["num_cpus"] == 2
    assert (machinery.folder_of("a") / "driver.log").read_text() == "hello\n"
    assert ended["status"]["rayClusterName"] == "a-local"
    assert {"startTime", "endTime", "jobId"} <= ended["status"].keys()
    assert not list(machinery.folder_of("a").glob("ray-folder"))


async def test_a_failure_carries_the_logs_tail_and_the_exit_code(tmp_path: Path) -> None:
    machinery = Machinery(tmp_path)
    machinery.store.create(rayjob("a", "echo first; echo last >&2; exit 65"))
    async with machinery.at_work():
        failed = await machinery.until_state("a", AttemptState.FAILED)
    assert failed["status"]["reason"] == "AppFailed"
    assert failed["status"]["message"].endswith("first\nlast")
    assert machinery.evidence("a").exit_code == 65


async def test_the_token_is_valid_while_the_attempt_runs_and_not_after(tmp_path: Path) -> None:
    machinery = Machinery(tmp_path)
    volumes = [{"name": "token", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}]
    mounts = [{"name": "token", "mountPath": "/trivium/token"}]
    owner = machinery.store.create(job())
    machinery.store.create(owned(rayjob("a", "sleep 1000", volumes=volumes, mounts=mounts), owner))
    async with machinery.at_work():
        await machinery.until_state("a", AttemptState.RUNNING)
        token = (machinery.folder_of("a") / "root/trivium/token/token").read_text()
        assert machinery.tokens.sender(token).job_uid == owner["metadata"]["uid"]
    assert machinery.tokens.sender(token) is None


async def test_a_deleted_rayjob_ends_its_processes_before_the_same_jobs_next_attempt_starts(tmp_path: Path) -> None:
    machinery = Machinery(tmp_path)
    owner = machinery.store.create(job())
    order = tmp_path / "order"
    # The first attempt takes its time to end; the second one must not overlap with it.
    ready = tmp_path / "ready"
    stubborn = f"trap 'sleep 0.3; echo first-ended >> {order}; exit 1' TERM; touch {ready}; sleep 1000 & wait"
    machinery.store.create(owned(rayjob("a", stubborn), owner))
    async with machinery.at_work():
        await machinery.until(ready.exists)
        machinery.store.delete(ObjectKey(kind="RayJob", namespace="default", name="a"))
        machinery.store.create(owned(rayjob("b", f"echo second-started >> {order}"), owner))
        await machinery.until_state("b", AttemptState.SUCCEEDED)
    assert order.read_text().split() == ["first-ended", "second-started"]
    assert machinery.store.list_all("Pod")[0]["metadata"]["name"] == "b-local-head"


async def test_a_deleted_jobs_ray_folder_goes_also_when_the_attempts_folder_is_gone(tmp_path: Path) -> None:
    machinery = Machinery(tmp_path)
    machinery.store.create(rayjob("a", "sleep 1000"))
    async with machinery.at_work():
        await machinery.until_state("a", AttemptState.RUNNING)
        ray_folder = Path((machinery.folder_of("a") / "ray-folder").read_text())
        await machinery.until(ray_folder.is_dir)
        assert stat.S_IMODE(ray_folder.stat().st_mode) == 0o700  # noqa: ASYNC240 - a test waits for nobody
        shutil.rmtree(machinery.folder_of("a"))
        machinery.store.delete(ObjectKey(kind="RayJob", namespace="default", name="a"))
        await machinery.until(lambda: not ray_folder.exists())


async def test_folders_of_attempts_that_nobody_knows_are_swept(tmp_path: Path) -> None:
    machinery = Machinery(tmp_path)
    machinery.store.create(rayjob("live", "true"))
    for name in ("live", "kept", "forgotten"):
        machinery.folder_of(name).mkdir(parents=True)
    machinery.runner.sweep_folders({"default/kept"})
    assert sorted(path.name for path in machinery.folder_of("live").parent.iterdir()) == ["kept", "live"]


@pytest.mark.parametrize(("hurries", "want"), [(False, "saved"), (True, "asked")])
async def test_an_interrupted_driver_may_save_unless_the_person_hurries(
    tmp_path: Path, hurries: bool, want: str
) -> None:
    machinery = Machinery(tmp_path)
    machinery.grace_seconds = 60
    word, ready = tmp_path / "word", tmp_path / "ready"
    saving = f"until [ -e {tmp_path}/may-save ]; do sleep 0.05; done; echo saved > {word}; exit 0"
    machinery.store.create(
        rayjob("a", f"trap 'echo asked > {word}; {saving}' TERM; touch {ready}; while :; do sleep 0.05; done")
    )
    async with machinery.at_work():
        await machinery.until(ready.exists)
        stopping = asyncio.create_task(machinery.runner.stop(grace_seconds=60))
        await machinery.until(word.exists)
        if hurries:
            machinery.runner.hurry()
        else:
            (tmp_path / "may-save").touch()
        await stopping
    assert word.read_text().strip() == want


async def test_attempts_wait_for_cores_in_the_order_of_their_arrival(tmp_path: Path) -> None:
    machinery = Machinery(tmp_path, cores=2)
    gate = tmp_path / "gate"
    wait = f"while [ ! -e {gate} ]; do sleep 0.02; done"
    for name, cpus in (("a", "1"), ("b", "2"), ("c", "1")):
        machinery.store.create(rayjob(name, wait, cpus=cpus))
    async with machinery.at_work():
        await machinery.until_state("a", AttemptState.RUNNING)
        await asyncio.sleep(0)
        assert [machinery.rayjob(name).get("status") for name in "bc"] == [None, None]
        gate.touch()
        for name in "abc":
            await machinery.until_state(name, AttemptState.SUCCEEDED)


async def test_an_attempt_larger_than_the_machine_runs_alone(tmp_path: Path) -> None:
    machinery = Machinery(tmp_path, cores=2)
    machinery.store.create(rayjob("a", "exit 0", cpus="64"))
    async with machinery.at_work():
        await machinery.until_state("a", AttemptState.SUCCEEDED)


async def test_a_missing_secret_is_shown_as_a_kubelet_would_and_mended_while_it_waits(tmp_path: Path) -> None:
    machinery = Machinery(tmp_path)
    volumes = [{"name": "hub", "secret": {"secretName": "trivium-hub"}}]
    mounts = [{"name": "hub", "mountPath": "/trivium/credentials/hub"}]
    machinery.store.create(
        rayjob("a", "cat $TRIVIUM_MOUNT_ROOT/trivium/credentials/hub/token", volumes=volumes, mounts=mounts)
    )
    async with machinery.at_work():
        await machinery.until_state("a", AttemptState.STARTING)
        await machinery.until(lambda: machinery.evidence("a").configuration_error)
        folder = machinery.state.secret("default", "trivium-hub")
        folder.mkdir(parents=True)
        (folder / "token").write_text("x")
        await machinery.until_state("a", AttemptState.SUCCEEDED)


async def test_an_attempt_that_a_dead_process_left_is_reported_as_taken_by_its_node(tmp_path: Path) -> None:
    before = Machinery(tmp_path)
    before.store.create(rayjob("a", "sleep 1000"))
    before.store.create(rayjob("b", "true", cpus="2"))  # still waiting for cores
    async with before.at_work():
        await before.until_state("a", AttemptState.RUNNING)
    after = Machinery(tmp_path)
    async with after.at_work():
        for name in "ab":
            assert read_ray_job_state(after.rayjob(name)) == AttemptState.FAILED
            assert after.evidence(name).disruption == "TerminationByKubelet"


async def test_an_attempt_that_the_machine_refuses_is_reported(tmp_path: Path) -> None:
    machinery = Machinery(tmp_path)
    machinery.folder_of("a").parent.mkdir(parents=True)
    machinery.folder_of("a").write_text("a file where a folder must be")
    machinery.store.create(rayjob("a", "true"))
    async with machinery.at_work():
        failed = await machinery.until_state("a", AttemptState.FAILED)
    assert failed["status"]["reason"] == "SubmissionFailed"
    assert "could not be run" in failed["status"]["message"]


def test_cores_are_those_of_the_workers() -> None:
    assert cores_of(rayjob("a", "true", cpus="500m")) == 1
    two = rayjob("a", "true", cpus="2")
    two["spec"]["rayClusterSpec"]["workerGroupSpecs"][0]["replicas"] = 3
    assert cores_of(two) == 6


PROBE = """
import json, os, pathlib, ray
ray.init(**json.loads(os.environ["TRIVIUM_LOCAL_RAY"]), logging_level="ERROR")
ready, other = (pathlib.Path(os.environ["MEETING"]) / name for name in (os.environ["ME"], os.environ["YOU"]))
remote = ray.remote(lambda: os.environ["ME"])
assert ray.get(remote.remote()) == os.environ["ME"]
ready.touch()
import time
while not other.exists():  # both clusters are up at the same time
    time.sleep(0.1)
assert ray.get(remote.remote()) == os.environ["ME"]
print(ray.get_runtime_context().gcs_address)
"""


@pytest.mark.timeout(300)
async def test_two_rays_side_by_side_do_not_meet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    (tmp_path / "probe.py").write_text(PROBE)
    machinery = Machinery(tmp_path / "state", cores=2)
    for me, you in (("a", "b"), ("b", "a")):
        env = [{"name": "ME", "value": me}, {"name": "YOU", "value": you}, {"name": "MEETING", "value": str(tmp_path)}]
        machinery.store.create(rayjob(me, f"python {tmp_path}/probe.py", owner=me, env=env))
    async with machinery.at_work():
        for name in "ab":
            await machinery.until_state(name, AttemptState.SUCCEEDED, AttemptState.FAILED, seconds=280)
    logs = [(machinery.folder_of(name) / "driver.log").read_text() for name in "ab"]
    assert [machinery.rayjob(name)["status"]["jobStatus"] for name in "ab"] == ["SUCCEEDED", "SUCCEEDED"], logs
    assert logs[0] != logs[1]
    assert not (home / ".ray").exists()  # the tokens are the attempts' own
    assert not list(machinery.state.root.glob("attempts/*/*/ray-folder"))
