"""An operator with many jobs that train and say nothing new: what a pass over one costs, and what it keeps of each.

One job is brought to a running training attempt by the real controller over the embedded cluster's object store; the
others are its copies, under names and uids of their own. Nothing is written in the window, or the side fails.
"""

import asyncio
import json
import random
import sys
import time
import tracemalloc
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

from trivium.controller import Controller, Reporter
from trivium.domain.report import ProgressReport
from trivium.local.cluster import LocalCluster
from trivium.local.object_store import Journal, ObjectStore
from trivium.ports import Manifest, ObjectKey
from trivium.reconcile import Settings, reconcile
from trivium.store import WATCHED_KINDS, Store, controller_uid

NAMESPACE = "team"
START = datetime(2026, 1, 1, tzinfo=UTC)
_ROUNDS = 8
_INSPECTION = {
    "architecture": {
        "model_type": "llama",
        "hidden_size": 2048,
        "num_hidden_layers": 16,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "intermediate_size": 8192,
        "vocab_size": 128_256,
        "tie_word_embeddings": True,
    },
    "parameters": 1_235_814_400,
    "vocabulary": 128_256,
    "packing": False,
    "maxLength": 2048,
    "trainSequences": 64_000,
    "trainExamples": 64_000,
    "trainTokens": 32_000_000,
    "lengthHistogram": {str(2**power): 9000 for power in range(5, 12)},
    "sources": [{"name": "train[0]", "files": 8, "rows": 64_000, "tokens": 40_000_000, "trainedTokens": 32_000_000,
                 "digest": "sha256:" + 64 * "0"}],
    "preparedKey": 64 * "1",
    "tokenizerDigest": "sha256:" + 64 * "2",
}  # fmt: skip
_PROFILE = {
    "apiVersion": "trivium.dev/v1alpha1",
    "kind": "ComputeProfile",
    "metadata": {"name": "h100"},
    "spec": {
        "default": True,
        "image": "registry.example/trainer@sha256:" + 64 * "3",
        "rayVersion": "2.60.0",
        "worker": {"cpu": 16, "memory": "200Gi"},
        "gpu": {"resource": "nvidia.com/gpu", "memory": "80Gi", "peakTFLOPS": {"bfloat16": 989}, "perNode": 8},
        "storage": {"runs": {"claimName": "runs"}},
    },
}
_JOB = {
    "apiVersion": "trivium.dev/v1alpha1",
    "kind": "SFTJob",
    "metadata": {"name": "job-00000", "namespace": NAMESPACE},
    "spec": {
        "model": {"from": {"hub": {"repo": "organization/model"}}},
        "data": {"train": [{"from": {"hub": {"repo": "organization/data"}}}], "maxLength": 2048},
        "optimization": {"steps": 1000, "globalBatchSize": 64},
        "compute": {"workers": 2, "gpusPerWorker": 8},
        "sampling": {"prompts": ["What is a treaty?", "How do I reset my password?"]},
    },
}


class _InMemory(Journal):
    """Keeps nothing: the objects are in the store."""

    def load(self) -> tuple[list[Any], int]:
        return [], 0

    def write(self, key: ObjectKey, manifest: Any) -> None:
        del key, manifest

    def remove(self, key: ObjectKey, *, revision: int) -> None:
        del key, revision


class _Clock:
    def __init__(self) -> None:
        self.time = START

    def now(self) -> datetime:
        return self.time

    async def wait(self, event: asyncio.Event, *, until: datetime | None) -> None:
        await asyncio.sleep(0)
        if not event.is_set() and until is not None:
            self.time = max(self.time, until)


class _ReadOnly:
    """ports.Cluster for the window: an idle pass neither writes nor asks."""

    def __getattr__(self, name: str) -> NoReturn:
        raise AssertionError(f"a pass over an idle job called {name}")


