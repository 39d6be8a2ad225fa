"""The chart as Helm renders it, once for each file of ci/ and session."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from testcluster.programs import binary

CHART = Path(__file__).parents[2] / "charts" / "trivium"

Manifest = dict[str, Any]
Render = Callable[..., list[Manifest]]


def helm(*arguments: str | Path) -> str:
    done = subprocess.run([binary("helm"), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def render(*arguments: str | Path) -> list[Manifest]:
    text = helm("template", "trivium", CHART, "--namespace", "trivium-system", *arguments)
    return [one for one in yaml.load_all(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader)) if one]


@pytest.fixture(scope="session")
def rendered() -> dict[str, list[Manifest]]:
    """Name of a file of ci/ -> manifests."""
    return {file.stem: render("--values", file) for file in sorted((CHART / "ci").glob("*.yaml"))}


@pytest.fixture(scope="session")
def default_manifests(rendered: dict[str, list[Manifest]]) -> list[Manifest]:
    return rendered["default"]


@pytest.fixture(scope="session")
def render_with() -> Callable[[dict[str, Any]], list[Manifest]]:
    """Render with these values, without the CRDs unless they are asked for."""

    def with_values(values: dict[str, Any]) -> list[Manifest]:
        return render("--set-json", f"crds.enabled={json.dumps(False)}", *_set(values))

    return with_values


def _set(values: dict[str, Any]) -> list[str]:
    return [part for key, value in values.items() for part in ("--set-json", f"{key}={json.dumps(value)}")]
