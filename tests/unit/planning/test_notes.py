"""The sentences of status.plan.notes: each there when it applies, word for word, and only then."""

import pytest

from trivium.api.plan_status import MemoryPlan, Plan, SizePlan
from trivium.planning.notes import explain

GIB = 1024**3
PLAN = Plan(
    workers=2,
    gpus_per_worker=8,
    gpus=16,
    zero_stage=2,
    precision="bfloat16",
    attention="flash_attention_2",
    sizes=(SizePlan(world_size=16, micro_batch_size=3, gradient_accumulation=2),),
    memory_per_gpu=MemoryPlan(needed=61 * GIB, available=80 * GIB),
)
FIT = (
    "ZeRO 2 over 16 ranks, the least communication that fits: 61.0 of 80.0 GiB of a GPU, "
    "with 3 sequences per forward pass."
)


def _notes(make_job, make_profile, *, kind="SFTJob", plan=None, profile=None, **spec):
    changed = PLAN.model_copy(update=plan or {})
    return explain(changed, job=make_job(kind, **spec), profile=make_profile("h100", **(profile or {})))


def test_a_plain_plan_says_only_what_was_chosen(make_job, make_profile):
    assert _notes(make_job, make_profile) == (FIT,)


CASES = [
    ({"plan": {"provisional": True}}, "Provisional: the data has not been seen; the stage prepare completes the plan."),
    (
        {"plan": {"provisional": True, "sizes": (), "memory_per_gpu": None}},
        "Provisional: neither the model nor the data has been seen; the stage prepare completes the plan.",
    ),
    (
        {"parallelism": {"zeroStage": 2}},
        "ZeRO 2 over 16 ranks, as the job says: 61.0 of 80.0 GiB of a GPU, with 3 sequences per forward pass.",
    ),
    (
        {
            "plan": {
                "sizes": (SizePlan(world_size=1, micro_batch_size=1, gradient_accumulation=2),),
                "gpus_per_worker": 0,
            }
        },
        (
            "ZeRO 2 on one rank, the least communication that fits: 61.0 of 80.0 GiB of a worker, "
            "with 1 sequence per forward pass."
        ),
    ),
    (
        {"plan": {"gradient_checkpointing": True}},
        "Activations are recomputed in the backward pass: kept, they would not fit or would leave the device idle.",
    ),
    (
        {"kind": "PreferenceJob", "method": {"dpo": {}}},
        "The reference runs as a second copy of the model; reference: precomputed would save that memory.",
    ),
    (
        {"kind": "PreferenceJob", "method": {"dpo": {}}, "adapter": {}},
        "The reference is the model itself with the adapter switched off: no second copy.",
    ),
    (
        {"plan": {"attention": "sdpa", "precision": "float32"}},
        "Attention is sdpa: flash attention does not compute in float32.",
    ),
    ({"plan": {"attention": "sdpa"}}, "Attention is sdpa: profile h100 names no feature flash-attention-2."),
    (
        {"plan": {"min_workers": 1}},
        (
            "Training goes on with 1 to 2 workers; the global batch is the same at each size, and the memory shown is the "
            "largest of them."
        ),
    ),
    (
        {"plan": {"efficiency_source": "assumed: something"}},
        "The estimated time rests on an efficiency assumed: something.",
    ),
    (
        {"plan": {"checkpoint_seconds": 630.0, "checkpoint_source": "because"}},
        "A checkpoint every 10 minutes: because.",
    ),
]


@pytest.mark.parametrize(("case", "want"), CASES, ids=[want[:40] for _, want in CASES])
def test_a_sentence_is_there_when_it_applies_and_only_then(make_job, make_profile, case, want):
    assert want in _notes(make_job, make_profile, **case)
    if want != FIT:
        assert want not in _notes(make_job, make_profile)


SILENT = [
    {"plan": {"gradient_checkpointing": True}, "parallelism": {"gradientCheckpointing": "enabled"}},
    {"kind": "SFTJob", "adapter": {}},
    {"plan": {"attention": "sdpa"}, "model": {"attention": "sdpa"}},
]


@pytest.mark.parametrize("case", SILENT)
def test_what_the_job_itself_said_needs_no_reason(make_job, make_profile, case):
    assert len(_notes(make_job, make_profile, **case)) == 1


def test_a_preference_job_counts_pairs(make_job, make_profile):
    notes = _notes(make_job, make_profile, kind="PreferenceJob", method={"dpo": {"reference": "precomputed"}})
    assert notes == (FIT.replace("3 sequences", "3 pairs"),)
