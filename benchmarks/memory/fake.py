"""Published models at full size: shapes without memory (FakeTensorMode), under the same storage log.

DeepSpeed does not run on shapes alone, so the model is a plain one and the optimizer's states are not compared; the
loss is engine/losses.py's, spelled out, because choosing positions needs values.
"""

import contextlib
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional

from benchmarks.memory.case import Case
from benchmarks.memory.models import model_config
from benchmarks.memory.storage_log import StorageLog


def measure(case: Case) -> dict[str, Any]:
    """The training window of one step; bytes by category."""
    assert case.zero_stage == 0
    assert case.recipe == "language"
    with FakeTensorMode(), contextlib.ExitStack() as stack:
        model = _build(case)
        vocabulary = model_config(case.model)["vocab_size"]
        log = StorageLog(logits=(case.sequences * (case.max_length - 1), vocabulary), sizes={})
        log.name(list(model.parameters()), "weights")
        log.name(list(model.buffers()), "weights")
        stack.enter_context(log)
        for micro in range(case.accumulation):
            log.phase(f"micro{micro}")
            _loss(case, model).backward()
            log.name([parameter.grad for parameter in model.parameters()], "gradients")
        return {"training": log.report([f"micro{case.accumulation - 1}"])}


def _build(case: Case) -> Any:
    from transformers import CONFIG_MAPPING, AutoModelForCausalLM
    from transformers.initialization import no_init_weights

    from trivium_trainer.model.weights import enable_gradient_checkpointing

    fields = model_config(case.model)
    config = CONFIG_MAPPING[fields["model_type"]].from_dict(dict(fields))
    with no_init_weights():
        model = AutoModelForCausalLM.from_config(
            config, dtype=getattr(torch, case.dtype), attn_implementation=case.attention
        )
    model.tie_weights()
    model.train()
    if case.checkpointing:
        enable_gradient_checkpointing(model, zero_stage=0)
    return model


def _loss(case: Case, model: Any) -> torch.Tensor:
    ids = torch.zeros((case.sequences, case.max_length), dtype=torch.long)
    # What transformers makes of position ids that restart, or of padding: it looks at values to find out.
    mask = None
    if case.packing or case.sequences > 1:
        mask = torch.ones((case.sequences, 1, case.max_length, case.max_length), dtype=torch.bool)
    kept = torch.arange(case.max_length - 1)
    logits = model(input_ids=ids, attention_mask=mask, use_cache=False, logits_to_keep=kept).logits
    targets = ids[:, 1:]
    return functional.cross_entropy(logits.flatten(0, 1).float(), targets.flatten(), reduction="sum")
