"""A copy of a model with more rows in its embeddings, for tokens that its vocabulary lacks."""

import shutil
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM


def save_resized(folder: Path, *, to: Path, rows: int, work: Path, trust_remote_code: bool) -> None:
    """Write the model in `folder` with `rows` embedding rows to `to`, whole or not at all, by way of this run's `work`.

    New rows, of the input and of an untied output embedding, are the mean of the old ones: of all starting points the
    one that changes the model's other predictions least (Hewitt, 2021), and the same at every attempt. transformers'
    own mean_resizing draws from a distribution around it.
    """
    model = AutoModelForCausalLM.from_pretrained(
        folder, dtype="auto", trust_remote_code=trust_remote_code, local_files_only=True
    )
    before = model.get_input_embeddings().weight.shape[0]
    model.resize_token_embeddings(rows, mean_resizing=False)
    for layer in (model.get_input_embeddings(), model.get_output_embeddings()):
        if layer is not None:
            _fill_with_mean(layer, first_new=before)
    partial = work / to.name
    shutil.rmtree(partial, ignore_errors=True)
    model.save_pretrained(partial)
    to.parent.mkdir(parents=True, exist_ok=True)
    try:
        partial.rename(to)
    except OSError:
        if not to.is_dir():
            raise
        shutil.rmtree(partial)  # another job was first; its copy is equal


def _fill_with_mean(layer: Any, *, first_new: int) -> None:
    with torch.no_grad():
        for tensor in (layer.weight, getattr(layer, "bias", None)):
            if tensor is not None:
                # In float32: a sum over a vocabulary overflows half precision.
                tensor[first_new:] = tensor[:first_new].float().mean(dim=0).to(tensor.dtype)
