"""Every case renders exactly the children beside it: one more object, one less, or one changed byte fails."""

import json

import yaml

from trivium.render import render_attempt


class _Text(yaml.SafeDumper):
    """Blocks of text as blocks, so that a run.json's difference is read line by line; every value written out."""

    def ignore_aliases(self, data):
        return True


_Text.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None),
)


def _dump(children):
    return yaml.dump_all(children.manifests(), Dumper=_Text, sort_keys=True, width=10_000, allow_unicode=True)


def test_a_case_renders_its_children_and_nothing_else(case, attempt_of, case_folder, request):
    rendered = _dump(render_attempt(attempt_of(case)))
    golden = case_folder(case) / "children.yaml"
    if request.config.getoption("--rewrite-golden", default=False):
        golden.write_text(rendered)
    want = [(one["kind"], one["metadata"]["name"]) for one in yaml.safe_load_all(golden.read_text())]
    assert [(one["kind"], one["metadata"]["name"]) for one in yaml.safe_load_all(rendered)] == want
    assert rendered == golden.read_text(), "rewrite with --rewrite-golden and review the difference"


def test_there_are_cases_for_both_stages_and_all_kinds(attempt_of, case_folder):
    folder = case_folder("")
    attempts = [attempt_of(one.name) for one in folder.iterdir() if one.is_dir()]
    assert {one.job.kind for one in attempts} == {"PretrainJob", "SFTJob", "PreferenceJob"}
    assert {one.stage for one in attempts} == {"prepare", "train"}
    assert {one.plan.gpus_per_worker > 0 for one in attempts} == {True, False}


def test_the_same_attempt_renders_the_same_bytes(case, attempt_of):
    assert _dump(render_attempt(attempt_of(case))) == _dump(render_attempt(attempt_of(case)))


def test_children_are_plain_json(case, attempt_of):
    for manifest in render_attempt(attempt_of(case)).manifests():
        assert json.loads(json.dumps(manifest)) == manifest
