"""Number format, attention and kernels: what `auto` becomes, and what is refused in which words."""

import pytest

from trivium.planning.architecture import read_architecture
from trivium.planning.families import FAMILIES
from trivium.planning.precision import Precision, resolve_precision
from trivium.planning.refusal import PlanError

ALL = ("flash-attention-2", "liger")
EAGER = next(name for name, family in FAMILIES.items() if not family.sdpa)


def _architecture(model_type):
    shape = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 128}
    gpt = {"n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 64, "ffn_dim": 128, "num_local_experts": 2}
    return read_architecture({"model_type": model_type, "vocab_size": 100, **shape, **gpt})


@pytest.mark.parametrize(
    ("profile", "features", "model", "family", "want"),
    [
        ("h100", ALL, {}, "llama", ("bfloat16", "flash_attention_2", True)),
        ("h100", ALL, {}, None, ("bfloat16", "flash_attention_2", True)),
        ("h100", ALL, {"dtype": "float32"}, "llama", ("float32", "sdpa", True)),
        ("h100", ALL, {"attention": "flash"}, "llama", ("bfloat16", "flash_attention_2", True)),
        ("h100", ALL, {"attention": "sdpa"}, "llama", ("bfloat16", "sdpa", True)),
        ("h100", ALL, {"attention": "eager"}, "llama", ("bfloat16", "eager", True)),
        ("h100", ALL, {"kernels": {"liger": "disabled"}}, "llama", ("bfloat16", "flash_attention_2", False)),
        ("h100", ALL, {"kernels": {"liger": "enabled"}}, "llama", ("bfloat16", "flash_attention_2", True)),
        ("h100", (), {}, "llama", ("bfloat16", "sdpa", False)),
        ("h100", (), {}, None, ("bfloat16", "sdpa", False)),
        ("h100", (), {}, EAGER, ("bfloat16", "eager", False)),
        ("cpu", ALL, {}, "llama", ("float32", "sdpa", False)),
        ("cpu", (), {"attention": "eager"}, "llama", ("float32", "eager", False)),
        ("cpu", (), {"dtype": "bfloat16"}, "llama", ("bfloat16", "sdpa", False)),
    ],
)
def test_auto_takes_the_best_that_the_profile_and_the_model_have(
    make_job, make_profile, profile, features, model, family, want
):
    architecture = None if family is None else _architecture(family)
    found = resolve_precision(
        make_job("SFTJob", model=model),
        profile=make_profile(profile, features=list(features)),
        architecture=architecture,
    )
    dtype, attention, liger = want
    assert found == Precision(dtype=dtype, attention=attention, liger=liger)
    assert found.element_bytes == {"bfloat16": 2, "float32": 4}[dtype]


@pytest.mark.parametrize(
    ("profile", "features", "model", "family", "want"),
    [
        (
            "h100",
            (),
            {"attention": "flash"},
            "llama",
            (
                "spec.model.attention: flash needs it, but profile h100 has no GPU image with flash-attention-2. "
                "Set attention: auto, or choose another profile."
            ),
        ),
        (
            "cpu",
            ALL,
            {"attention": "flash"},
            "llama",
            (
                "spec.model.attention: flash needs it, but profile cpu has no GPU image with flash-attention-2. "
                "Set attention: auto, or choose another profile."
            ),
        ),
        (
            "h100",
            ALL,
            {"attention": "flash", "dtype": "float32"},
            "llama",
            (
                "spec.model.attention: flash needs it, but profile h100 computes in float32. "
                "Set dtype: bfloat16, or attention: auto."
            ),
        ),
        (
            "h100",
            ALL,
            {"attention": "sdpa"},
            EAGER,
            f"spec.model.attention: sdpa is not offered by transformers for {EAGER}. Set attention: auto.",
        ),
        (
            "cpu",
            ALL,
            {"kernels": {"liger": "enabled"}},
            "llama",
            (
                "spec.model.kernels.liger: enabled, but profile cpu has no GPU image with liger. "
                "Set liger: auto, or choose another profile."
            ),
        ),
    ],
)
def test_what_a_profile_or_a_model_lacks_is_refused_by_name(
    make_job, make_profile, profile, features, model, family, want
):
    with pytest.raises(PlanError) as refused:
        resolve_precision(
            make_job("SFTJob", model=model),
            profile=make_profile(profile, features=list(features)),
            architecture=_architecture(family),
        )
    assert refused.value.refusal.message == want
