"""What users and the platform team apply: small jobs, one GPU profile, one CPU profile."""

from typing import Any

NAMESPACE = "team"
ARCHITECTURE = {
    "model_type": "llama",
    "hidden_size": 192,
    "num_hidden_layers": 4,
    "num_attention_heads": 6,
    "num_key_value_heads": 6,
    "intermediate_size": 512,
    "vocab_size": 4096,
    "tie_word_embeddings": True,
}
INSPECTION = {
    "architecture": ARCHITECTURE,
    "parameters": 2_557_632,
    "vocabulary": 4096,
    "packing": False,
    "maxLength": 256,
    "trainSequences": 640,
    "trainExamples": 640,
    "trainTokens": 64_000,
    "preparedKey": "k",
    "tokenizerDigest": "t",
}
HANG_TIMEOUT_SECONDS = 60
START_TIMEOUT_SECONDS = 600
MAX_RESTARTS = 4
Manifest = dict[str, Any]


def profiles(*, queue: str | None = None) -> list[Manifest]:
    """GPUs to train on, and CPUs for the stage that needs none; all of them in a queue, if there is one."""
    common: Manifest = {"image": "registry.example/trainer@sha256:1", "rayVersion": "2.60.0"}
    if queue is not None:
        common["queue"] = {"allowed": [queue], "default": queue}
    storage = {"storage": {"runs": {"claimName": "runs"}}}
    gpu = {
        **common,
        **storage,
        "default": True,
        "prepareProfile": "cpu",
        "worker": {"cpu": 4, "memory": "32Gi"},
        "gpu": {"memory": "80Gi", "peakTFLOPS": {"bfloat16": 989}, "perNode": 2},
    }
    cpu = {**common, **storage, "worker": {"cpu": 4, "memory": "8Gi"}}
    return [_profile("gpu", gpu), _profile("cpu", cpu)]


def _profile(name: str, spec: Manifest) -> Manifest:
    return {"apiVersion": "trivium.dev/v1alpha1", "kind": "ComputeProfile", "metadata": {"name": name}, "spec": spec}


def job(name: str, *, kind: str, steps: int, workers: int, every: int, upstream: tuple[str, str] | None) -> Manifest:
    """A job of any kind; `upstream` is the (kind, name) that it goes on from."""
    source: Manifest = {"hub": {"repo": "some/model"}}
    if upstream is not None:
        source = {"job": {"kind": upstream[0], "name": upstream[1]}}
    spec = {
        "model": {"from": source},
        "data": {"train": [{"from": {"hub": {"repo": "some/data"}}}], "maxLength": 256},
        "optimization": {"steps": steps, "globalBatchSize": 32, "microBatchSize": 4},
        "compute": {"workers": workers, "gpusPerWorker": 2, "workerStartTimeoutSeconds": START_TIMEOUT_SECONDS},
        "storage": {"checkpoints": {"every": {"steps": every}}},
        "recovery": {
            "maxRestarts": MAX_RESTARTS,
            "backoff": {"initialSeconds": 5, "maxSeconds": 30},
            "hangTimeoutSeconds": HANG_TIMEOUT_SECONDS,
        },
    }
    if kind == "PreferenceJob":
        spec["method"] = {"dpo": {}}
    metadata = {"name": name, "namespace": NAMESPACE}
    return {"apiVersion": "trivium.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec}
