"""From a built engine to a published output: what all recipes do alike."""

import time
from collections.abc import Sequence
from typing import Any

import torch

from trivium_trainer.checkpoint.best import keep_if_best, load_best, read_best
from trivium_trainer.checkpoint.marker import EvaluationRecord
from trivium_trainer.checkpoint.resume import data_digest, model_digest
from trivium_trainer.checkpoint.save import save_checkpoint
from trivium_trainer.engine.loop import Hooks, Position, train
from trivium_trainer.engine.memory import report_memory
from trivium_trainer.engine.objective import Objective
from trivium_trainer.engine.run import Run
from trivium_trainer.engine.zero_engine import gather_state
from trivium_trainer.evaluation import evaluate, held_out_metrics
from trivium_trainer.output import publish_output
from trivium_trainer.prompt_origin import prompt_origins
from trivium_trainer.report_data import InspectionLine
from trivium_trainer.sampling import Origin, sample


def conduct(run: Run, engine: Any, objective: Objective, *, start: Position) -> None:
    """Train from `start` to the end, sample once more and publish. Collective.

    Raises StopRequested after a stop by command; TrainingError for every failure that has a name.
    """
    inspection = run.prepared.inspection.model_dump(mode="json", by_alias=True)
    run.session.write(InspectionLine(at=time.time(), inspection=inspection))
    origins = prompt_origins(run.config, run.prepared) if run.ranks.is_first else []
    end = train(run, engine, objective, _hooks(run, engine, objective, origins), start=start)
    sample(run, engine, step=end.step, moment="after", origins=origins)
    report_memory(run)
    run.session.beat("finish")
    _publish(run, engine, end)


def _hooks(run: Run, engine: Any, objective: Objective, origins: Sequence[Origin | None]) -> Hooks:
    digests = {"model_digest": model_digest(run), "data_digest": data_digest(run)}

    def evaluated(step: int) -> EvaluationRecord | None:
        record = evaluate(run, engine, objective, step=step)
        if record is not None:
            run.session.progress(metrics=held_out_metrics(record))
        if record is not None and run.config.evaluation.keep_best:
            keep_if_best(run, engine, record)
        run.session.beat("step")
        return record

    return Hooks(
        evaluate=evaluated,
        sample=lambda step: sample(run, engine, step=step, moment="during" if step else "before", origins=origins),
        save=lambda position: save_checkpoint(run, engine, position, **digests),
    )


def _publish(run: Run, engine: Any, end: Position) -> None:
    state, step = _final_weights(run, engine, end)
    for record in end.evaluations:
        if record.step == step:
            # What is published is what was evaluated here, whatever was evaluated last.
            run.session.progress(metrics=held_out_metrics(record))
    with run.ranks.first_goes_alone() as alone:
        if alone:
            publish_output(run, engine, state, position=end, weights_step=step)


def _final_weights(run: Run, engine: Any, end: Position) -> tuple[dict[str, torch.Tensor], int]:
    """The weights to publish, on rank 0's CPU, and the step that they are of."""
    if run.config.evaluation.keep_best and end.evaluations:
        best = run.ranks.broadcast(read_best(run) if run.ranks.is_first else None)
        if best is not None:
            return (load_best(run) if run.ranks.is_first else {}), best.step
    state = gather_state(
        engine, zero_stage=run.zero_stage, is_first=run.ranks.is_first, only_trainable=run.config.adapter is not None
    )
    return state, end.step
