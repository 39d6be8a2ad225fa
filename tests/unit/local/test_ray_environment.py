"""The driver's environment: the pod's variables on this machine, and a Ray of its own."""

import json
import os
import sys
from pathlib import Path

import pytest

from trivium.local.machine import Machine
from trivium.local.mounts import ContainerConfigError
from trivium.local.ray_environment import driver_environment, ray_arguments

GIBI = 1024**3


def environment(variables: list[dict], base: dict[str, str] | None = None, **options) -> dict[str, str]:
    arguments = {
        "field": lambda path: {"metadata.namespace": "default"}.get(path, ""),
        "translate": lambda value: value,
        "mount_root": Path("/state/root"),
        "ray": {"num_cpus": 2},
    } | options
    return driver_environment(base or {}, {"containers": [{"name": "ray", "env": variables}]}, **arguments)


def test_the_pods_variables_win_over_the_shells_and_rays_over_both() -> None:
    variables = [{"name": "OMP_NUM_THREADS", "value": "1"}, {"name": "RAY_ADDRESS", "value": "10.0.0.1"}]
    made = environment(variables, {"OMP_NUM_THREADS": "8", "LANG": "C"})
    assert (made["OMP_NUM_THREADS"], made["LANG"], made["RAY_ADDRESS"]) == ("1", "C", "local")


def test_nothing_of_another_ray_or_cluster_comes_from_the_shell() -> None:
    base = {"RAY_AUTH_TOKEN": "theirs", "RAY_TMPDIR": "/x", "TRIVIUM_STATE": "y", "KUBERNETES_SERVICE_HOST": "z"}
    made = environment([], base)
    assert made["RAY_AUTH_TOKEN"] != "theirs"
    assert not made.keys() & {"RAY_TMPDIR", "TRIVIUM_STATE", "KUBERNETES_SERVICE_HOST"}


def test_every_attempt_has_a_token_of_its_own() -> None:
    first, second = environment([]), environment([])
    assert first["RAY_AUTH_MODE"] == "token"
    assert first["RAY_AUTH_TOKEN"] != second["RAY_AUTH_TOKEN"]


def test_python_is_the_interpreter_that_runs_trivium() -> None:
    assert environment([], {"PATH": "/bin"})["PATH"] == f"{Path(sys.executable).parent}{os.pathsep}/bin"


def test_references_and_fields_are_resolved_in_order() -> None:
    variables = [
        {"name": "NS", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
        {"name": "WHERE", "value": "/runs/$(NS)/$(LATER)"},
        {"name": "EMPTY"},
    ]
    made = environment(variables)
    assert (made["WHERE"], made["EMPTY"]) == ("/runs/default/$(LATER)", "")


def test_a_variable_that_points_into_scratch_keeps_the_machines_value() -> None:
    variables = [{"name": "HOME", "value": "/home/ray"}]
    assert environment(variables, {"HOME": "/me"}, translate=lambda _: None)["HOME"] == "/me"


def test_a_source_that_is_not_offered_is_named() -> None:
    with pytest.raises(ContainerConfigError, match="env X: resourceFieldRef is not offered"):
        environment([{"name": "X", "valueFrom": {"resourceFieldRef": {}}}])


def test_rays_arguments_travel_as_json_and_leave_most_memory_to_training() -> None:
    arguments = ray_arguments(Machine(cores=2, memory_bytes=4 * GIBI), temporary=Path("/tmp/trv-1"))
    made = environment([], ray=arguments)
    assert json.loads(made["TRIVIUM_LOCAL_RAY"]) == {
        "num_cpus": 2,
        "include_dashboard": False,
        "object_store_memory": GIBI // 2,
        "_temp_dir": "/tmp/trv-1",
    }
