"""The CRDs and every rule in them, judged by the API server's own code (see main.go), and by ours: both must agree.

Matrix: each CRD; each rule with a passing and a failing object; each spec field of a job before and after planning;
each field of each kind with a dozen wrong and edge values; each example. Left out: rules' messages in other versions of
Kubernetes, and metadata, which the API server checks in another place.
"""

import copy
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from trivium.api import JOB_KINDS, ComputeProfile, SFTJob, parse_job
from trivium.api.block import Block
from trivium.api.generate.files import KINDS
from trivium.api.mutability import CHANGE_KEY
from trivium.api.resource import GROUP
from trivium.api.rules import Rule
from trivium.api.structural import structural_schema
from trivium.api.validation import find_problems
from trivium.manifest_file import load_documents

from .conftest import CRDS

pytestmark = pytest.mark.slow

EXAMPLES = sorted((Path(__file__).parents[3] / "examples").rglob("*.yaml"))
ROWS = {"from": {"configMap": {"name": "rows"}}}
HUB = {"hub": {"repo": "owner/model"}}
SCRATCH = {"architecture": {"preset": "llama-tiny"}, "tokenizer": {"train": {"vocabSize": 4096}}}
SPECS: dict[str, dict[str, Any]] = {
    "PretrainJob": {"model": SCRATCH, "data": {"train": [ROWS]}, "optimization": {"steps": 100}},
    "SFTJob": {"model": {"from": HUB}, "data": {"train": [ROWS]}},
    "PreferenceJob": {"method": {"dpo": {}}, "model": {"from": HUB}, "data": {"train": [ROWS]}},
    "ComputeProfile": {"image": "trainer:1", "rayVersion": "2.60.0", "worker": {"cpu": 8, "memory": "32Gi"}},
}


def manifest(kind: str, **spec: Any) -> dict[str, Any]:
    """The smallest object of a kind, with some blocks of its spec replaced."""
    made = {"apiVersion": f"{GROUP}/v1alpha1", "kind": kind, "metadata": {"name": "a"}, "spec": SPECS[kind] | spec}
    return copy.deepcopy(made)


def sft(**spec: Any) -> dict[str, Any]:
    return manifest("SFTJob", **spec)


def pretrain(**spec: Any) -> dict[str, Any]:
    return manifest("PretrainJob", **spec)


def dpo(**spec: Any) -> dict[str, Any]:
    return manifest("PreferenceJob", **spec)


def rows(**source: Any) -> dict[str, Any]:
    return {"train": [{"from": source}]}


KEY = [{"name": "hub", "secret": "trivium-hub", "key": "token"}]
S3 = {"uri": "s3://bucket/path"}
TRAINED = {"train": {"vocabSize": 4096}}

