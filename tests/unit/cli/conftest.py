"""Builders of jobs with a status, as a fixture: importlib mode puts no folder of tests on the path."""

from types import SimpleNamespace
from typing import Any

import pytest


def sft_job(name: str = "a", *, uid: str | None = None, namespace: str = "default", **status: Any) -> dict[str, Any]:
    return job("SFTJob", name, uid=uid, namespace=namespace, **status)


def job(
    kind: str,
    name: str,
    *,
    uid: str | None = None,
    namespace: str = "default",
    spec: dict[str, Any] | None = None,
    **status: Any,
) -> dict[str, Any]:
    manifest: dict[str, Any] = {
        "apiVersion": "trivium.dev/v1alpha1",
        "kind": kind,
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": uid or f"uid-{kind}-{name}",
            "generation": 1,
            "resourceVersion": "1",
            "creationTimestamp": "2026-11-23T12:00:00Z",
        },
        "spec": spec or {"model": {"from": {"hub": {"repo": "a/b"}}}},
    }
    return {**manifest, "status": {"observedGeneration": 1, **status}} if status else manifest


def condition(kind: str, status: str, reason: str, message: str = "") -> dict[str, str]:
    return {"type": kind, "status": status, "reason": reason, "message": message}


@pytest.fixture(scope="session")
def make() -> SimpleNamespace:
    return SimpleNamespace(sft_job=sft_job, job=job, condition=condition)
