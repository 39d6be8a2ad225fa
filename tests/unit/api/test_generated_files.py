"""What is generated is what lies in the repository; editors, examples and YAML readers understand it."""

import json
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from trivium.api.generate.files import KINDS, generated_files
from trivium.api.generate.yaml_text import to_yaml
from trivium.api.resource import GROUP
from trivium.manifest_file import check, load_documents

ROOT = Path(__file__).parents[3]
EXAMPLES = sorted((ROOT / "examples").rglob("*.yaml"))
FILES = generated_files()
EDITOR = {kind.__name__: json.loads(FILES[f"crds/schema/{kind.NAMES.singular}.json"]) for kind in KINDS}


@pytest.mark.parametrize("path", sorted(FILES))
def test_a_generated_file_is_up_to_date(path):
    assert (ROOT / path).read_text() == FILES[path], "run `make generate`"


def test_nothing_else_lies_beside_the_generated_files():
    assert {str(p.relative_to(ROOT)) for p in (ROOT / "crds").rglob("*") if p.is_file()} <= set(FILES)


@pytest.mark.slow
def test_check_says_which_file_is_out_of_date_and_generate_mends_it(tmp_path):
    command = [sys.executable, "-m", "trivium.api.generate", str(tmp_path)]
    assert subprocess.run(command, check=False).returncode == 0
    (tmp_path / "crds" / "schema" / "sftjob.json").write_text("{}")
    (tmp_path / "crds" / "left.yaml").write_text("")
    checked = subprocess.run([*command, "--check"], check=False, capture_output=True, text=True)
    assert checked.returncode == 1
    assert [Path(line.split(":")[0]).name for line in checked.stdout.splitlines()] == ["sftjob.json", "left.yaml"]
    assert subprocess.run(command, check=False).returncode == 0
    assert subprocess.run([*command, "--check"], check=False).returncode == 0


def test_there_are_examples():
    assert len(EXAMPLES) >= 5


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda f: f"{f.parent.name}/{f.name}")
def test_every_example_is_valid_and_tells_editors_its_schema(file):
    assert check(file) == []
    header = re.match(r"# yaml-language-server: \$schema=(\S+)\n", file.read_text())
    assert header, "the first line names the schema"
    schema = (file.parent / header[1]).resolve()
    assert str(schema.relative_to(ROOT)) in FILES
    documents = [d for d in load_documents(file) if d.manifest["apiVersion"].startswith(GROUP)]
    assert documents
    for document in documents:
        jsonschema.validate(document.manifest, EDITOR[document.manifest["kind"]])


@pytest.mark.parametrize("kind", sorted(EDITOR))
def test_an_editors_schema_is_valid_and_refuses_unknown_fields(kind):
    jsonschema.Draft7Validator.check_schema(EDITOR[kind])
    wrong = {"apiVersion": "trivium.dev/v1alpha1", "kind": kind, "metadata": {"name": "a"}, "spec": {"surprise": 1}}
    messages = [error.message for error in jsonschema.Draft7Validator(EDITOR[kind]).iter_errors(wrong)]
    assert any("surprise" in message for message in messages)


def test_the_reference_names_every_kind_and_every_failure_class():
    page = FILES["docs/reference/api.md"]
    for word in (
        "## PretrainJob",
        "## SFTJob",
        "## PreferenceJob",
        "## ComputeProfile",
        "`OutOfMemory`",
        "`spec.runPolicy.suspend`",
    ):
        assert word in page
    before, after = page.split("## Status")
    for part, want in ((before, {5}), (after, {3, 4, 7})):  # a cell's own bar is escaped, or the table would break
        assert {line.replace("\\|", "").count("|") for line in part.splitlines() if line.startswith("| ")} == want


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


@settings(deadline=None)
@given(values)
def test_what_the_yaml_writer_writes_is_read_back(value):
    assert yaml.safe_load(to_yaml(value)) == value
