"""Every field of the four kinds is documented, bounded, defaulted as the models say, and classified for changes."""

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from trivium.api import JOB_KINDS, ComputeProfile, parse_profile
from trivium.api.block import Block
from trivium.api.generate.crd import UnclassifiedFieldError, crd
from trivium.api.generate.files import KINDS, generated_files
from trivium.api.job import JobResource
from trivium.api.job_spec import JobSpec
from trivium.api.mutability import CHANGE_KEY
from trivium.api.resource import ResourceNames
from trivium.api.schema_check import LATER_FIELDS
from trivium.api.structural import structural_schema, unclassified_fields

# Free-form on purpose: a Hugging Face config and a pod's affinity; the API server bounds them by the object's size.
FREE_FORM = {
    "spec.model.architecture.config",
    "spec.pod.affinity",
    "status.inspection.architecture",
}
JOBS = list(JOB_KINDS.values())


def nodes(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, schema
    for name, child in schema.get("properties", {}).items():
        yield from nodes(child, f"{path}.{name}".removeprefix("."))
    if "items" in schema:
        yield from nodes(schema["items"], f"{path}[]")
    if "additionalProperties" in schema:
        yield from nodes(schema["additionalProperties"], f"{path}.*")


def fields(kind) -> list[tuple[str, dict[str, Any]]]:
    found = [(p, s) for p, s in nodes(structural_schema(kind)) if p.startswith(("spec", "status"))]
    assert len(found) > 40
    return found


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.__name__)
def test_every_field_is_documented(kind):
    assert [p for p, s in fields(kind) if not p.endswith(("[]", ".*")) and len(s.get("description", "")) < 8] == []


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.__name__)
def test_every_string_list_and_map_is_bounded(kind):
    unbounded = []
    for path, schema in fields(kind):
        bounded = {
            "string": lambda s: {"maxLength", "enum"} & set(s) or s.get("format") == "date-time",
            "array": lambda s: "maxItems" in s,
            "object": lambda s: "properties" in s or "maxProperties" in s,
        }.get(schema.get("type"), lambda s: True)(schema)
        if not bounded and path not in FREE_FORM:
            unbounded.append(path)
    assert unbounded == []


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.__name__)
def test_every_number_of_a_spec_is_bounded(kind):
    numbers = [(p, s) for p, s in fields(kind) if p.startswith("spec") and s.get("type") in {"integer", "number"}]
    assert numbers
    assert [p for p, s in numbers if not {"minimum", "maximum"} <= set(s)] == []


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.__name__)
def test_every_pattern_is_anchored(kind):
    patterns = [(p, s["pattern"]) for p, s in fields(kind) if "pattern" in s]
    assert patterns
    assert [p for p, pattern in patterns if not (pattern.startswith("^") and pattern.endswith("$"))] == []


@pytest.mark.parametrize("kind", JOBS, ids=lambda k: k.__name__)
def test_every_spec_field_of_a_job_says_when_it_may_be_changed(kind):
    assert unclassified_fields(kind) == []


def test_the_fields_that_stay_changeable_are_those_of_the_design():
    spec = structural_schema(JOB_KINDS["SFTJob"])["properties"]["spec"]
    changeable = {p.removeprefix(".") for p, s in nodes(spec) if s.get(CHANGE_KEY) in {"AT_ONCE", "NEXT_ATTEMPT"}}
    assert changeable == {
        "compute.workers",
        "compute.minWorkers",
        "compute.queue",
        "compute.priority",
        "compute.workerStartTimeoutSeconds",
        "storage.checkpoints",
        "recovery.maxRestarts",
        "recovery.windowSeconds",
        "recovery.backoff",
        "recovery.onOutOfMemory",
        "recovery.onDivergence",
        "recovery.excludeFailedNodes",
        "recovery.hangTimeoutSeconds",
        "runPolicy",
    }


class _CarelessSpec(JobSpec):
    surprise: int = 1
    """A field that nobody classified."""


class _CarelessJob(JobResource):
    NAMES: ClassVar[ResourceNames] = JOB_KINDS["SFTJob"].NAMES
    kind: str = "SFTJob"
    spec: _CarelessSpec
    """What to do."""


def test_the_generator_refuses_a_field_without_a_class_of_change():
    with pytest.raises(UnclassifiedFieldError, match=r"spec\.surprise"):
        crd(_CarelessJob)


