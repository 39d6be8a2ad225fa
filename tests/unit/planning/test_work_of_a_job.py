"""What is known of a model before and after its inspection, and what of it trains."""

import pytest

from trivium.api.model import PretrainModel
from trivium.planning.architecture import read_architecture
from trivium.planning.parameters import ParameterCount, count_parameters
from trivium.planning.presets import PRESET_CONFIGS
from trivium.planning.refusal import PlanError, Refusal
from trivium.planning.workload import (
    has_live_reference,
    known_architecture,
    parameter_count,
    trainable_parameters,
    written_config,
)

CONFIG = {
    "model_type": "llama", "hidden_size": 64, "num_hidden_layers": 4, "num_attention_heads": 4,
    "intermediate_size": 96, "vocab_size": 100,
}  # fmt: skip
MIXTURE = CONFIG | {"model_type": "mixtral", "num_local_experts": 4}
NO_SUCH_MODEL = "Use a decoder-only transformer such as llama, qwen3, mistral, gemma3_text or gpt2."
TOKENIZER = {"train": {"vocabSize": 500}}
FROM = {"from": {"hub": {"repo": "some/tokenizer"}}}


def written(tokenizer=TOKENIZER, **architecture):
    return written_config(PretrainModel.model_validate({"architecture": architecture, "tokenizer": tokenizer}))


def less(*names):
    return {name: value for name, value in CONFIG.items() if name not in names}


def counted(total):
    return ParameterCount(total=total, embedding=0, active=total, largest_layer=0)


def refusal_of(call):
    with pytest.raises(PlanError) as refused:
        call()
    return refused.value.refusal


def test_a_preset_is_written_out_with_the_jobs_own_vocabulary():
    assert written(preset="llama-tiny") == {**PRESET_CONFIGS["llama-tiny"], "vocab_size": 500}
    assert written(FROM, preset="llama-tiny") == PRESET_CONFIGS["llama-tiny"]


def test_a_preset_that_is_none_is_refused_with_those_that_are():
    assert refusal_of(lambda: written(preset="llama-9t")) == Refusal(
        field="spec.model.architecture.preset",
        problem="llama-9t is not a preset",
        ways_out=(
            (
                "Use one of llama-tiny, llama-30m, llama-125m, llama-350m, llama-1b, llama-3b, llama-8b, "
                "or write architecture.config."
            ),
        ),
    )


@pytest.mark.parametrize(
    ("config", "tokenizer", "vocabulary"),
    [
        (CONFIG, TOKENIZER, 100),
        (CONFIG, FROM, 100),
        (less("vocab_size"), TOKENIZER, 500),
        (less("vocab_size"), FROM, None),
        *((less(name), TOKENIZER, None) for name in sorted(set(CONFIG) - {"model_type", "vocab_size"})),
    ],
)
def test_a_config_is_known_only_with_every_size(config, tokenizer, vocabulary):
    found = written(tokenizer, config=config)
    assert (found and found["vocab_size"]) == vocabulary
    assert found is None or read_architecture(found).vocab_size == vocabulary


def test_what_prepare_saw_outranks_a_found_config_and_that_what_is_written(make_job, make_inspection):
    job = make_job("PretrainJob")
    seen = make_inspection("tiny", architecture=CONFIG | {"vocab_size": 7})
    assert known_architecture(job, inspection=seen, model_config=CONFIG).vocab_size == 7
    assert known_architecture(job, inspection=None, model_config=CONFIG) == read_architecture(CONFIG)
    assert known_architecture(job, inspection=None).hidden_size == 192
    assert known_architecture(make_job("SFTJob"), inspection=None) is None


def test_a_shape_that_is_not_known_is_refused_at_the_field_it_comes_from(make_job, make_inspection):
    problem = "the config of a llama model has none of vocab_size"
    want = Refusal(field="spec.model", problem=problem, ways_out=(NO_SUCH_MODEL,))
    seen = make_inspection("tiny", architecture=less("vocab_size"))
    job = make_job("SFTJob")
    assert refusal_of(lambda: known_architecture(job, inspection=seen)) == want
    assert refusal_of(lambda: known_architecture(job, inspection=None, model_config=less("vocab_size"))) == want


@pytest.mark.parametrize(("hint", "want"), [(None, None), ("8B", counted(8_000_000_000))])
def test_before_the_model_is_seen_its_hint_counts(make_job, hint, want):
    model = {"parameters": hint} if hint else {}
    assert parameter_count(make_job("SFTJob", model=model), architecture=None, inspection=None) == want


def test_the_total_that_prepare_counted_holds(make_job, make_inspection):
    job, shape = make_job("SFTJob"), read_architecture(CONFIG)
    count = count_parameters(shape)
    same = make_inspection("tiny", parameters=count.total)
    assert parameter_count(job, architecture=shape, inspection=None) == count
    assert parameter_count(job, architecture=shape, inspection=same) == count
    more = parameter_count(job, architecture=shape, inspection=make_inspection("tiny", parameters=count.total + 400))
    assert more == ParameterCount(
        total=count.total + 400,
        embedding=count.embedding,
        active=count.active + 400,
        largest_layer=(count.total + 400 - count.embedding) // 4,
    )
    none = parameter_count(job, architecture=shape, inspection=make_inspection("tiny", parameters=1))
    assert (none.active, none.largest_layer) == (1, 1)


def test_what_trains_is_the_model_or_its_adapter_with_added_tokens(make_job):
    shape = read_architecture(CONFIG)
    lora = make_job("SFTJob", adapter={"lora": {"rank": 2, "targetModules": ["q_proj"]}})
    # q_proj is 64 x 64 in four layers.
    adapter = 2 * (64 + 64) * 4
    all_of_it = counted(5000)
    assert trainable_parameters(make_job("SFTJob"), architecture=shape, parameters=all_of_it) == 5000
    assert trainable_parameters(lora, architecture=None, parameters=all_of_it) == 0
    assert trainable_parameters(lora, architecture=shape, parameters=all_of_it) == adapter
    assert trainable_parameters(lora, architecture=shape, parameters=all_of_it, added_tokens=3) == adapter + 3 * 64


@pytest.mark.parametrize(
    ("config", "targets", "problem", "way_out"),
    [
        (
            MIXTURE,
            ["all-linear"],
            "all-linear on a mixture of experts would adapt fused experts and the router",
            "Name the attention's modules: targetModules: [q_proj, k_proj, v_proj, o_proj].",
        ),
        (CONFIG, ["nothing_proj"], None, "Name some of these, or all-linear."),
    ],
)
def test_modules_that_cannot_be_adapted_are_refused(make_job, config, targets, problem, way_out):
    job = make_job("SFTJob", adapter={"lora": {"targetModules": targets}})
    shape = read_architecture(config)
    found = refusal_of(lambda: trainable_parameters(job, architecture=shape, parameters=counted(1)))
    assert (found.field, found.ways_out) == ("spec.adapter.lora.targetModules", (way_out,))
    assert found.problem == problem if problem else "nothing_proj" in found.problem


@pytest.mark.parametrize(("reference", "want"), [("live", True), ("precomputed", False)])
def test_a_reference_lives_only_where_it_is_not_computed_before(make_job, reference, want):
    assert has_live_reference(make_job("PreferenceJob", method={"dpo": {"reference": reference}})) is want
    assert not has_live_reference(make_job("SFTJob"))
