"""What importing the control plane may load: nothing heavy, whatever is installed."""

import subprocess
import sys

import pytest

HEAVY = {"torch", "ray", "transformers", "kopf", "kubernetes", "deepspeed", "trl", "peft", "datasets"}


@pytest.mark.parametrize("package", ["api", "domain", "planning", "render", "reconcile", "controller", "cli"])
def test_importing_the_control_plane_loads_nothing_heavy(package: str) -> None:
    code = f"import trivium.{package}, sys; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    loaded = set(done.stdout.split())
    assert f"trivium.{package}" in loaded
    assert not HEAVY & loaded


def test_no_package_shadows_the_standard_library(pytestconfig: pytest.Config) -> None:
    for folder in ("operator", "trainer_image"):
        assert not (pytestconfig.rootpath / folder / "__init__.py").exists()
        assert (pytestconfig.rootpath / folder / "src").is_dir()