# Rule -> (an object that keeps it, objects that break it and nothing else).
CASES: dict[str, tuple[dict[str, Any], list[dict[str, Any]]]] = {
    "model-source-union": (
        sft(model={"from": {"volume": {"claimName": "models"}}}),
        [sft(model={"from": {}}), sft(model={"from": HUB | S3})],
    ),
    "model-source-credential": (
        sft(model={"from": S3 | {"credential": "hub"}}, credentials=KEY),
        [sft(model={"from": HUB | {"credential": "hub"}}, credentials=KEY)],
    ),
    "tokenizer-source-union": (
        pretrain(model=SCRATCH | {"tokenizer": {"from": HUB}}),
        [
            pretrain(model=SCRATCH | {"tokenizer": {"from": {}}}),
            pretrain(model=SCRATCH | {"tokenizer": {"from": HUB | S3}}),
        ],
    ),
    "tokenizer-source-credential": (
        pretrain(model=SCRATCH | {"tokenizer": {"from": S3 | {"credential": "hub"}}}, credentials=KEY),
        [pretrain(model=SCRATCH | {"tokenizer": {"from": HUB | {"credential": "hub"}}}, credentials=KEY)],
    ),
    "architecture-union": (
        pretrain(model=SCRATCH | {"architecture": {"config": {"model_type": "llama", "hidden_size": 64}}}),
        [
            pretrain(model=SCRATCH | {"architecture": {}}),
            pretrain(model=SCRATCH | {"architecture": {"preset": "llama-tiny", "config": {"model_type": "llama"}}}),
        ],
    ),
    "tokenizer-union": (
        pretrain(model=SCRATCH | {"tokenizer": {"from": HUB}}),
        [pretrain(model=SCRATCH | {"tokenizer": {}}), pretrain(model=SCRATCH | {"tokenizer": TRAINED | {"from": HUB}})],
    ),
    "pretrain-model-union": (
        pretrain(model={"from": HUB}),
        [pretrain(model={}), pretrain(model=SCRATCH | {"from": HUB})],
    ),
    "pretrain-model-tokenizer": (
        pretrain(model={"from": HUB}),
        [
            pretrain(model={"from": HUB, "tokenizer": TRAINED}),
            pretrain(model={"architecture": {"preset": "llama-tiny"}}),
        ],
    ),
    "data-from-union": (
        sft(data=rows(hub={"repo": "owner/data"})),
        [sft(data=rows()), sft(data={"train": [ROWS], "evaluation": [{"from": S3 | ROWS["from"]}]})],
    ),
    "data-from-credential": (
        sft(data=rows(**S3, credential="hub"), credentials=KEY),
        [sft(data=rows(configMap={"name": "rows"}, credential="hub"), credentials=KEY)],
    ),
    "held-out-union": (
        sft(data={"train": [ROWS], "evaluationFraction": 0.1}),
        [sft(data={"train": [ROWS], "evaluation": [ROWS], "evaluationFraction": 0.1})],
    ),
    "lora-all-linear-alone": (
        sft(adapter={"lora": {"targetModules": ["q_proj", "v_proj"]}}),
        [sft(adapter={"lora": {"targetModules": ["all-linear", "v_proj"]}})],
    ),
    "length-union": (sft(optimization={"epochs": 1.5}), [sft(optimization={"epochs": 1, "tokens": "1B"})]),
    "pretrain-length-union": (
        pretrain(optimization={"tokens": "15T"}),
        [pretrain(optimization={}), pretrain(optimization={"steps": 1, "epochs": 1})],
    ),
    "offload-needs-zero": (
        sft(parallelism={"zeroStage": 1, "offload": "optimizer"}),
        [
            sft(parallelism={"zeroStage": 0, "offload": "optimizer"}),
            sft(parallelism={"zeroStage": 2, "offload": "parameters"}),
        ],
    ),
    "backoff-order": (
        sft(recovery={"backoff": {"initialSeconds": 600}}),
        [sft(recovery={"backoff": {"initialSeconds": 601}})],
    ),
    "min-workers": (
        sft(compute={"workers": 2, "minWorkers": 2}),
        [sft(compute={"workers": 2, "minWorkers": 3}), sft(compute={"minWorkers": 2})],
    ),
    "rollback-needs-two-checkpoints": (
        sft(storage={"checkpoints": {"keep": 1}}, recovery={"onDivergence": {"action": "fail"}}),
        [
            sft(storage={"checkpoints": {"keep": 1}}),
            sft(storage={"checkpoints": {"keep": 1}}, recovery={"onDivergence": {"action": "rollback"}}),
        ],
    ),
    "label-smoothing-acts": (
        dpo(method={"dpo": {"labelSmoothing": 0.1, "losses": [{"type": "sigmoid"}, {"type": "robust"}]}}),
        [dpo(method={"dpo": {"labelSmoothing": 0.1}})],
    ),
    "method-union": (dpo(), [dpo(method={})]),
    "ranks-divide-batch": (
        sft(compute={"workers": 2, "gpusPerWorker": 8}, optimization={"globalBatchSize": 48, "microBatchSize": 3}),
        [
            sft(compute={"workers": 2, "gpusPerWorker": 8}, optimization={"globalBatchSize": 48, "microBatchSize": 2}),
            sft(compute={"workers": 3}),
            sft(optimization={"microBatchSize": 5}),
        ],
    ),
    "held-out-data": (
        sft(evaluation={"keepBest": True}, data={"train": [ROWS], "evaluationFraction": 0.1}),
        [sft(evaluation={"keepBest": True}), sft(evaluation={"earlyStopping": {"patience": 3}})],
    ),
    "credential-of-model": (
        sft(model={"from": {"hub": {"repo": "m", "credential": "hub"}}}, credentials=KEY),
        [
            sft(model={"from": {"hub": {"repo": "m", "credential": "hub"}}}),
            sft(model={"from": S3 | {"credential": "store"}}, credentials=KEY),
            pretrain(model={"from": S3 | {"credential": "store"}}, credentials=KEY),
            dpo(model={"from": S3 | {"credential": "store"}}, credentials=KEY),
        ],
    ),
    "credential-of-train": (
        sft(data=rows(hub={"repo": "d", "credential": "hub"}), credentials=KEY),
        [sft(data=rows(hub={"repo": "d", "credential": "hub"})), sft(data=rows(**S3, credential="x"), credentials=KEY)],
    ),
    "credential-of-evaluation": (
        sft(data={"train": [ROWS], "evaluation": [{"from": S3 | {"credential": "hub"}}]}, credentials=KEY),
        [sft(data={"train": [ROWS], "evaluation": [{"from": S3 | {"credential": "x"}}]}, credentials=KEY)],
    ),
    "credential-of-tokenizer": (
        pretrain(model=SCRATCH | {"tokenizer": {"from": S3 | {"credential": "hub"}}}, credentials=KEY),
        [pretrain(model=SCRATCH | {"tokenizer": {"from": S3 | {"credential": "x"}}}, credentials=KEY)],
    ),
    "pretrain-adapter": (
        pretrain(model={"from": HUB}, adapter={}, optimization={"steps": 1, "learningRate": 1e-4}),
        [
            pretrain(adapter={}, optimization={"steps": 1, "learningRate": 1e-4}),
            pretrain(model={"from": HUB}, adapter={}),
        ],
    ),
    "queue-default": (
        manifest("ComputeProfile", queue={"allowed": ["a", "b"], "default": "b"}),
        [manifest("ComputeProfile", queue={"allowed": ["a", "b"], "default": "c"})],
    ),
    "priority-default": (
        manifest("ComputeProfile", priority={"allowed": ["low", "high"]}),
        [manifest("ComputeProfile", priority={"allowed": ["low"], "default": "high"})],
    ),
    "network-environment": (
        manifest("ComputeProfile", network={"resource": "rdma/hca", "environment": {"NCCL_IB_HCA": "mlx5"}}),
        [manifest("ComputeProfile", network={"resource": "rdma/hca", "environment": {"NCCL IB": "mlx5"}})],
    ),
    "pod-environment": (
        manifest("ComputeProfile", pod={"environment": {"TZ": "UTC"}}),
        [manifest("ComputeProfile", pod={"environment": {"1TZ": "UTC"}})],
    ),
}


