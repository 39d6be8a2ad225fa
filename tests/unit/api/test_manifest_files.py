"""Verdicts on YAML files: place, field, value, rule, way out; and YAML read as kubectl reads it."""

import textwrap

import pytest

from trivium.manifest_file import ManifestFileError, Mark, check, load_documents, parse_documents

HEAD = """\
apiVersion: trivium.dev/v1alpha1
kind: SFTJob
metadata: {name: a}
spec:
  model: {from: {hub: {repo: owner/model}}}
  data: {train: [{from: {configMap: {name: rows}}}]}
"""  # six lines: what is appended starts at line 7


@pytest.fixture
def verdicts(tmp_path):
    def judge(text: str) -> list[str]:
        file = tmp_path / "job.yaml"
        file.write_text(text)
        return [str(verdict).removeprefix(str(file)) for verdict in check(file)]

    return judge


def test_a_sound_file_has_no_verdict(verdicts):
    assert verdicts(HEAD) == []


@pytest.mark.parametrize(
    ("text", "want"),
    [
        (
            "  optimization: {globalBatchSiz: 3}",
            ":7:18: spec.optimization.globalBatchSiz: 3. This field does not exist. Did you mean globalBatchSize?",
        ),
        (
            "  compute:\n    workers: '2'",
            ':8:5: spec.compute.workers: "2". This must be a whole number. Correct it.',
        ),
        (
            "  parallelism: {tensor: 2}",
            (
                ":7:17: spec.parallelism.tensor: 2. This field comes with a later version. "
                "Remove it; zeroStage 3 divides the parameters."
            ),
        ),
        (
            "  optimization: {schedule: cosin}",
            ':7:18: spec.optimization.schedule: "cosin". This must be one of cosine, linear, constant. Did you mean cosine?',
        ),
        (
            "  parallelism: {gradientCheckpointing: on}",
            ":7:17: spec.parallelism.gradientCheckpointing: true. This must be a string. Use one of auto, enabled, disabled.",
        ),
        (
            "  optimization: {learningRate: 0}",
            ":7:18: spec.optimization.learningRate: 0. This must be more than 0. Raise it.",
        ),
        (
            "  compute: {workers: 5}",  # the field is absent: the place is its nearest parent's
            (
                ":4:1: spec.optimization.globalBatchSize: globalBatchSize 32 is not a multiple of workers x gpusPerWorker x "
                "microBatchSize = 5. Use 30 or 35, or change the others."
            ),
        ),
        (
            "  adapter: {lora: {}, quantization: int3}",
            ':7:23: spec.adapter.quantization: "int3". This must be one of none, nf4. Choose one of them.',
        ),
        (
            "  credentials: [{name: hub, key: token}]",
            ":7:17: spec.credentials[0].secret: This field is required. Add it.",
        ),
    ],
)
def test_a_verdict_names_place_field_value_rule_and_way_out(verdicts, text, want):
    assert verdicts(HEAD + text + "\n") == [want]


def test_every_document_of_a_file_is_judged_and_others_are_none_of_our_business(verdicts):
    config_map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: rows}\ndata: {surprise: x}\n"
    found = verdicts(f"{HEAD}---\n{config_map}---\n\n---\n{HEAD}  surprise: 1\n")
    assert [line.split(" ")[:2] for line in found] == [[":21:3:", "spec.surprise:"]]


def test_a_kind_or_version_that_is_not_ours_is_told(verdicts):
    assert verdicts(HEAD.replace("SFTJob", "SFTJobs")) == [
        (
            ':2:1: kind: "SFTJobs". This kind is not ours. '
            "Set kind to one of PretrainJob, SFTJob, PreferenceJob, ComputeProfile."
        )
    ]
    assert verdicts(HEAD.replace("v1alpha1", "v2")) == [
        ':1:1: apiVersion: "trivium.dev/v2". This version is not served. Set it to trivium.dev/v1alpha1.'
    ]


def test_a_bad_name_is_told(verdicts):
    (found,) = verdicts(HEAD.replace("name: a}", "name: A_b}"))
    assert found.startswith(':3:12: metadata.name: "A_b".')


def test_several_problems_are_told_at_once(verdicts):
    assert len(verdicts(HEAD + "  optimization: {learningRate: -1, beta1: 2, epochs: 1, steps: 1}\n")) == 2
    assert len(verdicts(HEAD + "  optimization: {epochs: 1, steps: 1}\n  compute: {workers: 5}\n")) == 2


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("a: [1", "This is no valid YAML"),
        ("a: 1\na: 2", "The field a is given twice"),
        ("- a", "A manifest must be a block of fields"),
        ("a: &x\n  b: *x", "An alias makes this endless"),
        ("? [a]\n: b", "A field's name must be a word"),
        ("a: !!python/object:os.system x", "could not determine a constructor"),
        ("a: \x00", "This is no valid YAML"),
    ],
)
def test_a_text_that_is_no_manifest_is_an_error_with_its_place(text, want):
    with pytest.raises(ManifestFileError, match=want) as caught:
        parse_documents(text, file="f.yaml")
    assert caught.value.verdict.line >= 1


def test_a_missing_file_is_a_verdict(tmp_path):
    (verdict,) = check(tmp_path / "absent.yaml")
    assert "cannot be read" in verdict.rule


def test_values_are_read_as_kubectl_reads_them():
    text = """\
        a: 1e-5
        b: 2026-11-23
        c: 0x10
        d: 1.5
        e: yes
        f: '1'
        g: 1:30
        h: ~
        i: 3.
        j: -2
        k: 1_000
    """
    (document,) = parse_documents(textwrap.dedent(text), file="f")
    assert document.manifest == {
        "a": 1e-5, "b": "2026-11-23", "c": 16, "d": 1.5, "e": True, "f": "1", "g": "1:30", "h": None, "i": 3.0, "j": -2,
        "k": "1_000",
    }  # fmt: skip


def test_anchors_and_merges_are_written_out():
    (document,) = parse_documents("a: &x {b: 1}\nc: *x\nd:\n  <<: *x\n  e: 2", file="f")
    assert document.manifest == {"a": {"b": 1}, "c": {"b": 1}, "d": {"b": 1, "e": 2}}


def test_a_field_without_a_value_is_as_good_as_absent(tmp_path):
    file = tmp_path / "job.yaml"
    file.write_text(HEAD + "  adapter:\n  optimization:\n    schedule:\n")
    (document,) = load_documents(file)
    assert check(file) == []
    assert "adapter" not in document.manifest["spec"]
    assert document.manifest["spec"]["optimization"] == {}


def test_marks_point_to_keys_and_items():
    (document,) = parse_documents("a:\n  - b: 1\n  - c\n", file="f")
    assert document.mark(("a", 0, "b")) == Mark(line=2, column=5)
    assert document.mark(("a", 1)) == Mark(line=3, column=5)
    assert document.mark(("a", 0, "absent")) == Mark(line=2, column=5)
    assert document.mark(("x", "y")) == Mark(line=1, column=1)