def test_nothing_of_pydantic_is_left_in_a_crd():
    left = {"$ref", "anyOf", "title", "const", "exclusiveMinimum", "prefixItems", CHANGE_KEY}
    for kind in KINDS:
        for path, schema in nodes(crd(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]):
            # Structural schemas know exclusiveMinimum as a flag.
            assert not (left & set(schema)) - {"exclusiveMinimum"}, path
            assert schema.get("exclusiveMinimum", True) is True
            assert schema.get("default", 0) is not None


def test_jobs_have_a_status_and_no_scale_and_a_profile_has_neither():
    for kind in KINDS:
        (version,) = crd(kind)["spec"]["versions"]
        assert version.get("subresources") == (None if kind is ComputeProfile else {"status": {}})


def test_kubectl_calls_the_kinds_as_the_design_says():
    names = {k.__name__: crd(k)["spec"]["names"] for k in KINDS}
    assert {k: n["shortNames"] for k, n in names.items()} == {
        "PretrainJob": ["ptj"],
        "SFTJob": ["sft"],
        "PreferenceJob": ["pref"],
        "ComputeProfile": ["prof"],
    }
    assert [k for k, n in names.items() if n.get("categories") == ["trivium"]] == list(JOB_KINDS)


def test_printer_columns_show_existing_fields_and_only_the_age_as_a_date():
    for kind in KINDS:
        schema = structural_schema(kind)
        columns = crd(kind)["spec"]["versions"][0]["additionalPrinterColumns"]
        assert columns
        for column in columns:
            node = schema
            for name in column["jsonPath"].strip(".").split("."):
                if name == "metadata":
                    break
                node = node["properties"][name]
            else:
                shown = "string" if node.get("x-kubernetes-int-or-string") else node["type"]
                assert (column["type"], column["name"]) == (shown, column["name"])
            # A date in the future prints <invalid>: only the past may be one.
            assert (column["type"] == "date") == (column["name"] == "Age")


def test_wide_columns_come_by_priority():
    columns = crd(JOB_KINDS["SFTJob"])["spec"]["versions"][0]["additionalPrinterColumns"]
    assert [c["name"] for c in columns if "priority" not in c] == [
        "Phase", "Stage", "Step", "Loss", "Tokens/s", "ETA", "Restarts", "Age",
    ]  # fmt: skip
    assert [c["name"] for c in columns if c.get("priority") == 1] == ["Workers", "GPUs", "Goodput", "Queue", "Output"]


def test_no_field_of_a_later_version_is_in_a_schema():
    names = {p.rsplit(".", 1)[-1].removesuffix("[]") for kind in JOBS for p, _ in fields(kind) if p.startswith("spec")}
    assert len(names) > 80
    assert names & set(LATER_FIELDS) == set()


def test_generated_files_say_so_and_fit_kubectl_apply():
    files = generated_files()
    assert len(files) == 10
    for path, text in files.items():
        assert "Generated by `make generate`" in "".join(text.splitlines()[:3]), path
        assert len(text.encode()) < 256 * 1024


def test_a_default_block_is_what_an_empty_block_gives():
    found = 0
    for kind in KINDS:
        for model in _blocks(kind, set()):
            for name, field in model.model_fields.items():
                if isinstance(field.default, Block) and not any(
                    f.is_required() for f in type(field.default).model_fields.values()
                ):
                    found += 1
                    assert field.default == type(field.default)(), f"{model.__name__}.{name}"
    assert found > 20


def _blocks(model: type[Block], seen: set[type]) -> Iterator[type[Block]]:
    if model in seen:
        return
    seen.add(model)
    yield model
    for field in model.model_fields.values():
        for inner in _types_in(field.annotation):
            if isinstance(inner, type) and issubclass(inner, Block):
                yield from _blocks(inner, seen)


def _types_in(annotation: Any) -> Iterator[Any]:
    yield annotation
    for argument in getattr(annotation, "__args__", ()):
        yield from _types_in(argument)


def test_a_profile_gets_the_documented_defaults():
    profile = parse_profile(
        {
            "apiVersion": "trivium.dev/v1alpha1",
            "kind": "ComputeProfile",
            "metadata": {"name": "cpu"},
            "spec": {"image": "trainer:1", "rayVersion": "2.60.0", "worker": {"cpu": 1, "memory": "1Gi"}},
        }
    )
    assert (profile.spec.head.cpu.to_int(), profile.spec.submitter.memory.to_int()) == (4, 256 * 2**20)
    assert (profile.spec.gpu, profile.spec.network, profile.spec.security_profile) == (None, None, "restricted")
