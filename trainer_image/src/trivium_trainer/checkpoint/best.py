"""keepBest: the weights with the lowest held-out loss so far, beside the checkpoints and outside their retention."""

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from trivium_trainer.checkpoint.marker import EvaluationRecord
from trivium_trainer.durable import sync, write_durably
from trivium_trainer.engine.run import Run
from trivium_trainer.engine.zero_engine import gather_state

RECORD = "best.json"
WEIGHTS = "model.safetensors"


def keep_if_best(run: Run, engine: Any, record: EvaluationRecord) -> None:
    """Write the weights if no earlier evaluation was better. Collective.

    What lies there decides, not the marker's history: after a resume from an older checkpoint the folder may hold a
    step that is being trained again, and is then replaced by its new self.
    """
    best = run.ranks.broadcast(read_best(run) if run.ranks.is_first else None)
    if best is not None and best.step < record.step and best.loss <= record.loss:
        return
    run.session.beat("save")
    state = gather_state(
        engine,
        zero_stage=run.zero_stage,
        is_first=run.ranks.is_first,
        only_trainable=run.config.adapter is not None,
    )
    with run.ranks.first_goes_alone() as alone:
        if alone:
            _write(best_folder(run), state, record)


def read_best(run: Run) -> EvaluationRecord | None:
    """The evaluation whose weights are kept."""
    try:
        return EvaluationRecord.model_validate_json((best_folder(run) / RECORD).read_bytes())
    except FileNotFoundError:
        return None


def load_best(run: Run) -> dict[str, torch.Tensor]:
    """The kept weights, on CPU."""
    return dict(load_file(best_folder(run) / WEIGHTS))


def best_folder(run: Run) -> Path:
    """Where they lie."""
    return run.stage.root / "best"


def _write(folder: Path, state: dict[str, torch.Tensor], record: EvaluationRecord) -> None:
    """Beside the old ones first, so that a crash leaves the old or the new ones, and never none."""
    draft = folder.with_name("best.draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    save_file(state, draft / WEIGHTS)
    sync(draft / WEIGHTS)
    write_durably(draft / RECORD, json.dumps(record.model_dump(mode="json", by_alias=True)).encode())
    shutil.rmtree(folder, ignore_errors=True)
    draft.rename(folder)
    sync(folder.parent)
