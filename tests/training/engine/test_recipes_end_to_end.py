"""What each recipe leaves behind: an output that the ecosystem loads, samples, evaluations, and failures with a name.

Covered: full and LoRA (with new token rows) x ZeRO 0, 2, 3, nf4, DPO with a live, precomputed and adapter-off reference on one
and two ranks, keepBest, early stopping, divergence, refusals. Left out: quality, which examples/ and the demo show.
"""

import json

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig, pipeline

from trivium_trainer.output import read_output

# peft's import of bitsandbytes and transformers' pipelines warn about things that are not ours.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]
SAMPLING = {"sampling": {"prompts": ["What is one plus two?", "What?"], "everySteps": 4, "maxNewTokens": 6}}
LORA = {"adapter": {"lora": {"rank": 4, "alpha": 8}}, "base": "base"}
DPO = {"data": "pairs", "base": "base", "evaluation": {"everySteps": 4}}
MIXED = {"losses": [{"type": "sigmoid"}, {"type": "sft", "weight": 0.2}]}
FAST = {"totalSteps": 8, "globalBatchSize": 8, "seed": 3, "learningRate": 3e-2}


@pytest.fixture(scope="module")
def runs(lab):
    one = [lab.scenario(f"full-z{zero}", zero=zero, base="base", **SAMPLING) for zero in (0, 3)]
    one += [lab.scenario("scratch-pretrain", recipe="pretrain", zero=2, output={"modelCard": True}, **SAMPLING)]
    one += [
        lab.scenario(f"lora-z{zero}", zero=zero, options={"added_token_ids": [1, 2]}, optimization=FAST, **LORA)
        for zero in (0, 2, 3)
    ]
    one += [lab.scenario("lora-nf4", zero=2, adapter={"lora": {"rank": 4}, "quantization": "nf4"}, base="base")]
    one += [lab.scenario(f"dpo-live-z{zero}", zero=zero, dpo=MIXED, **DPO) for zero in (0, 2, 3)]
    one += [lab.scenario("dpo-live-z2-micro2", zero=2, micro=2, dpo=MIXED, **DPO)]
    one += [lab.scenario("dpo-precomputed", zero=2, dpo=MIXED | {"reference": "precomputed"}, **DPO)]
    one += [
        lab.scenario(
            "dpo-again-stopped",
            run="dpo-again",
            zero=2,
            options={"stop_in_step": 5},
            dpo=MIXED | {"reference": "precomputed"},
            **DPO,
        )
    ]
    one += [lab.scenario("dpo-again-resumed", run="dpo-again", zero=2, dpo=MIXED | {"reference": "precomputed"}, **DPO)]
    one += [
        lab.scenario(f"dpo-lora-z{zero}", zero=zero, dpo=MIXED, adapter={"lora": {"rank": 4}}, **DPO) for zero in (2, 3)
    ]
    one += [
        lab.scenario(
            "dpo-lora-precomputed",
            zero=2,
            dpo=MIXED | {"reference": "precomputed"},
            adapter={"lora": {"rank": 4}},
            **DPO,
        )
    ]
    worse = {"optimization": FAST | {"learningRate": 1.0, "schedule": "constant", "warmupFraction": 0.0}}
    one += [
        lab.scenario(
            "best",
            zero=3,
            evaluation={"everySteps": 1, "keepBest": True, "earlyStoppingPatience": 2},
            base="base",
            **worse,
        )
    ]
    one += [lab.scenario("diverged", zero=0, optimization=FAST | {"learningRate": 1e30, "gradientClip": 0.0})]
    one += [lab.scenario("refused-nf4-z3", zero=3, adapter={"quantization": "nf4"}, base="base")]
    one += [lab.scenario("refused-adapter", adapter={})]
    one += [lab.scenario("refused-target", adapter={"lora": {"targetModules": ["q_prj"]}}, base="base")]
    one += [lab.scenario("refused-exo", dpo={"losses": [{"type": "exo_pair"}]}, **DPO)]
    one += [lab.scenario("refused-deepspeed", parallelism={"deepspeed": {"train_batch_size": 4}})]
    lab.train(*one)
    two = [
        lab.scenario(f"dpo-{kind}-ranks2", zero=2, ranks=2, dpo=MIXED | {"reference": kind}, **DPO)
        for kind in ("live", "precomputed")
    ]
    two += [
        lab.scenario("full-z3-ranks2", zero=3, ranks=2, base="base", **SAMPLING),
        lab.scenario("lora-z3-ranks2", zero=3, ranks=2, options={"added_token_ids": [1, 2]}, optimization=FAST, **LORA),
    ]
    lab.train(*two, ranks=2)
    return {scenario.name: scenario for scenario in one + two}


