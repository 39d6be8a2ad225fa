"""What the trainer is told: it reads back as what was built, and every path in it is mounted."""

import json

import pytest

from trivium.api import parse_job
from trivium.planning import plan_stage, shrink
from trivium.render import render_attempt, spec_digest
from trivium_trainer.config import RunConfig


def _config(attempt):
    config_map = render_attempt(attempt).run_config
    assert config_map["immutable"] is True
    return RunConfig.model_validate_json(config_map["data"]["run.json"])


def test_the_trainer_reads_what_was_rendered(case, attempt_of):
    attempt = attempt_of(case)
    config = _config(attempt)
    assert config.stage == attempt.stage
    assert config.job.uid == attempt.job.metadata.uid
    again = json.dumps(config.model_dump(mode="json", by_alias=True), indent=2, sort_keys=True, ensure_ascii=False)
    assert again + "\n" == render_attempt(attempt).run_config["data"]["run.json"]


def _paths(value):
    if isinstance(value, dict):
        for one in value.values():
            yield from _paths(one)
    elif isinstance(value, list):
        for one in value:
            yield from _paths(one)
    elif isinstance(value, str) and value.startswith("/trivium/"):
        yield value


def test_every_path_that_the_trainer_is_told_lies_below_a_mount(case, attempt_of):
    children = render_attempt(attempt_of(case))
    cluster = children.ray_job["spec"]["rayClusterSpec"]
    told = list(_paths(json.loads(children.run_config["data"]["run.json"])))
    assert told
    for template in (cluster["headGroupSpec"]["template"], cluster["workerGroupSpecs"][0]["template"]):
        mounts = [mount["mountPath"] for mount in template["spec"]["containers"][0]["volumeMounts"]]
        for path in told:
            assert any(path == mount or path.startswith(f"{mount}/") for mount in mounts), path


def test_two_sources_in_one_claim_share_one_mount(attempt_of):
    config = _config(attempt_of("pretrain-prepare"))
    assert [one.source.path for one in config.data.train] == ["/trivium/data/0/manual", "/trivium/data/0/web"]
    assert config.data.evaluation[0].source.path == "/trivium/data/1"
    assert [one.name for one in (*config.data.train, *config.data.evaluation)] == [
        "manual",
        "train[1]",
        "evaluation[0]",
    ]
    assert config.data.train[1].columns == {"text": "body"}


def test_prepare_is_told_no_length_and_how_many_pods_it_has(attempt_of):
    config = _config(attempt_of("pretrain-prepare"))
    assert (config.optimization, config.parallelism) == (None, None)
    assert config.data.prepare_workers == 2


def test_a_chained_job_starts_from_its_upstreams_model(attempt_of):
    config = _config(attempt_of("dpo-precomputed-chained"))
    assert config.model.source.path.startswith("/trivium/upstream/trivium/team-b/SFTJob/support-bot/")
    assert config.model.source.path == f"{config.upstream_run}/train/output/model"
    assert [one.name for one in config.lineage] == ["grammar", "support-bot"]
    assert config.continue_from == "0d0d0d0d-0000-4000-8000-000000000004"


def test_a_chained_job_without_its_upstream_cannot_be_rendered(attempt_of):
    with pytest.raises(ValueError, match=r"model\.from\.job: SFTJob support-bot has no known output"):
        render_attempt(attempt_of("dpo-precomputed-chained", upstream=None))


def test_threads_and_cores_are_the_workers_divided_by_its_ranks(attempt_of):
    assert _config(attempt_of("dpo-precomputed-chained")).parallelism.cpus_per_rank == 7  # 15.5 cores, two ranks
    assert _config(attempt_of("pretrain-train-cpu")).parallelism.cpus_per_rank == 4  # one rank a worker


def test_nobody_to_report_to_means_no_token(attempt_of):
    attempt = attempt_of("pretrain-train-cpu")
    assert attempt.progress_url is None
    assert _config(attempt).progress.token_file is None
    assert "serviceAccountToken" not in str(render_attempt(attempt).ray_job)


def test_the_adapters_words_are_pefts(attempt_of):
    assert _config(attempt_of("sft-lora-train-gpu")).adapter.lora.target_modules == ["q_proj", "v_proj"]
    assert _config(attempt_of("sft-lora-train-gpu")).parallelism.deepspeed == {
        "zero_optimization": {"overlap_comm": False, "reduce_bucket_size": 1_000_000}
    }


def test_a_shrunk_plan_renders_the_same_global_batch(attempt_of):
    attempt = attempt_of("sft-lora-train-gpu")
    smaller = attempt_of("sft-lora-train-gpu", plan=shrink(attempt.plan))
    assert _config(smaller).parallelism.sizes[0].micro_batch_size == 2
    assert _config(smaller).optimization == _config(attempt).optimization


