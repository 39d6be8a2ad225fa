"""What a person may order of an embedded cluster: submit, suspend, resume, delete; done by who holds the lock."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trivium.api import JOB_KINDS
from trivium.local.fitting import fit_job
from trivium.local.local_profile import RUNS_CLAIM, local_profiles
from trivium.local.machine import Machine
from trivium.local.object_store import Object, ObjectStore, key_of
from trivium.local.requests import Answer, Order
from trivium.local.state_folder import StateFolder
from trivium.ports import ClusterError, Manifest, ObjectKey, RefusedError

_MANAGER = "trivium-cli"
# A manager of its own: applying the file again neither suspends nor resumes what the file says nothing about.
_SUSPENSION_MANAGER = "trivium-cli-suspend"
SUBMITTED_KINDS = (*JOB_KINDS, "ConfigMap", "PersistentVolumeClaim", "ComputeProfile", "Namespace")


class Orders:
    """Carries out orders on one state folder; needs the lock."""

    def __init__(self, store: ObjectStore, state: StateFolder, machine: Machine) -> None:
        self._store = store
        self._state = state
        self._machine = machine

    def __call__(self, order: Order) -> Answer:
        """Do what is ordered and say what was done (requests.Execute)."""
        try:
            match order:
                case {"verb": "submit", "manifests": list(manifests)}:
                    return Answer(ok=True, message="\n".join(self._submit(manifests)))
                case {"verb": "suspend", "job": job}:
                    return self._suspend(_key(job), suspend=True)
                case {"verb": "resume", "job": job}:
                    return self._suspend(_key(job), suspend=False)
                case {"verb": "delete", "job": job, "runs": bool(runs)}:
                    return self._delete(_key(job), runs=runs)
                case _:
                    return Answer(ok=False, message=f"{order.get('verb')}: this version knows no such order")
        except ClusterError as error:
            return Answer(ok=False, message=str(error))

    def _submit(self, manifests: list[Manifest]) -> list[str]:
        """Apply manifests, jobs last: what they need is there when they are seen. Returns notes for the person."""
        notes: list[str] = []
        jobs: list[Object] = []
        for manifest in manifests:
            if manifest["kind"] in JOB_KINDS:
                fitted, changes = fit_job(manifest, self._machine)
                jobs.append(fitted)
                notes += [f"{manifest['kind']} {manifest['metadata']['name']}: {change}" for change in changes]
            else:
                notes += self._submit_other(manifest)
        known = [job for kind in JOB_KINDS for job in self._store.list_all(kind)]
        for profile in local_profiles([*known, *jobs], self._machine):
            self._store.apply(profile, manager=_MANAGER)
        for job in jobs:
            self._apply_job(job)
        return notes

    def _apply_job(self, job: Object) -> None:
        try:
            self._store.apply(job, manager=_MANAGER)
        except RefusedError as refusal:
            raise RefusedError(f"{job['kind']} {job['metadata']['name']}: {refusal}") from refusal

    def _submit_other(self, manifest: Manifest) -> list[str]:
        metadata = manifest["metadata"]
        match manifest["kind"]:
            case "PersistentVolumeClaim":
                self._state.claim(metadata["namespace"], metadata["name"]).mkdir(parents=True, exist_ok=True)
            case "ComputeProfile":
                return [f"ComputeProfile {metadata['name']}: left out; on one machine every profile is the machine."]
            case "ConfigMap":
                self._store.apply(manifest, manager=_MANAGER)
            case "Namespace":
                return []  # every namespace is there
            case kind:
                known = ", ".join(SUBMITTED_KINDS)
                raise RefusedError(f"kind: {kind} has no meaning on one machine. Known here: {known}.")
        return []

    def _suspend(self, key: ObjectKey, *, suspend: bool) -> Answer:
        live = self._existing(key)
        word = "suspended" if suspend else "resumed"
        if bool((live["spec"].get("runPolicy") or {}).get("suspend")) == suspend:
            return Answer(ok=True, message=f"is {word} already")
        if suspend and _is_over(live):
            return Answer(ok=False, message=f"is over ({live['status']['phase']}): there is nothing to suspend")
        wish = {field: live[field] for field in ("apiVersion", "kind")}
        wish["metadata"] = {"name": key.name, "namespace": key.namespace}
        self._store.apply({**wish, "spec": {"runPolicy": {"suspend": suspend}}}, manager=_SUSPENSION_MANAGER)
        return Answer(ok=True, message="saves a checkpoint and stops" if suspend else "goes on")

    def _delete(self, key: ObjectKey, *, runs: bool) -> Answer:
        live = self._existing(key)
        folder = self._run_directories(live)
        rayjobs = {attempt["rayJob"] for attempt in (live.get("status") or {}).get("attempts", [])}
        self._store.delete(key, uid=live["metadata"]["uid"])
        for name in rayjobs:
            shutil.rmtree(self._state.attempt(key.namespace, name), ignore_errors=True)
        if runs:
            shutil.rmtree(folder, ignore_errors=True)
            return Answer(ok=True, message="is deleted, with everything that it wrote")
        kept = f"; what it wrote stays in {folder}" if folder.is_dir() else ""
        return Answer(ok=True, message=f"is deleted{kept}")

    def _run_directories(self, job: Manifest) -> Path:
        """The folder of this job's run directories, of earlier jobs of the same name too."""
        volume: Mapping[str, Any] = ((job["spec"].get("storage") or {}).get("runs") or {}).get("volume") or {}
        namespace, name = job["metadata"]["namespace"], job["metadata"]["name"]
        claim = self._state.claim(namespace, volume.get("claimName", RUNS_CLAIM))
        return Path(claim, str(volume.get("path") or ""), namespace, job["kind"], name)

    def _existing(self, key: ObjectKey) -> Object:
        live = self._store.get(key)
        if live is None:
            raise RefusedError("is not there any more")
        return live


def _key(raw: Mapping[str, str]) -> ObjectKey:
    return ObjectKey(kind=raw["kind"], namespace=raw["namespace"], name=raw["name"])


def order_key(manifest: Manifest) -> dict[str, str]:
    """A job's address inside an order."""
    key = key_of(manifest)
    return {"kind": key.kind, "namespace": key.namespace, "name": key.name}


def _is_over(job: Manifest) -> bool:
    return (job.get("status") or {}).get("phase") in {"Succeeded", "Failed"}