def losses(scenario):
    assert len(scenario.losses) == 8
    return list(scenario.losses.values())


def weights(scenario):
    return load_file(scenario.stage.model / "model.safetensors")


@pytest.mark.parametrize(
    "name",
    ["full-z0", "full-z3", "full-z3-ranks2", "scratch-pretrain", "lora-z2", "lora-z3", "lora-nf4", "dpo-live-z3"],
)
def test_an_output_is_a_model_of_the_ecosystem(runs, name):
    folder = runs[name].stage.model
    model = AutoModelForCausalLM.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert tokenizer.chat_template
    # <|im_end|> ends an answer, <|endoftext|> a text; the pad token is neither.
    generation = GenerationConfig.from_pretrained(folder)
    assert (generation.eos_token_id, generation.pad_token_id) == ([2, 0], 3)
    generator = pipeline("text-generation", model=model, tokenizer=tokenizer)
    answer = generator([{"role": "user", "content": "What?"}], max_new_tokens=3)[0]["generated_text"][-1]
    assert answer["role"] == "assistant"


def test_an_output_names_and_digests_everything_in_it(runs):
    record = read_output(runs["lora-z2"].stage.output)
    assert {"model/model.safetensors", "model/config.json", "adapter/adapter_model.safetensors"} <= {
        f.path for f in record.files
    }
    assert (record.recipe, record.step, record.tokenizer_digest) == ("sft", 8, "t")
    assert record.digest == read_output(runs["lora-z2"].stage.output).digest
    assert not list(runs["lora-z2"].stage.root.glob(".output-draft"))


def test_an_output_has_a_model_card(runs):
    card = (runs["scratch-pretrain"].stage.model / "README.md").read_text()
    assert card.startswith("---\n")
    assert not (runs["full-z0"].stage.model / "README.md").exists()


def test_the_output_is_what_was_trained_at_every_stage(runs):
    want = weights(runs["full-z0"])
    for name in ("full-z3", "full-z3-ranks2"):
        have = weights(runs[name])
        assert have.keys() == want.keys()
        for key, tensor in want.items():
            torch.testing.assert_close(have[key], tensor, rtol=0, atol=1e-4)
    base = load_file(runs["full-z0"].stage.root.parents[3] / "prepared" / "base" / "model.safetensors")
    assert base.keys() == want.keys()  # the tied output layer is saved once
    assert any(not torch.equal(base[key], want[key]) for key in want)


def test_lora_trains_the_same_losses_at_every_stage(runs):
    want = losses(runs["lora-z0"])
    assert want[-1] < want[0] - 0.15
    for name in ("lora-z2", "lora-z3", "lora-z3-ranks2"):
        assert losses(runs[name]) == pytest.approx(want, abs=2e-6)


@pytest.mark.parametrize("name", ["lora-z0", "lora-z3", "lora-z3-ranks2"])
def test_lora_trains_new_token_rows_and_no_others(runs, name):
    base = load_file(runs[name].stage.root.parents[3] / "prepared" / "base" / "model.safetensors")
    embeddings, before = weights(runs[name])["model.embed_tokens.weight"], base["model.embed_tokens.weight"]
    changed = (embeddings != before).any(dim=1).nonzero().flatten().tolist()
    # Row 1 never occurs in the data as an input: only a tied output layer moves it.
    assert set(changed) == {1, 2}
    norms = [key for key in base if "norm" in key]
    assert all(torch.equal(weights(runs[name])[key], base[key]) for key in norms)


def test_nf4_trains_its_adapter(runs):
    trained = losses(runs["lora-nf4"])
    assert trained[-1] < trained[0]
    assert weights(runs["lora-nf4"])["model.layers.0.mlp.up_proj.weight"].dtype == torch.float32


@pytest.mark.parametrize(
    "name",
    [
        "dpo-live-z2",
        "dpo-live-z3",
        "dpo-live-z2-micro2",
        "dpo-precomputed",
        "dpo-live-ranks2",
        "dpo-precomputed-ranks2",
    ],
)
def test_dpo_trains_the_same_losses_however_it_is_cut_and_its_reference_is_kept(runs, name):
    assert losses(runs[name]) == pytest.approx(losses(runs["dpo-live-z0"]), abs=3e-6)