def _changed(attempt, **spec):
    job = attempt.job.model_dump(mode="json", by_alias=True, exclude_none=True)
    for path, value in spec.items():
        block = job["spec"]
        *parents, last = path.split("__")
        for name in parents:
            block = block[name]
        block[last] = value
    return parse_job(job)


@pytest.mark.parametrize(
    ("every", "seconds", "steps", "want"),
    [
        ({}, None, None, (None, None)),  # the trainer's own default
        ({}, 240.0, 12, (None, 4.0)),
        ({}, 240.0, None, (50, 4.0)),
        ({"steps": 7}, 240.0, 12, (7, None)),
        ({"minutes": 3}, 240.0, 12, (None, 3.0)),
    ],
)
def test_checkpoints_are_taken_as_the_job_says_or_as_the_plan_chose(attempt_of, every, seconds, steps, want):
    attempt = attempt_of("sft-elastic-after-failures")
    plan = attempt.plan.model_copy(update={"checkpoint_seconds": seconds, "checkpoint_every_steps": steps})
    job = _changed(attempt, storage={"checkpoints": {"every": every}})
    said = _config(attempt_of("sft-elastic-after-failures", job=job, plan=plan)).checkpoints
    assert (said.every_steps, said.every_minutes) == want


@pytest.mark.parametrize(
    ("minimum", "workers", "want"), [(None, 4, None), (1, 4, 2), (3, 4, 3), (4, 4, None), (1, 3, 2), (1, 2, None)]
)
def test_training_may_go_on_with_as_few_workers_as_the_job_allows_and_the_plan_has_sizes_for(
    attempt_of, minimum, workers, want
):
    attempt = attempt_of("sft-elastic-after-failures")  # sizes for 2, 3 and 4 workers
    job = _changed(attempt, compute={"workers": 4} | ({"minWorkers": minimum} if minimum else {}))
    plan = attempt.plan.model_copy(update={"workers": workers})
    said = _config(attempt_of("sft-elastic-after-failures", job=job, plan=plan)).parallelism
    assert (said.workers, said.min_workers) == (workers, want)


def test_the_digest_covers_what_is_immutable_and_nothing_else(attempt_of):
    attempt = attempt_of("pretrain-train-cpu")
    same = _changed(attempt)
    assert spec_digest(same) == spec_digest(attempt.job)
    free = {
        "recovery__maxRestarts": 9,
        "compute__workers": 4,
        "storage__checkpoints": {"keep": 9},
        "runPolicy__suspend": True,
    }
    for path, value in free.items():
        assert spec_digest(_changed(attempt, **{path: value})) == spec_digest(attempt.job), path
    fixed = {"optimization__seed": 8, "data__maxLength": 512, "storage__continueFrom": "x", "compute__profile": "cpu"}
    digests = {spec_digest(_changed(attempt, **{path: value})) for path, value in fixed.items()}
    assert len(digests | {spec_digest(attempt.job)}) == 5


def test_a_default_written_out_does_not_change_the_digest(attempt_of):
    attempt = attempt_of("pretrain-train-cpu")
    assert spec_digest(_changed(attempt, optimization__schedule="cosine")) == spec_digest(attempt.job)


def test_what_the_planner_plans_the_trainer_accepts(attempt_of):
    """The whole way: job, inspection and profile to a plan, to a RunConfig that parses."""
    from trivium.api import parse_profile
    from trivium.api.inspection import Inspection

    attempt = attempt_of("pretrain-train-cpu")
    spec = attempt.profile.model_dump(mode="json", by_alias=True, exclude_none=True)
    spec["storage"] = {"runs": {"claimName": "runs"}}
    profile = parse_profile(
        {"apiVersion": "trivium.dev/v1alpha1", "kind": "ComputeProfile", "metadata": {"name": "cpu"}, "spec": spec}
    )
    inspection = Inspection(
        architecture={
            "model_type": "llama",
            "hidden_size": 192,
            "num_hidden_layers": 4,
            "num_attention_heads": 6,
            "intermediate_size": 512,
            "vocab_size": 4096,
            "tie_word_embeddings": True,
        },
        parameters=2_557_632,
        vocabulary=4096,
        packing=True,
        max_length=256,
        train_sequences=900,
        train_examples=900,
        train_tokens=230_000,
        prepared_key="k",
        tokenizer_digest="t",
    )
    plan = plan_stage(attempt.job, stage="train", inspection=inspection, profile=profile)
    config = _config(attempt_of("pretrain-train-cpu", plan=plan, profile=profile.spec))
    assert config.optimization.total_steps == 300
    assert config.parallelism.sizes[0].world_size == 2
    assert config.plan["memoryPerGPU"]["needed"] > 0
