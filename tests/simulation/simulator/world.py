"""The parts of one history put together, and who is told what."""

import random as randomness
from typing import Any

from simulator import manifests
from simulator.api_server import ApiServer
from simulator.connection import LEASE
from simulator.disk import Disk
from simulator.invariants import Checks
from simulator.kuberay import KubeRay, Run
from simulator.kueue import Kueue
from simulator.loop import VirtualLoop
from simulator.nodes import Node, Nodes
from simulator.operators import OperatorProcess
from simulator.script import Script
from simulator.trainer import Driver, Pace
from trivium.leader import LeaseTiming
from trivium.ports import Manifest, ObjectKey
from trivium.store import JOB_KINDS, key_of

_LEASE = {"name": LEASE.name, "namespace": LEASE.namespace}  # empty: as the chart makes it
NODES = 4
GPUS_PER_NODE = 4


class World:
    """One cluster, two replicas of the operator, and what they control."""

    def __init__(
        self, script: Script, loop: VirtualLoop, *, pace: Pace | None = None, recovery: dict[str, Any] | None = None
    ) -> None:
        self.script, self.loop, self.pace = script, loop, pace or Pace()
        self._recovery = recovery or {}
        self.max_restarts = int(self._recovery.get("maxRestarts", manifests.MAX_RESTARTS))
        self.random = randomness.Random(script.seed)
        self.skews = script.skews
        self.bad_data = frozenset(script.bad_data)
        self.checkpoint_every = 10
        self.server = ApiServer(loop)
        self.checks = Checks(self)
        self.disk = Disk()
        self.mounted: dict[str, Manifest] = {}
        """ConfigMaps by name, also those that are gone: a running pod holds what it mounted."""
        self.pods_made = 0
        self.intake_down_until = 0.0
        self.falsely_failed: set[str] = set()
        """RayJob uids whose driver's exit code will get lost."""
        names = [f"node-{number}" for number in range(NODES)]
        nodes = {name: Node(name=name, gpus=GPUS_PER_NODE) for name in names}
        self.nodes = Nodes(loop=loop, server=self.server, random=self.random, nodes=nodes)
        self.kuberay = KubeRay(self, version=script.kuberay)
        self.kueue = Kueue(self, default_queue=script.default_queue)
        self.server.listeners.append(self._hear)
        self.operators: dict[int, OperatorProcess] = {}
        self._processes = 0
        # With nobody to take over, fewer looks tell the same story sooner.
        self.lease_timing = (
            LeaseTiming() if script.replicas > 1 else LeaseTiming(duration=45, renew_deadline=40, retry=15)
        )
        self.server.create({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": _LEASE, "spec": {}})
        for profile in manifests.profiles(queue=script.profile_queue):
            self.server.create(profile)
        self.jobs = [self._key(number) for number in range(len(script.jobs))]

    # The operator

    def start_operator(self, replica: int) -> None:
        self._processes += 1
        self.operators[replica] = OperatorProcess(self, replica=replica, number=self._processes)

    def holder(self) -> OperatorProcess | None:
        """The process that acts, or acted last and may not know that it does not any more."""
        leading = [one for one in self.operators.values() if one.is_leading]
        return max(leading, key=lambda one: one.leading_since, default=None)

    def intake(self) -> OperatorProcess | None:
        """Where reports arrive: the holder writes its own address into the EndpointSlice."""
        return None if self.loop.time() < self.intake_down_until else self.holder()

    # Jobs

    def _key(self, number: int) -> ObjectKey:
        kind = self.script.jobs[number].kind
        return ObjectKey(kind=kind, namespace=manifests.NAMESPACE, name="abcdef"[number])

    def create_job(self, number: int) -> None:
        plan, key = self.script.jobs[number], self.jobs[number]
        upstream = None if plan.upstream is None else (self.jobs[plan.upstream].kind, self.jobs[plan.upstream].name)
        manifest = manifests.job(
            key.name, kind=key.kind, steps=plan.steps, workers=plan.workers, every=plan.every, upstream=upstream
        )
        manifest["spec"]["recovery"] |= self._recovery
        if plan.suspended:
            manifest["spec"]["runPolicy"] = {"suspend": True}
        self.server.create(manifest)

    def edit(self, key: ObjectKey, **blocks: Any) -> bool:
        """A user's edit of a job's spec; blocks are merged one level deep."""
        live = self.server.get(key)
        if live is None:
            return False
        spec = dict(live["spec"])
        for name, block in blocks.items():
            spec[name] = {**spec.get(name, {}), **block}
        self.server.update(key, spec=spec)
        return True

    def create_if_absent(self, manifest: Manifest) -> None:
        if self.server.get(key_of(manifest)) is None:
            self.server.create(manifest)

    def ray_job_of(self, number: int) -> Manifest | None:
        """The RayJob of a job, if it has one that is not being deleted."""
        live = self.server.get(self.jobs[number])
        if live is None:
            return None
        found = self.server.owned_by(live["metadata"]["uid"], "RayJob")
        return next((one for one in found if not one["metadata"].get("deletionTimestamp")), None)

    def run_of(self, number: int) -> Run | None:
        """What KubeRay made of a job's RayJob."""
        ray_job = self.ray_job_of(number)
        return self.kuberay.run_of(ray_job["metadata"]["uid"]) if ray_job is not None else None

    def driver_of(self, number: int) -> Driver | None:
        """The driver that runs for a job."""
        run = self.run_of(number)
        driver = run.driver if run is not None else None
        return driver if driver is not None and driver.is_alive else None

    # What the parts tell each other

    def _hear(self, event: str, manifest: Manifest) -> None:
        if manifest["kind"] == "ConfigMap" and event == "ADDED":
            self.mounted[manifest["metadata"]["name"]] = manifest
        self.checks.on_change(event, manifest)

    def is_job(self, manifest: Manifest) -> bool:
        return manifest["kind"] in JOB_KINDS

    def number_of(self, manifest: Manifest) -> int:
        return self.jobs.index(key_of(manifest))
