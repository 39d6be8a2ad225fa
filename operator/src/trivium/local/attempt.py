"""One RayJob executed on this machine: mounts, token, a Ray of its own, and the driver's whole life.

Writes what KubeRay and the kubelet would write (ray_objects.py), in the same order, and nothing that they would not.
"""

import asyncio
import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from trivium.local import ray_objects
from trivium.local.driver_process import GRACE_SECONDS, DriverProcess
from trivium.local.intake import Sender, Tokens
from trivium.local.machine import Machine, oom_kills
from trivium.local.mounts import ContainerConfigError, PodMounts
from trivium.local.object_store import ObjectStore, key_of
from trivium.local.ray_environment import driver_environment, ray_arguments
from trivium.local.state_folder import StateFolder
from trivium.ports import ConflictError, Manifest, NotFoundError, ObjectKey

DRIVER_LOG = "driver.log"
RAY_LOGS = "ray-logs"
_RAY_FOLDER = "ray-folder"  # names the Ray temporary folder, so that the next process can remove what a kill left
_RAY_INSIDE = "ray"  # Ray opens its temporary folder to everybody (0777); the one around it stays ours alone
_MOUNT_RETRY_SECONDS = 2.0
_LOG_TAIL_BYTES = 64 * 1024  # ten lines of 4 KiB and room
# Ray's socket paths are some 66 characters below its temporary folder, ours adds 17, and Linux cuts them at 107.
_LONGEST_TEMPORARY = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptContext:
    """What all attempts of a process share."""

    store: ObjectStore
    state: StateFolder
    machine: Machine
    tokens: Tokens
    clock: Callable[[], datetime]


