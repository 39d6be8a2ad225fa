"""A change of the world size: DeepSpeed's universal checkpoint, converted once, by rank 0, within one ZeRO stage."""

import contextlib
import io
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

UNIVERSAL_FOLDER = "universal"


def load_converted(engine: Any, folder: Path, *, strict: bool) -> None:
    """Load converted shards, and undo two things that DeepSpeed 0.19.8 does to a ZeRO-3 optimizer on the way.

    It copies the first parameter group's settings over every group (norms would decay from then on), and lets all
    groups share one step tensor, which then counts once for each group. Both change the losses after the second step;
    test_resume_exactness fails without this.
    """
    settings = [{key: value for key, value in group.items() if key != "params"} for group in _groups(engine)]
    engine.load_checkpoint(str(folder), tag=UNIVERSAL_FOLDER, load_module_strict=strict)
    for group, before in zip(_groups(engine), settings, strict=True):
        group.update(before)
    for state in engine.optimizer.optimizer.state.values():
        if torch.is_tensor(state.get("step")):
            state["step"] = state["step"].clone()


def _groups(engine: Any) -> list[dict[str, Any]]:
    groups: list[dict[str, Any]] = engine.optimizer.param_groups
    return groups


def convert(state: Path, universal: Path) -> None:
    """Merge the shards below `state` into one tensor per parameter below `universal`.

    What a killed conversion left is deleted first. In-process instead of `python -m`, which would import torch again;
    one worker each, because the conversion's own process pool would fork a process that holds gloo's threads.
    `inject_missing_state`: ZeRO-1 and 2 engines save no universal_checkpoint_info by themselves (DeepSpeed 0.19.8).
    """
    from deepspeed.checkpoint import ds_to_universal  # noqa: PLC0415  reads DS_ACCELERATOR at import

    shutil.rmtree(universal, ignore_errors=True)
    arguments = SimpleNamespace(
        input_folder=str(state),
        output_folder=str(universal),
        num_extract_workers=1,
        num_merge_workers=1,
        keep_temp_folder=False,
        strict=True,
        inject_missing_state=True,
    )
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        ds_to_universal.main(arguments)
