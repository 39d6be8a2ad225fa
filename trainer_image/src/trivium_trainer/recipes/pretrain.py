"""Pre-training: next-token cross-entropy over packed documents, from scratch or continued from a model."""

from trivium_trainer.checkpoint.resume import find_resume_point, load_resume_point
from trivium_trainer.config import RunConfig
from trivium_trainer.engine.assembly import build_trained_engine
from trivium_trainer.engine.conduct import conduct
from trivium_trainer.engine.objective import NextToken
from trivium_trainer.engine.run import is_complete, open_run
from trivium_trainer.session import Session


def train(config: RunConfig, session: Session) -> None:
    """Documents -> a language model."""
    run = open_run(config, session)
    if is_complete(run):
        return

    # The checkpoint is found first: whether it must be converted decides how the engine is configured.
    point = find_resume_point(run)
    engine = build_trained_engine(run, point)
    start = load_resume_point(run, engine, point)

    # Every token of a document is trained but its first, end of text included; rows are full, so nothing is padding.
    objective = NextToken(prepared=run.prepared, flatten=config.model.attention == "flash_attention_2")
    conduct(run, engine, objective, start=start)
