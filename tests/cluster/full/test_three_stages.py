"""The product as a platform team and a researcher meet it: Helm installs it, three jobs train one after the other.

Real all the way down: API server, kubelet, KubeRay, Pod Security, the operator's image, Ray across pods, torch.
"""

import json
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from testcluster.control_plane import Plane

pytestmark = [pytest.mark.slow, pytest.mark.full]

EXAMPLES = Path(__file__).parents[3] / "examples" / "three-stages"
STAGES = ("pretrain", "sft", "preference")
STEPS = 4
TINY = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
ENDED = ("Succeeded", "Failed")


def test_three_stages_train_from_the_files_of_the_example(installed: Plane, tenant: str, claims: Path) -> None:
    _write_data(claims / "demo-data")
    jobs = [_tiny(yaml.safe_load((EXAMPLES / f"{stage}.yaml").read_text())) for stage in STAGES]

    installed.apply(*(job | {"metadata": job["metadata"] | {"namespace": tenant}} for job in jobs))

    for job in jobs:
        ended = _wait_until_ended(installed, job["kind"], job["metadata"]["name"], namespace=tenant)
        assert ended["status"]["phase"] == "Succeeded", _what_happened(installed, ended, namespace=tenant)
    assert list((claims / "runs").rglob("*.safetensors")), "the claim holds no model"


def _tiny(job: dict[str, Any]) -> dict[str, Any]:
    """The example's job with seconds of work: what is tested is the way, not the model."""
    spec = job["spec"]
    spec["optimization"] |= {"steps": STEPS, "globalBatchSize": 4}
    spec["evaluation"] = {"everySteps": STEPS, "maxSamples": 4}
    spec["sampling"] |= {"maxNewTokens": 4, "prompts": ["Who are you"]}
    spec["storage"]["checkpoints"] = {"every": {"steps": 2}}
    spec["data"]["maxLength"] = 64
    if "architecture" in spec["model"]:
        spec["model"]["architecture"]["config"] |= TINY | {"num_key_value_heads": 2}
        spec["model"]["tokenizer"] = {"train": {"vocabSize": 512}}
    return job


def _write_data(folder: Path) -> None:
    """As make_data.py lays it out, with sentences of one kind."""
    (folder / "pretrain").mkdir()
    for number in range(200):  # one text a file
        (folder / "pretrain" / f"{number}.txt").write_text(f"The square of {number} is {number * number}.\n" * 20)
    for name in ("conversations", "modules"):
        for part in ("train", "held-out"):
            _write_lines(folder / "sft" / f"{name}-{part}.jsonl", [_conversation(number) for number in range(40)])
    for part in ("train", "held-out"):
        lines = [_preference(number) for number in range(40)]
        _write_lines(folder / "preferences" / f"derived-preferences-{part}.jsonl", lines)


def _conversation(number: int) -> dict[str, Any]:
    turns = [("user", f"What is the square of {number}?"), ("assistant", f"It is {number * number}.")]
    return {"messages": [{"role": role, "content": content} for role, content in turns]}


def _preference(number: int) -> dict[str, Any]:
    question, answer = _conversation(number)["messages"]
    longer = {"role": "assistant", "content": f"{answer['content']} And there is more to say."}
    return {"prompt": [question], "chosen": [answer], "rejected": [longer]}


def _write_lines(path: Path, lines: list[dict[str, Any]]) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def _wait_until_ended(plane: Plane, kind: str, name: str, *, namespace: str, seconds: float = 600) -> dict[str, Any]:
    """The job as it is when it has ended, or when the time is up."""
    deadline = time.monotonic() + seconds
    while True:
        job: dict[str, Any] = json.loads(plane.kubectl("get", kind, name, "-n", namespace, "-o", "json"))
        if job.get("status", {}).get("phase") in ENDED or time.monotonic() > deadline:
            return job
        time.sleep(1)


def _what_happened(plane: Plane, job: dict[str, Any], *, namespace: str) -> str:
    """For whoever reads a failed test: the cluster is gone by then."""
    parts = [yaml.safe_dump(job.get("status", {}))]
    parts += [plane.kubectl("get", kind, "-n", namespace, "-o", "wide") for kind in ("pods", "rayjobs")]
    parts.append(plane.kubectl("get", "events", "-n", namespace, "--sort-by=.lastTimestamp"))
    parts.append(plane.kubectl("logs", "-n", "trivium-system", "-l", "app.kubernetes.io/name=trivium", "--tail=40"))
    return "\n".join(parts)
