"""Direct preference optimization: raise the chosen answer over the rejected one, measured against a reference.

The reference is the model that the job starts from. After an SFTJob that is the tuned model, because its output is
merged: with an adapter, switching the new adapter off is the reference; without one it is a second, frozen copy.
"""

from typing import Any

from trivium_trainer.checkpoint.resume import find_resume_point, load_resume_point
from trivium_trainer.config import RunConfig
from trivium_trainer.engine.assembly import build_reference_model, build_trained_engine
from trivium_trainer.engine.conduct import conduct
from trivium_trainer.engine.pairs import PreferencePairs
from trivium_trainer.engine.preference import check_losses
from trivium_trainer.engine.reference import AdapterOff, FrozenModel, Precomputed, Reference, precompute
from trivium_trainer.engine.run import Run, is_complete, open_run
from trivium_trainer.session import Session


def train(config: RunConfig, session: Session) -> None:
    """A model that answers and pairs of answers -> a model that answers as the chosen ones do."""
    assert config.dpo is not None  # RunConfig's validator: recipe dpo has it
    check_losses(config.dpo)
    run = open_run(config, session)
    if is_complete(run):
        return

    point = find_resume_point(run)
    engine = build_trained_engine(run, point)
    # Before the checkpoint is loaded: until then the engine's own model is the reference.
    objective = _objective(run, engine)
    start = load_resume_point(run, engine, point)

    conduct(run, engine, objective, start=start)


def _objective(run: Run, engine: Any) -> PreferencePairs:
    dpo = run.config.dpo
    assert dpo is not None
    if dpo.reference == "precomputed":
        objective = PreferencePairs(prepared=run.prepared, dpo=dpo, reference=Precomputed())
        tables = precompute(run, engine, objective)
        return PreferencePairs(prepared=run.prepared, dpo=dpo, reference=Precomputed(), tables=tables)
    reference: Reference = AdapterOff() if run.config.adapter else FrozenModel(build_reference_model(run))
    return PreferencePairs(prepared=run.prepared, dpo=dpo, reference=reference)