def rules_of(model: type[Block], seen: set[type]) -> Iterator[Rule]:
    if model not in seen:
        seen.add(model)
        yield from model.RULES
        for field in model.model_fields.values():
            for inner in blocks_in(field.annotation):
                yield from rules_of(inner, seen)


def blocks_in(annotation: Any) -> Iterator[type[Block]]:
    if isinstance(annotation, type) and issubclass(annotation, Block):
        yield annotation
    for argument in getattr(annotation, "__args__", ()):
        yield from blocks_in(argument)


RULES = {rule.name: rule for kind in KINDS for rule in rules_of(kind, set())}


def ours(made: dict[str, Any]) -> list[tuple[str, str]]:
    return [(problem.name, problem.field) for problem in find_problems(made)]


def test_the_api_server_takes_every_crd_its_rules_and_their_cost(api_server):
    assert len(CRDS) == 4
    assert api_server.judge_crds(CRDS) == [[], [], [], []]


def test_the_api_server_refuses_a_rule_that_costs_too_much(api_server):
    # So that the test above is known to look at costs.
    made = copy.deepcopy(CRDS[1])
    spec = made["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    train = "self.data.train"
    spec["x-kubernetes-validations"].append(
        {"rule": f"{train}.all(a, {train}.all(b, {train}.all(c, a.split == b.split || b.split == c.split)))"}
    )
    (problems,) = api_server.judge_crds([made])
    assert any("exceeds budget" in problem["detail"] for problem in problems), problems


def test_every_rule_has_a_case_and_every_case_a_rule():
    assert len(RULES) > 20
    assert set(CASES) == set(RULES)


def test_the_crds_hold_these_rules_and_one_for_each_immutable_field_and_no_other():
    held = set()
    for kind, made in zip(KINDS, copy.deepcopy(CRDS), strict=True):
        root = made["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        never = (
            [path for path, change in classified(kind) if change == "NEVER"] if "status" in root["properties"] else []
        )
        on_root = [rule["fieldPath"] for rule in root.pop("x-kubernetes-validations", [])]
        assert on_root == [f".spec.{path}" for path in never]
        held |= {rule["rule"] for rule in rules_in(root)}
    assert held == {rule.cel for rule in RULES.values()}


def rules_in(node: dict[str, Any]) -> Iterator[dict[str, str]]:
    yield from node.get("x-kubernetes-validations", [])
    for child in [*node.get("properties", {}).values(), node.get("items", {})]:
        if child:
            yield from rules_in(child)


def test_an_object_that_keeps_a_rule_is_taken_by_both(api_server):
    good = [kept for kept, _ in CASES.values()]
    for name, made, verdict in zip(CASES, good, api_server.judge(good), strict=True):
        assert (name, ours(made), verdict["problems"]) == (name, [], [])


def test_an_object_that_breaks_a_rule_is_refused_by_both_at_the_same_field(api_server):
    broken = [(name, made) for name, (_, bad) in CASES.items() for made in bad]
    verdicts = api_server.judge([made for _, made in broken])
    for (name, made), verdict in zip(broken, verdicts, strict=True):
        (problem,) = find_problems(made)
        ((said, place),) = [(problem["detail"], problem["field"]) for problem in verdict["problems"]]
        assert (problem.name, problem.field) == (name, place)
        assert said.startswith(RULES[name].message), name


# Field of a job's spec -> another value for it.
CHANGES: dict[str, Any] = {
    "credentials": KEY,
    "model": {"from": {"hub": {"repo": "owner/other"}}},
    "data": {"train": [ROWS], "maxLength": 512},
    "adapter": {},
    "optimization": {"learningRate": 1e-5, "steps": 100},
    "evaluation": {"maxSamples": 10},
    "parallelism": {"zeroStage": 3},
    "compute.profile": "other",
    "compute.workers": 2,
    "compute.minWorkers": 1,
    "compute.queue": "team-b",
    "compute.priority": "high",
    "compute.gpusPerWorker": 4,
    "compute.workerStartTimeoutSeconds": 60,
    "storage.runs": {"volume": {"claimName": "other"}},
    "storage.checkpoints": {"keep": 9},
    "storage.continueFrom": "0b1c",
    "output": {"modelCard": False},
    "sampling": {"prompts": ["Hello"]},
    "recovery.maxRestarts": 9,
    "recovery.windowSeconds": 60,
    "recovery.backoff": {"initialSeconds": 1},
    "recovery.onOutOfMemory": "fail",
    "recovery.onDivergence": {"action": "fail"},
    "recovery.excludeFailedNodes": False,
    "recovery.hangTimeoutSeconds": 60,
    "runPolicy": {"suspend": True},
    "method": {"dpo": {"beta": 0.2}},
}


def classified(kind: type, block: dict[str, Any] | None = None, path: str = "") -> Iterator[tuple[str, str]]:
    for name, child in (block or structural_schema(kind)["properties"]["spec"])["properties"].items():
        if child[CHANGE_KEY] == "BY_FIELD":
            yield from classified(kind, child, f"{path}{name}.")
        else:
            yield f"{path}{name}", child[CHANGE_KEY]


def changed(made: dict[str, Any], path: str) -> dict[str, Any]:
    made = copy.deepcopy(made)
    block = made["spec"]
    *parents, leaf = path.split(".")
    for parent in parents:
        block = block.setdefault(parent, {})
    assert block.get(leaf) != CHANGES[path]
    block[leaf] = copy.deepcopy(CHANGES[path])
    return made


# From here every single change above is allowed by the other rules.
CHANGEABLE = {"PretrainJob": pretrain(model={"from": HUB}, optimization={"steps": 100, "learningRate": 1e-4})}
PLANNED = {"status": {"plan": {"zeroStage": 2}}}


@pytest.mark.parametrize("kind", list(JOB_KINDS))
def test_after_planning_a_job_can_be_changed_only_where_it_says_so(api_server, kind):
    fields = dict(classified(JOB_KINDS[kind]))
    assert len(fields) > 20
    before = CHANGEABLE.get(kind, manifest(kind))
    after = [changed(before, path) for path in fields]
    planned = [made | PLANNED for made in after]
    free = api_server.judge(after, old=[before] * len(after))
    bound = api_server.judge(planned, old=[before | PLANNED] * len(after))
    for (path, change), unplanned, judged in zip(fields.items(), free, bound, strict=True):
        assert unplanned["problems"] == [], path
        want = [f"spec.{path}"] if change == "NEVER" else []
        assert [problem["field"] for problem in judged["problems"]] == want, judged["problems"]
        assert all("Create a new job instead" in problem["detail"] for problem in judged["problems"])


def test_after_planning_the_free_form_part_of_an_architecture_is_immutable_too(api_server):
    def sized(hidden: int) -> dict[str, Any]:
        config = {"model_type": "llama", "hidden_size": hidden}
        return pretrain(model=SCRATCH | {"architecture": {"config": config}}) | copy.deepcopy(PLANNED)

    (judged,) = api_server.judge([sized(128)], old=[sized(64)])
    assert [problem["field"] for problem in judged["problems"]] == ["spec.model"]


def test_a_status_write_is_never_stopped_by_a_rule_about_spec(api_server):
    before = [manifest(kind) for kind in JOB_KINDS]
    judged = api_server.judge([made | PLANNED for made in before], old=before)
    assert [verdict["problems"] for verdict in judged] == [[], [], []]


ODD_VALUES = [
    None, "", "x", "auto", "80Gi", "../up", "a b", "trivium-a", 0, 1, -1, 1.5, 10**17, True, [], ["x"], [{}], {}, {"a": "b"},
    "a" * 40_000,
]  # fmt: skip


ValuePath = tuple[str | int, ...]


def fields_of(schema: dict[str, Any], path: ValuePath = ()) -> Iterator[tuple[ValuePath, dict[str, Any]]]:
    for name, child in schema.get("properties", {}).items():
        yield (*path, name), child
        yield from fields_of(child, (*path, name))
        if "items" in child:
            yield (*path, name, 0), child["items"]
            yield from fields_of(child["items"], (*path, name, 0))


def own_paths(kind: str) -> list[ValuePath]:
    """Paths of a kind's spec; of the three jobs, what is the same in all is looked at in a PretrainJob only."""
    models = {made.__name__: made for made in KINDS}
    fields = dict(fields_of(structural_schema(models[kind])["properties"]["spec"]))
    seen = (
        dict(fields_of(structural_schema(models["PretrainJob"])["properties"]["spec"]))
        if "Pretrain" not in kind
        else {}
    )
    return [path for path, schema in fields.items() if seen.get(path) != schema]


def with_value(made: dict[str, Any], path: ValuePath, value: Any) -> dict[str, Any]:
    made = copy.deepcopy(made)
    node: Any = made["spec"]
    for part, following in itertools.pairwise(path):
        if isinstance(part, int):
            node += [{}] * (part + 1 - len(node))
        elif part not in node:
            node[part] = [] if isinstance(following, int) else {}
        node = node[part]
    if isinstance(path[-1], int):
        node += [{}] * (path[-1] + 1 - len(node))
    node[path[-1]] = value
    return made


def outermost(fields: set[str]) -> set[str]:
    """Without what lies inside a field that is wrong itself: the API server goes on looking there.

    It also says everything twice of a fraction that should be whole, the second time of the field "<nil>".
    """
    fields = fields - {"<nil>"}
    return {field for field in fields if not any(field.startswith((f"{other}.", f"{other}[")) for other in fields)}


@pytest.mark.parametrize("kind", list(SPECS))
def test_odd_values_everywhere_get_the_same_verdict_from_both(api_server, kind):
    made = [with_value(manifest(kind), path, value) for path in own_paths(kind) for value in ODD_VALUES]
    assert len(made) > 300
    differences = []
    refused = 0
    for given, verdict in zip(copy.deepcopy(made), api_server.judge(made), strict=True):
        want = outermost({problem["field"] for problem in verdict["problems"]})
        have = outermost({problem.field for problem in find_problems(given)})
        refused += bool(want)
        if want != have:
            differences.append((json.dumps(given["spec"])[:300], want, have))
    assert 0 < refused < len(made)
    assert differences == []


def plain(value: Any) -> Any:
    """Whole numbers and floats alike, and quantities as strings: how JSON happens to spell a number is not at stake."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return f"{float(value)}" if isinstance(value, int | float) and not isinstance(value, bool) else value


@pytest.mark.parametrize("kind", list(SPECS))
def test_the_api_server_fills_in_the_defaults_that_the_models_have(api_server, kind):
    model = {**JOB_KINDS, "ComputeProfile": ComputeProfile}[kind]
    made = manifest(kind)
    parsed = model.model_validate_json(json.dumps(made), strict=True)
    want = parsed.spec.model_dump(mode="json", by_alias=True, exclude_none=True)
    if kind == "ComputeProfile":  # quantities given as numbers stay numbers there
        for pod in ("head", "submitter", "worker"):
            want[pod]["cpu"] = made["spec"].get(pod, want[pod])["cpu"]
    (judged,) = api_server.judge([made])
    assert plain(judged["object"]["spec"]) == plain(want)


def filled(schema: dict[str, Any]) -> Any:
    """A value for every field of a schema."""
    if "enum" in schema:
        return schema["enum"][-1]
    if "properties" in schema:
        return {name: filled(child) for name, child in schema["properties"].items()}
    if schema["type"] == "object":
        return {"a": filled(schema["additionalProperties"]) if "additionalProperties" in schema else {"b": [None, 1]}}
    if schema["type"] == "array":
        return [filled(schema["items"])]
    samples = {"integer": 1, "number": 0.5, "boolean": True}
    if schema.get("format") == "date-time":
        return "2026-11-23T14:34:00Z"
    return samples.get(schema["type"]) or ("Aa" if schema.get("pattern", "").startswith("^[A-Z") else "a")


def test_the_api_server_keeps_every_field_of_a_status_that_the_operator_writes(api_server):
    status = parse_job(sft() | {"status": filled(structural_schema(SFTJob)["properties"]["status"])}).status
    assert status is not None
    written = status.model_dump(mode="json", by_alias=True)
    assert None not in written.values()
    (judged,) = api_server.judge([sft() | {"status": copy.deepcopy(written)}], old=[sft()])
    assert judged["problems"] == []
    assert plain(judged["object"]["status"]) == plain(written)


def test_the_api_server_takes_every_example(api_server):
    documents = [d for file in EXAMPLES for d in load_documents(file) if d.manifest["apiVersion"].startswith(GROUP)]
    assert len(documents) >= 5
    verdicts = api_server.judge([dict(document.manifest) for document in documents])
    assert [(d.file, v["problems"]) for d, v in zip(documents, verdicts, strict=True) if v["problems"]] == []


def test_the_crds_in_the_repository_are_the_ones_judged_here():
    root = Path(__file__).parents[3] / "crds"
    files = sorted(root.glob("*.yaml"))
    assert len(files) == 4
    by_name = {made["metadata"]["name"]: made for made in (yaml.safe_load(file.read_text()) for file in files)}
    assert by_name == {made["metadata"]["name"]: made for made in CRDS}
