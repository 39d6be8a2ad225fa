"""A change of the world size: DeepSpeed's universal checkpoint, converted once, by rank 0, within one ZeRO stage."""

import contextlib
import io
import shutil
from pathlib import Path
from types import SimpleNamespace

UNIVERSAL_FOLDER = "universal"


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
