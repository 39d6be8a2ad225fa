"""Whether a prompt of the job was trained on: samples of seen and of unseen questions are shown apart."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from transformers import AutoTokenizer

from trivium_trainer.config import RunConfig
from trivium_trainer.data.examples import Examples
from trivium_trainer.data.prepared import Prepared
from trivium_trainer.sampling import Origin, encode_prompt

MAX_SEQUENCES = 100_000
"""Above it nothing is looked up: some seconds of reading are worth a label, minutes are not."""


def prompt_origins(config: RunConfig, prepared: Prepared) -> list[Origin | None]:
    """For each prompt, whether some training row, else some held-out row, begins with it. By token ids.

    None: not looked up (pre-training has no prompts; or too many rows).
    """
    prompts = config.sampling.prompts
    splits = [prepared.train, *prepared.evaluation.values()]
    if config.recipe == "pretrain" or not prompts or sum(map(len, splits)) > MAX_SEQUENCES:
        return [None] * len(prompts)
    tokenizer: Any = AutoTokenizer.from_pretrained(prepared.tokenizer_dir)
    encoded = [np.array(encode_prompt(tokenizer, prompt, is_chat=True), dtype=np.int64) for prompt in prompts]
    wanted = {ids.tobytes() for ids in encoded}
    lengths = sorted({len(ids) for ids in encoded})
    seen = _found(prepared.train, wanted, lengths)
    held_out = set().union(*(_found(split, wanted, lengths) for split in prepared.evaluation.values()))
    keys = [ids.tobytes() for ids in encoded]
    return ["seen" if key in seen else "held-out" if key in held_out else "other" for key in keys]


def _found(examples: Examples, wanted: set[bytes], lengths: list[int]) -> set[bytes]:
    """Those of the wanted beginnings that some example of the split has."""
    found: set[bytes] = set()
    for number in range(len(examples)):
        for beginning in _examples_of_row(examples, number, longest=lengths[-1]):
            found |= wanted & {beginning[:length].tobytes() for length in lengths}
    return found


def _examples_of_row(examples: Examples, number: int, *, longest: int) -> Iterator[NDArray[np.int64]]:
    """The first tokens of each example in a row; a pair has one prompt."""
    row = examples.sequence(number)
    if "chosen_input_ids" in row:
        yield row["chosen_input_ids"][:longest]
        return
    starts = np.flatnonzero(row["position_ids"] == 0)
    for start, end in zip(starts, [*starts[1:], len(row["input_ids"])], strict=True):
        yield row["input_ids"][start : min(end, start + longest)]