def test_dpo_begins_at_its_reference_and_learns_the_preference(runs):
    lines = runs["dpo-live-z0"].lines("step")
    assert lines[0]["metrics"]["reward_margin"] == pytest.approx(0, abs=1e-5)
    # -log sigmoid(0) + 0.2 * the chosen answers' mean token loss
    assert lines[0]["loss"] == pytest.approx(0.693147 + 0.2 * lines[0]["metrics"]["chosen_loss"], abs=1e-5)
    held_out = runs["dpo-live-z0"].lines("evaluation")
    assert held_out[0]["metrics"]["reward_accuracy"] < 1
    assert held_out[-1]["metrics"]["reward_accuracy"] == 1
    assert held_out[-1]["metrics"]["reward_margin"] > 0.1
    assert held_out[-1]["perplexity"] < held_out[0]["perplexity"]


def test_an_adapter_switched_off_is_the_same_reference_as_a_precomputed_one(runs):
    want = losses(runs["dpo-lora-z2"])
    assert losses(runs["dpo-lora-precomputed"]) == pytest.approx(want, abs=3e-6)
    assert losses(runs["dpo-lora-z3"]) == pytest.approx(want, abs=3e-6)
    assert want[-1] < want[0]


def test_precomputed_references_are_read_again_after_a_restart(runs):
    resumed = runs["dpo-again-resumed"]
    files = list((resumed.stage.root / "reference").rglob("*.npy"))
    assert len(files) == 2  # 21 pairs of training in one block, 7 held out in another
    assert list(resumed.losses.values()) == list(runs["dpo-precomputed"].losses.values())[5:]


@pytest.mark.parametrize("name", ["full-z0", "full-z3", "full-z3-ranks2", "scratch-pretrain"])
def test_prompts_are_answered_before_during_and_after(runs, name):
    lines = runs[name].lines("sample")
    assert [(line["step"], line["moment"]) for line in lines] == [(0, "before")] * 2 + [(4, "during")] * 2 + [
        (8, "after")
    ] * 2
    assert all(line["tokens"] <= 6 and (line["ended"] or line["tokens"] == 6) for line in lines)


def test_samples_do_not_depend_on_the_ranks_and_leave_training_as_it_was(runs):
    completions = [
        [line["completion"] for line in runs[name].lines("sample")] for name in ("full-z0", "full-z3", "full-z3-ranks2")
    ]
    assert completions[0] == completions[1] == completions[2]
    assert losses(runs["full-z3"]) == pytest.approx(losses(runs["full-z0"]), abs=3e-6)


def test_keep_best_publishes_the_best_weights_and_early_stopping_ends_the_run(runs):
    best = runs["best"]
    held_out = [line["loss"] for line in best.lines("evaluation")]
    want_step = held_out.index(min(held_out))
    assert 0 <= want_step < len(held_out) - 2
    assert len(held_out) == want_step + 3  # patience 2: two evaluations without a better one
    assert read_output(best.stage.output).step == want_step
    assert json.loads((best.stage.root / "best" / "best.json").read_text())["step"] == want_step


@pytest.mark.parametrize(
    ("name", "want_class", "want_reason"),
    [
        ("diverged", "Diverged", {"LossIsNaN", "NumbersOverflow"}),
        ("refused-nf4-z3", "UserError", {"QuantizationWithZero3"}),
        ("refused-adapter", "UserError", {"AdapterWithoutBase"}),
        ("refused-target", "UserError", {"UnknownTargetModule"}),
        ("refused-exo", "UserError", {"LabelSmoothingMissing"}),
        ("refused-deepspeed", "UserError", {"DeepSpeedKeyNotAllowed"}),
    ],
)
def test_a_failure_has_a_class_and_a_reason(runs, name, want_class, want_reason):
    result = runs[name].result
    assert (result["outcome"], result["class"]) == ("failed", want_class)
    assert result["reason"] in want_reason


def test_a_diverged_run_names_the_step_and_saves_nothing_of_it(runs):
    assert " at step " in runs["diverged"].result["message"]
    assert not list(runs["diverged"].stage.checkpoints.glob("step-*"))
