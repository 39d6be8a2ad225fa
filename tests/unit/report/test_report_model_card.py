"""The model card: front matter that the hub can read, and text that no name can break out of."""

import re

import pytest
import yaml

from trivium_trainer.config import RunConfig
from trivium_trainer.layout import RunDirectory
from trivium_trainer.progress import Inspection
from trivium_trainer.report.model_card import code_span, render_model_card

OPTIMIZATION = {"totalSteps": 40, "globalBatchSize": 16, "learningRate": 1e-3}
PARALLELISM = {"sizes": [{"worldSize": 2, "microBatchSize": 8, "gradientAccumulation": 1}]}


def config_of(job, **changes):
    raw = {
        "job": {"kind": job.kind, "namespace": "demo", "name": job.name, "uid": job.uid, "specDigest": "sha256:5f"},
        "stage": "train", "recipe": job.recipe, "runs": "/trivium/runs",
        "model": {"source": {"path": "/trivium/upstream/model"}},
        "data": {"train": [{"name": job.source, "source": {"path": "/trivium/data/0"}}]},
        "optimization": OPTIMIZATION, "parallelism": PARALLELISM, "dpo": {} if job.recipe == "dpo" else None,
        "lineage": list(job.lineage),
    }  # fmt: skip
    return RunConfig.model_validate(raw | changes)


def card_of(job, tmp_path, **changes):
    data = RunDirectory(job.long(steps=40).write(tmp_path)).stage("train").report_data
    return render_model_card(config_of(job, **changes), data, Inspection.model_validate(job.inspection().model_dump()))


def front_matter(card):
    _, matter, text = card.split("---\n", 2)
    return yaml.safe_load(matter), text


@pytest.mark.parametrize("index", [0, 1, 2])
def test_the_front_matter_is_what_the_hub_expects(tmp_path, jobs, index):
    matter, _ = front_matter(card_of(jobs[index], tmp_path))
    assert matter["library_name"] == "transformers"
    assert matter["pipeline_tag"] == "text-generation"
    assert matter["tags"][:2] == ["trivium", jobs[index].recipe]
    assert "license" not in matter


def test_the_measured_perplexity_is_in_the_model_index(tmp_path, jobs):
    matter, text = front_matter(card_of(jobs[1], tmp_path))
    [result] = matter["model-index"][0]["results"]
    assert result["metrics"] == [{"type": "perplexity", "value": pytest.approx(23.78, abs=0.05)}]
    assert "| `held-out` | `perplexity` | 384 | 23.8 |" in text


def test_a_base_from_the_hub_is_named_as_base_model(tmp_path, jobs):
    matter, text = front_matter(card_of(jobs[1], tmp_path, model={"source": {"hub": {"repo": "org/base"}}}, lineage=[]))
    assert matter["base_model"] == "org/base"
    assert "starting from `hub org/base`" in text


def test_an_upstream_job_is_named_and_not_the_path_of_its_mount(tmp_path, jobs):
    _, text = front_matter(card_of(jobs[2], tmp_path))
    assert "starting from `SFTJob docs-chat`" in text
    assert "/trivium/upstream" not in text
    assert "1. `PretrainJob` `docs-base`" in text
    assert "1. PreferenceJob `docs-short` (this model" in text


def test_derived_labels_are_said_in_tags_table_and_text(tmp_path, jobs):
    matter, text = front_matter(card_of(jobs[2], tmp_path))
    assert "derived-labels" in matter["tags"]
    assert "| derived |" in text
    assert "a fixed rule chose between two texts, not a person" in text


def test_data_rows_digests_and_hyper_parameters_are_listed(tmp_path, jobs):
    _, text = front_matter(card_of(jobs[1], tmp_path, adapter={"lora": {"rank": 8}}))
    assert "| `chatterbot-corpus` | `/trivium/data/0` | 2,393 | 98,113 | `sha256:" in text
    assert "| `optimization.learningRate` | `0.001` |" in text
    assert "| `adapter.lora.rank` | `8` |" in text
    assert "Trained with LoRA of rank 8" in text


def test_a_small_model_is_not_praised(tmp_path, jobs):
    assert "shows that the pipeline works, not that the model is useful" in card_of(jobs[0], tmp_path)


def test_a_run_without_evaluation_says_that_nothing_is_known(tmp_path, jobs):
    job = jobs[1]
    data = RunDirectory(tmp_path / "none").stage("train").report_data
    assert "Nothing was held out in this run" in render_model_card(config_of(job), data, job.inspection())


def test_names_cannot_break_out_of_the_table_or_the_text(tmp_path, jobs):
    evil = "x` | [click](http://evil) <script>alert(1)</script>\n---\n# Owned\n```"
    card = card_of(jobs[1].of(evil), tmp_path)
    _, text = front_matter(card)
    assert "\n# Owned" not in text
    assert "\n---\n# Owned" not in card
    outside = re.sub(r"(`+)(?!`).+?(?<!`)\1(?!`)", "", text.replace("```python", "").replace("```\n", "\n"))
    assert "<script>" not in outside
    assert "](http" not in outside


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("plain", "`plain`"),
        ("a`b", "``a`b``"),
        ("`a", "`` `a ``"),
        ("a|b", "`a\\|b`"),
        ("a\nb", "`a b`"),
        ("", ""),
        (3, "`3`"),
    ],
)
def test_a_code_span_holds_any_text(text, want):
    assert code_span(text) == want
