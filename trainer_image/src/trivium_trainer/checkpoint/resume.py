"""Go on from the newest sound checkpoint: find it before the engine is built, load it after."""

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from trivium_trainer.checkpoint.inventory import find_newest_sound, set_abandoned_aside, sweep_incomplete
from trivium_trainer.checkpoint.marker import Marker
from trivium_trainer.checkpoint.save import STATE_FOLDER, random_state_file
from trivium_trainer.checkpoint.universal import UNIVERSAL_FOLDER, convert, load_converted
from trivium_trainer.engine import random_state
from trivium_trainer.engine.loop import Position
from trivium_trainer.engine.run import Run
from trivium_trainer.failure import FailureClass, TrainingError


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumePoint:
    """Where a run goes on."""

    folder: Path
    marker: Marker
    universal: bool
    """Written at another world size: its shards have been converted."""


def data_digest(run: Run) -> str:
    """What the data order depends on: the prepared sequences, how many of each source, and the seed."""
    return _digest([run.prepared.inspection.prepared_key, run.prepared.train_draws, run.optimization.seed])


def model_digest(run: Run) -> str:
    """What a checkpoint's tensors belong to: the architecture and what of it is trained."""
    config = {key: value for key, value in run.prepared.model_config.items() if key != "transformers_version"}
    adapter = None if run.config.adapter is None else run.config.adapter.model_dump(mode="json")
    return _digest([config, adapter, run.prepared.added_token_ids if adapter else []])


def find_resume_point(run: Run) -> ResumePoint | None:
    """Sweep what a killed save or another course left, take the newest sound checkpoint, convert it if the world size
    has changed.

    Collective. Raises TrainingError(UserError) if it belongs to another model, data or batch.
    """
    run.session.beat("restore")
    point: ResumePoint | None = None
    with run.ranks.first_goes_alone() as alone:
        if alone:
            sweep_incomplete(run.stage.checkpoints)
            abandoned = set_abandoned_aside(run.stage.checkpoints, run.skips)
            newest, problems = find_newest_sound(run.stage.checkpoints)
            if newest is not None:
                check_marker(run, newest.marker)
                # Plain ZeRO-0 holds the whole state in one file: it loads at any world size.
                universal = newest.marker.world_size != run.ranks.world_size and run.zero_stage > 0
                if universal:
                    run.session.beat("restore")
                    convert(newest.folder / STATE_FOLDER, newest.folder / UNIVERSAL_FOLDER)
                point = ResumePoint(folder=newest.folder, marker=newest.marker, universal=universal)
            _tell(run, abandoned=abandoned, problems=problems)
    shared: ResumePoint | None = run.ranks.broadcast(point)
    return shared


def _tell(run: Run, *, abandoned: list[int], problems: list[str]) -> None:
    if abandoned:
        steps = ", ".join(map(str, abandoned[-10:]))
        run.session.progress(message=f"Rolled back: the checkpoints of steps {steps} knew nothing of the skipped data.")
    if problems:
        run.session.progress(message="Damaged checkpoints were set aside: " + "; ".join(problems)[:900])


def load_resume_point(run: Run, engine: Any, point: ResumePoint | None) -> Position:
    """Put the engine and this rank's random states where the checkpoint was. Collective."""
    if point is None:
        random_state.seed_rank(run.optimization.seed, rank=run.ranks.rank)
        return Position()
    run.session.beat("restore")
    strict = run.config.adapter is None  # with an adapter the frozen weights are not in the checkpoint
    if point.universal:
        load_converted(engine, point.folder, strict=strict)
    else:
        engine.load_checkpoint(str(point.folder), tag=STATE_FOLDER, load_module_strict=strict)
    states = random_state_file(point.folder, run.ranks.rank)
    if point.marker.world_size == run.ranks.world_size:
        # Our own file, digest checked; Python's and numpy's states are no tensors, so it is a pickle.
        random_state.restore(torch.load(states, weights_only=False))
    else:
        random_state.seed_rank(run.optimization.seed + point.marker.step, rank=run.ranks.rank)
    run.ranks.barrier()
    if point.universal and run.ranks.is_first:
        shutil.rmtree(point.folder / UNIVERSAL_FOLDER)
    marker = point.marker
    return Position(step=marker.step, tokens=marker.tokens, evaluations=tuple(marker.evaluations))


def check_marker(run: Run, marker: Marker) -> None:
    """Refuse a checkpoint of another run; a changed batch would move the data position in silence."""
    pairs = {
        "data": (marker.data_digest, data_digest(run)),
        "model": (marker.model_digest, model_digest(run)),
        "optimization.globalBatchSize": (marker.global_batch_size, run.optimization.global_batch_size),
        "parallelism.zeroStage": (marker.zero_stage, run.zero_stage),
    }
    for field, (have, want) in pairs.items():
        if have != want:
            raise TrainingError(
                FailureClass.USER_ERROR,
                "CheckpointOfAnotherRun",
                f"{field}: the checkpoint of step {marker.step} was written with {have}, this run has {want}.",
                remedy="Submit the job under a new name, or without continueFrom, to start from the beginning.",
            )


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()
