"""Supervised fine-tuning: the same loss as pre-training, on the answers alone.

Which tokens are an answer was decided at prepare, by the chat template's generation marks or the prompt's end: here it
is a label like any other. Examples that share a packed row do not see one another.
"""

from trivium_trainer.checkpoint.resume import find_resume_point, load_resume_point
from trivium_trainer.config import RunConfig
from trivium_trainer.engine.assembly import build_trained_engine
from trivium_trainer.engine.conduct import conduct
from trivium_trainer.engine.objective import NextToken
from trivium_trainer.engine.run import is_complete, open_run
from trivium_trainer.session import Session


def train(config: RunConfig, session: Session) -> None:
    """A language model and conversations -> a model that answers, and that ends its answers."""
    run = open_run(config, session)
    if is_complete(run):
        return

    point = find_resume_point(run)
    # With an adapter only its matrices are trained, and the rows of tokens that the chat template brought along.
    engine = build_trained_engine(run, point)
    start = load_resume_point(run, engine, point)

    # Normalized by the trained tokens of the whole global batch: a mean of micro-batch means would weigh a token of a
    # short answer more than one of a long answer, and change with the micro-batch.
    flatten = run.prepared.row_length is not None and config.model.attention == "flash_attention_2"
    objective = NextToken(prepared=run.prepared, flatten=flatten)
    conduct(run, engine, objective, start=start)
