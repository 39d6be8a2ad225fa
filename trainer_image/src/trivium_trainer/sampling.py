"""Generations for the job's prompts, before, during and after training: what a person looks at first."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from transformers import AutoTokenizer, GenerationConfig

from trivium_trainer.config import RunConfig
from trivium_trainer.data.prepared import Prepared
from trivium_trainer.engine import random_state
from trivium_trainer.engine.run import Run
from trivium_trainer.engine.zero_engine import whole_parameters
from trivium_trainer.report_data import SampleLine

BATCH = 8
"""Prompts generated together; small enough that the cache of a large model still fits beside its optimizer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """One answer. `ended`: the end token came in time."""

    text: str
    ended: bool
    tokens: int


Moment = Literal["before", "during", "after"]
Origin = Literal["seen", "held-out", "other"]


def sample(run: Run, engine: Any, *, step: int, moment: Moment, origins: Sequence[Origin | None]) -> None:
    """One generation for each of the job's prompts, written to the report's data. Collective.

    `origins`: whether each prompt was trained on; rank 0's counts.
    """
    prompts = run.config.sampling.prompts
    if not prompts:
        return
    run.session.beat("sample")
    engine.eval()
    with (
        random_state.forked(run.optimization.seed),
        torch.no_grad(),
        whole_parameters(engine, zero_stage=run.zero_stage),
    ):
        # ZeRO-3: every rank generates, in step with the others, and rank 0's text counts.
        if run.ranks.is_first or run.zero_stage == 3:
            completions = generate(
                engine.module, prompts, config=run.config, prepared=run.prepared, device=run.ranks.device
            )
    run.ranks.barrier()
    if run.ranks.is_first:
        _write(run, step=step, moment=moment, origins=origins, completions=completions)
    run.session.beat("step")


def generate(
    model: Any, prompts: list[str], *, config: RunConfig, prepared: Prepared, device: torch.device
) -> list[Completion]:
    """Answers in the order of the prompts: greedy at temperature 0, else sampled."""
    tokenizer = AutoTokenizer.from_pretrained(prepared.tokenizer_dir)
    ends = end_token_ids(tokenizer, prepared)
    settings = GenerationConfig(
        max_new_tokens=config.sampling.max_new_tokens,
        do_sample=config.sampling.temperature > 0,
        eos_token_id=ends,
        pad_token_id=prepared.pad_token_id,
        **({"temperature": config.sampling.temperature, "top_k": 0} if config.sampling.temperature > 0 else {}),
    )
    encoded = [encode_prompt(tokenizer, prompt, is_chat=config.recipe != "pretrain") for prompt in prompts]
    completions = []
    for start in range(0, len(encoded), BATCH):
        input_ids, attention_mask = _left_padded(encoded[start : start + BATCH], pad_token_id=prepared.pad_token_id)
        output = model.generate(
            input_ids=input_ids.to(device), attention_mask=attention_mask.to(device), generation_config=settings
        )
        completions += [_completion(tokenizer, row, ends) for row in output[:, input_ids.shape[1] :].tolist()]
    return completions


def encode_prompt(tokenizer: Any, prompt: str, *, is_chat: bool) -> list[int]:
    """The prompt as one user turn where the tokenizer has a chat template, as plain text otherwise."""
    if is_chat and tokenizer.chat_template is not None:
        turns = [{"role": "user", "content": prompt}]
        encoded = tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_dict=True)
        return list(encoded["input_ids"])
    ids = list(tokenizer(prompt)["input_ids"])
    # A tokenizer that ends every text with its end token would end the text that is to go on.
    while ids and ids[-1] == tokenizer.eos_token_id:
        ids.pop()
    return ids or [tokenizer.bos_token_id or 0]


def end_token_ids(tokenizer: Any, prepared: Prepared) -> list[int]:
    """Tokens that end a generation: the one that training taught, then the tokenizer's own if it is another."""
    ends = [prepared.eos_token_id, tokenizer.eos_token_id]
    return list(dict.fromkeys(end for end in ends if end is not None))


def _left_padded(encoded: list[list[int]], *, pad_token_id: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Input ids and mask, each [B, longest]: a decoder goes on at the right end."""
    longest = max(len(ids) for ids in encoded)
    rows = [[pad_token_id] * (longest - len(ids)) + ids for ids in encoded]
    masks = [[0] * (longest - len(ids)) + [1] * len(ids) for ids in encoded]
    return torch.tensor(rows), torch.tensor(masks)


def _completion(tokenizer: Any, generated: list[int], ends: list[int]) -> Completion:
    """What was generated up to the first end token, which itself is not shown."""
    at = next((index for index, token in enumerate(generated) if token in ends), None)
    kept = generated if at is None else generated[:at]
    return Completion(text=tokenizer.decode(kept, skip_special_tokens=True), ended=at is not None, tokens=len(kept))


def _write(
    run: Run, *, step: int, moment: Moment, origins: Sequence[Origin | None], completions: list[Completion]
) -> None:
    prompts = run.config.sampling.prompts
    for prompt, origin, completion in zip(prompts, origins, completions, strict=True):
        run.session.write(
            SampleLine(
                at=time.time(),
                step=step,
                moment=moment,
                prompt=prompt,
                completion=completion.text,
                ended=completion.ended,
                tokens=completion.tokens,
                origin=origin,
            )
        )
