"""Save a checkpoint: every rank its part, then a barrier, then the marker."""

import shutil
import time
from pathlib import Path
from typing import Any

import torch

from trivium_trainer.checkpoint.inventory import apply_retention, standing_steps
from trivium_trainer.checkpoint.marker import FileDigest, Marker, digest_file, write_marker
from trivium_trainer.durable import sync
from trivium_trainer.engine import random_state
from trivium_trainer.engine.loop import Position
from trivium_trainer.engine.memory import report_peak
from trivium_trainer.engine.run import Run
from trivium_trainer.progress import CheckpointReport
from trivium_trainer.report_data import CheckpointLine

STATE_FOLDER = "state"


def random_state_file(folder: Path, rank: int) -> Path:
    """Where one rank's random states lie."""
    return folder / f"random-state-{rank:05d}.pt"


def save_checkpoint(run: Run, engine: Any, position: Position, *, model_digest: str, data_digest: str) -> None:
    """One complete checkpoint, and the retention that follows it. Collective."""
    started = time.monotonic()
    run.session.beat("save")
    folder = run.stage.checkpoint(position.step)
    with run.ranks.first_goes_alone() as alone:
        if alone:
            shutil.rmtree(folder, ignore_errors=True)
            (folder / STATE_FOLDER).mkdir(parents=True)
    engine.save_checkpoint(
        str(folder), tag=STATE_FOLDER, save_latest=False, exclude_frozen_parameters=run.config.adapter is not None
    )
    torch.save(random_state.capture(), random_state_file(folder, run.ranks.rank))
    run.ranks.barrier()
    digests = [digest for part in run.ranks.gather(_digest_my_share(run, folder)) for digest in part]
    marker = Marker(
        step=position.step,
        tokens=position.tokens,
        world_size=run.ranks.world_size,
        zero_stage=run.zero_stage,
        global_batch_size=run.optimization.global_batch_size,
        micro_batch_size=run.size.micro_batch_size,
        data_digest=data_digest,
        model_digest=model_digest,
        evaluations=list(position.evaluations),
        skips=list(run.skips),
        files=sorted(digests, key=lambda digest: digest.path),
    )
    with run.ranks.first_goes_alone() as alone:
        if alone:
            write_marker(folder, marker)
            apply_retention(run.stage.checkpoints, keep=run.config.checkpoints.keep)
    _announce(run, marker, seconds=time.monotonic() - started)


def _digest_my_share(run: Run, folder: Path) -> list[FileDigest]:
    """Every rank hashes and flushes its share of the files: a large checkpoint is read once, by all together."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    mine = files[run.ranks.rank :: run.ranks.world_size]
    for path in mine:
        sync(path)
    return [digest_file(folder, path) for path in mine]


def _announce(run: Run, marker: Marker, *, seconds: float) -> None:
    path = run.stage.checkpoint(marker.step)
    report = CheckpointReport(step=marker.step, path=str(path.relative_to(run.stage.root.parent)))
    kept = standing_steps(run.stage.checkpoints, run.skips) if run.ranks.is_first else []
    run.session.progress(checkpoint=report, checkpoints=kept)
    run.session.write(CheckpointLine(at=time.time(), step=marker.step, seconds=seconds, bytes=marker.bytes))
    report_peak(run)
    run.session.beat("step")