class Seed:
    """One job, its children and its newest report, in the middle of training."""

    def __init__(self) -> None:
        self.clock = _Clock()
        numbers = iter(range(1, 1_000_000))
        self.objects = ObjectStore(_InMemory(), clock=self.clock.now, new_uid=lambda: f"00000000-{next(numbers):08}")
        self.settings = Settings(listening_since=START, progress_url="https://trivium.trivium:8443/v1alpha1/progress")
        self.store = Store()
        cluster = LocalCluster(self.objects, events=Path("/dev/null"))
        self.controller = Controller(self.store, cluster, self.settings, self.clock)
        self._sequence = 0

    async def grow(self) -> None:
        """Through `prepare` into the hundredth step of `train`."""
        self.objects.create(_PROFILE)
        self.objects.create(_JOB)
        await self._report(activity="prepare", inspection=_INSPECTION)
        end = {"outcome": "complete", "stage": "prepare"}
        await self._report(activity="finish", inspection=_INSPECTION, end=end)
        self._set_ray_job("Complete", "SUCCEEDED")
        await self._settle()
        for _ in range(3):
            await self._report(activity="step", step=100, totalSteps=1000, tokens=3_200_000, loss=1.5, worldSize=16)
            self.clock.time += timedelta(seconds=30)
        await self._settle()

    def manifests(self) -> dict[str, list[Any]]:
        """What a list of each watched kind holds."""
        return {kind: self.objects.list_all(kind) for kind in WATCHED_KINDS}

    async def _report(self, **fields: Any) -> None:
        await self._settle()
        self._set_ray_job("Running", "RUNNING")
        await self._settle()
        (ray_job,) = self.objects.list_all("RayJob")
        uid = str(controller_uid(ray_job))
        stage = ray_job["metadata"]["labels"]["trivium.dev/stage"]
        self._sequence += 1
        api_version = "progress.trivium.dev/v1alpha1"
        report = {"apiVersion": api_version, "jobUid": uid, "stage": stage, "sequence": self._sequence, **fields}
        sending = asyncio.ensure_future(self.controller.on_report(report, Reporter(job_uid=uid)))
        while not sending.done():
            await asyncio.sleep(0)
            await self._settle()
        await sending

    def _set_ray_job(self, deployment: str, job: str) -> None:
        for ray_job in self.objects.list_all("RayJob"):
            name = f"{ray_job['metadata']['name']}-x"
            status = {"jobDeploymentStatus": deployment, "jobStatus": job, "rayClusterName": name}
            self.objects.replace_status({**ray_job, "status": status})

    async def _settle(self) -> None:
        """A job's longest way from rest to rest: each round shows the operator what it wrote in the one before."""
        for _ in range(_ROUNDS):
            await self.controller.resync()
            while (key := self.controller.pop()) is not None:
                await self.controller.one_pass(key)


def copies(manifests: dict[str, list[Any]], count: int) -> dict[str, list[Manifest]]:
    """The seed's objects `count` times; each copy is parsed anew, as from an API server, and shares nothing."""
    text = {kind: json.dumps(found) for kind, found in manifests.items()}
    made: dict[str, list[Manifest]] = {kind: [] for kind in manifests}
    for number in range(count):
        for kind, found in text.items():
            if kind == "ComputeProfile":
                made[kind] = json.loads(found)
            else:
                changed = found.replace("job-00000", f"job-{number:05}").replace('"00000000-', f'"{number:08x}-')
                made[kind] += json.loads(changed)
    return made


async def measure(task: dict[str, Any]) -> dict[str, float]:
    """{"passSeconds": CPU time of one pass, "bytesPerJob": what the store keeps of a job with its children}."""
    seed = Seed()
    await seed.grow()
    lists = copies(seed.manifests(), task["jobs"])
    ((_, attempt), newest) = next(iter(seed.store._reports.items()))  # noqa: SLF001 nobody else needs to see all
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    store = Store()
    for kind, manifests in lists.items():
        store.replace(kind, manifests)
    for key in store.job_keys():
        uid = _uid(store, key)
        said = ProgressReport.model_validate(json.loads(newest.report.model_dump_json()) | {"job_uid": uid})
        store.put_report(uid, attempt, said, now=newest.received_at)
    kept = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    keys = _sample(store.job_keys(), task["passes"])
    seconds = await _passes(keys, store=store, seed=seed)
    return {"passSeconds": seconds / len(keys), "bytesPerJob": kept / task["jobs"]}


def _uid(store: Store, key: ObjectKey) -> str:
    manifest = store.get(key)
    assert manifest is not None
    return str(manifest["metadata"]["uid"])


def _sample(keys: Sequence[ObjectKey], count: int) -> list[ObjectKey]:
    return random.Random(1).choices(keys, k=count)


async def _passes(keys: Sequence[ObjectKey], *, store: Store, seed: Seed) -> float:
    """CPU seconds of a pass over each key, after one of each to warm up."""
    for warm in (True, False):
        begin = time.process_time()
        for key in keys[: 20 if warm else len(keys)]:
            outcome = await reconcile(
                key, now=seed.clock.now(), store=store, cluster=_ReadOnly(), settings=seed.settings
            )
            assert not outcome.recorded, f"{key.name} had news"
    return time.process_time() - begin


def main() -> None:
    task = json.loads(Path(sys.argv[1]).read_text())
    Path(task["result"]).write_text(json.dumps(asyncio.run(measure(task))))


if __name__ == "__main__":
    main()
