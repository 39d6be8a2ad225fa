import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "trivium"
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
SCHEMA = json.loads((CHART / "values.schema.json").read_text())
USED = set(
    re.findall(
        r"\.Values\.([A-Za-z0-9.]+[A-Za-z0-9])", "".join(one.read_text() for one in (CHART / "templates").iterdir())
    )
)


def _leaves(schema: dict[str, Any], place: str = "") -> list[str]:
    closed = schema.get("additionalProperties") is False
    if not closed:
        return [place]
    return [leaf for key, one in schema["properties"].items() for leaf in _leaves(one, f"{place}.{key}".lstrip("."))]


def test_generated_files_of_the_chart_are_up_to_date() -> None:
    check = [sys.executable, "charts/generate.py", "--check"]
    done = subprocess.run(check, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_value_of_the_schema_is_used_by_a_template() -> None:
    leaves = [leaf for leaf in _leaves(SCHEMA) if leaf != "global"]
    assert len(leaves) > 30
    # `.Values.progress.issuerRef` uses both of its parts, through a variable.
    unused = [leaf for leaf in leaves if not any(leaf == used or leaf.startswith(f"{used}.") for used in USED)]
    assert unused == []


def test_every_value_that_a_template_uses_is_in_the_schema() -> None:
    leaves = _leaves(SCHEMA)
    unknown = [used for used in USED if not any(leaf == used or leaf.startswith(f"{used}.") for leaf in leaves)]
    assert unknown == []


@pytest.mark.parametrize("file", sorted((CHART / "ci").glob("*.yaml")), ids=lambda file: file.stem)
def test_the_values_of_ci_are_valid(file: Path) -> None:
    jsonschema.validate({**VALUES, **yaml.safe_load(file.read_text())}, SCHEMA)


def test_ci_sets_every_value_to_another_than_its_default() -> None:
    def differing(values: dict[str, Any], default: Any, place: str = "") -> set[str]:
        found = set()
        for key, value in values.items():
            here, known = f"{place}.{key}".lstrip("."), default.get(key) if isinstance(default, dict) else None
            if value != known:
                found.add(here)
            if isinstance(value, dict):
                found |= differing(value, known, here)
        return found

    files = [yaml.safe_load(file.read_text()) for file in (CHART / "ci").glob("*.yaml")]
    set_somewhere = set().union(*(differing(values, VALUES) for values in files))
    assert sorted(set(_leaves(SCHEMA)) - set_somewhere - {"global"}) == []


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"replica": 3}, "replica"),
        ({"image": {"digest": "latest"}}, "does not match"),
        ({"operator": {"logLevel": "loud"}}, "is not one of"),
        ({"replicas": 0}, "less than the minimum"),
        ({"namespaces": ["Tenant A"]}, "does not match"),
    ],
)
def test_a_mistake_in_the_values_is_refused(values: dict[str, Any], complaint: str) -> None:
    with pytest.raises(jsonschema.ValidationError, match=complaint):
        jsonschema.validate(values, SCHEMA)


def test_a_value_without_a_comment_is_refused_by_the_generator(tmp_path: Path) -> None:
    program = (ROOT / "charts" / "generate.py").read_text()
    module: dict[str, Any] = {"__name__": "generate", "__file__": str(ROOT / "charts" / "generate.py")}
    exec(compile(program, "generate.py", "exec"), module)
    with pytest.raises(module["UndescribedError"], match="b has no comment"):
        module["values_schema"]("# The a.\na: 1\nb: 2\n")