class Attempt:
    """The execution of one RayJob; `run` returns when nothing of it is left."""

    def __init__(self, context: AttemptContext, rayjob: Manifest) -> None:
        self._context = context
        self._rayjob = rayjob
        self._namespace = rayjob["metadata"]["namespace"]
        self._name = rayjob["metadata"]["name"]
        self._cluster = f"{self._name}-local"
        self._pod_spec: dict[str, Any] = rayjob["spec"]["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]
        self._container: str = self._pod_spec["containers"][0]["name"]
        self.folder = context.state.attempt(self._namespace, self._name)
        owners = rayjob["metadata"].get("ownerReferences", [])
        self._ray_folder: Path | None = None
        self._driver: DriverProcess | None = None
        self.grace_seconds: float = GRACE_SECONDS
        """What a cancelled attempt leaves its driver."""
        # Without a controller, it is a job of its own.
        self.job_uid = next((one["uid"] for one in owners if one.get("controller")), rayjob["metadata"]["uid"])

    async def run(self) -> None:
        """Execute to the end. Cancelling ends the driver and everything below it first."""
        sender = Sender(namespace=self._namespace, rayjob=self._name, ray_cluster=self._cluster, job_uid=self.job_uid)
        token = self._context.tokens.issue(sender)
        started = self._context.clock()
        self._update_job(lambda _: ray_objects.initializing(ray_cluster=self._cluster, at=started))
        pod = ensure_pod(self._context.store, self._rayjob, self._cluster)
        try:
            environment = await self._prepare(pod, token)
            await self._execute(pod, environment)
        finally:
            self._context.tokens.revoke(token)
            self._remove_ray_folder()

    def hurry(self) -> None:
        """Let a cancelled attempt wait for its driver no longer."""
        if self._driver is not None:
            self._driver.hurry()

    async def _prepare(self, pod: ObjectKey, token: str) -> dict[str, str]:
        """Mounts and environment; like a kubelet, tries again for as long as something to mount is missing."""
        while True:
            try:
                return self._materialize(token)
            except ContainerConfigError as error:
                self._say_waiting(pod, str(error))
            await asyncio.sleep(_MOUNT_RETRY_SECONDS)

    def _say_waiting(self, pod: ObjectKey, message: str) -> None:
        update_status(self._context.store, pod, lambda _: ray_objects.pod_waiting(self._container, message=message))

    def _materialize(self, token: str) -> dict[str, str]:
        mounts = PodMounts(
            state=self._context.state,
            namespace=self._namespace,
            folder=self.folder,
            read_config_map=self._read_config_map,
            token=token,
        )
        self.folder.mkdir(parents=True, exist_ok=True)
        mounts.materialize(self._pod_spec)
        return driver_environment(
            os.environ,
            self._pod_spec,
            field=self._downward_field,
            translate=lambda value: mounts.translate(self._pod_spec, value),
            mount_root=mounts.root,
            ray=ray_arguments(self._context.machine, temporary=self._make_ray_folder()),
        )

    def _make_ray_folder(self) -> Path:
        self._ray_folder = make_ray_folder(self.folder)
        return self._ray_folder / _RAY_INSIDE

    def _remove_ray_folder(self) -> None:
        """Also where a deletion has taken the attempt's folder, and the memory of Ray's with it."""
        if self._ray_folder is not None:
            shutil.rmtree(self._ray_folder, ignore_errors=True)
        remove_ray_folder(self.folder)

    async def _execute(self, pod: ObjectKey, environment: Mapping[str, str]) -> None:
        kills_before = oom_kills()
        log = self.folder / DRIVER_LOG
        work = self.folder / "work"
        work.mkdir(exist_ok=True)
        starting = asyncio.ensure_future(
            DriverProcess.start(self._rayjob["spec"]["entrypoint"], environment=environment, folder=work, log=log)
        )
        try:
            # Shielded: asyncio would kill the supervisor of a start that is cancelled, and not what it supervises.
            driver = self._driver = await asyncio.shield(starting)
            now = self._context.clock()
            update_status(self._context.store, pod, lambda _: ray_objects.pod_running(self._container, at=now))
            self._update_job(lambda status: ray_objects.running(status, job_id=self._name, at=now))
            exit_code = await driver.wait()
        except asyncio.CancelledError:
            driver = self._driver = await starting
            await asyncio.shield(driver.stop(grace_seconds=self.grace_seconds))
            raise
        if exit_code != 0 and self._ray_folder is not None:
            await asyncio.to_thread(keep_ray_logs, self._ray_folder, self.folder)
        now = self._context.clock()
        oom_killed = exit_code != 0 and oom_kills() > kills_before
        update_status(
            self._context.store,
            pod,
            lambda status: ray_objects.pod_ended(status, exit_code=exit_code, oom_killed=oom_killed, at=now),
        )
        tail = read_tail(log)
        self._update_job(lambda status: ray_objects.ended(status, exit_code=exit_code, log=tail, at=now))

    def _read_config_map(self, name: str) -> Mapping[str, str] | None:
        found = self._context.store.get(ObjectKey(kind="ConfigMap", namespace=self._namespace, name=name))
        return None if found is None else found.get("data", {})

    def _downward_field(self, path: str) -> str:
        """The downward API, as far as this machine has answers; addresses are the loopback interface's."""
        metadata = self._rayjob["metadata"]
        known: dict[str, str] = {
            "metadata.name": f"{self._cluster}-head",
            "metadata.namespace": metadata["namespace"],
            "metadata.uid": metadata["uid"],
            "spec.nodeName": "local",
            "status.podIP": "127.0.0.1",
            "status.hostIP": "127.0.0.1",
        }
        return known.get(path, "")

    def _update_job(self, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        update_status(self._context.store, key_of(self._rayjob), change, uid=self._rayjob["metadata"]["uid"])


def update_status(
    store: ObjectStore, key: ObjectKey, change: Callable[[dict[str, Any]], dict[str, Any]], *, uid: str | None = None
) -> None:
    """Read, change, write a status; an object that is gone, or is another by now, is left alone."""
    live = store.get(key)
    if live is None or uid not in (None, live["metadata"]["uid"]):
        return
    live["status"] = change(live.get("status", {}))
    with contextlib.suppress(NotFoundError, ConflictError):
        store.replace_status(live)


def ensure_pod(store: ObjectStore, rayjob: Manifest, cluster: str) -> ObjectKey:
    """The RayCluster and its head pod, made if they are not there; the pod's address."""
    made = ray_objects.ray_cluster(rayjob, name=cluster)
    live = store.get(key_of(made)) or store.create(made)
    pod = ray_objects.head_pod(live)
    if store.get(key_of(pod)) is None:
        store.create(pod)
    return key_of(pod)


def make_ray_folder(attempt: Path) -> Path:
    """Ray's temporary folder, short enough for its sockets, remembered in the attempt's folder."""
    remove_ray_folder(attempt)
    base = tempfile.gettempdir()
    folder = Path(tempfile.mkdtemp(prefix="trv-", dir=base if len(base) <= _LONGEST_TEMPORARY else "/tmp"))  # noqa: S108 - mkdtemp makes it ours alone
    (attempt / _RAY_FOLDER).write_text(str(folder))
    return folder


def remove_ray_folder(attempt: Path) -> None:
    """Remove what a Ray of this attempt left."""
    memory = attempt / _RAY_FOLDER
    if memory.exists():
        shutil.rmtree(memory.read_text(), ignore_errors=True)
        memory.unlink(missing_ok=True)


def keep_ray_logs(ray_folder: Path, attempt: Path) -> None:
    """After a failure: Ray's own logs, beside the driver's."""
    for logs in ray_folder.glob(f"{_RAY_INSIDE}/session_latest/logs"):
        shutil.copytree(logs, attempt / RAY_LOGS, dirs_exist_ok=True, ignore_dangling_symlinks=True)


def read_tail(log: Path) -> str:
    """The end of a log, "" if it was deleted; a multi-byte character cut at the start is replaced."""
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, log.stat().st_size - _LOG_TAIL_BYTES))
            return stream.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
