"""The name of prepared data: the same inputs and settings give the same key, and the data is made only once."""

import json
from collections.abc import Sequence

import tokenizers
import transformers

from trivium_trainer.config import RunConfig
from trivium_trainer.prepare.files import digest_text
from trivium_trainer.prepare.plan import SourcePlan
from trivium_trainer.prepare.tokenizer import PreparedTokenizer

CODE_VERSION = 1
"""Raised with every change of what prepare makes of the same inputs."""


def prepared_key(config: RunConfig, plans: Sequence[SourcePlan], tokenizer: PreparedTokenizer) -> str:
    """32 hexadecimal digits over everything that decides which sequences come out."""
    data = config.data
    parts = {
        "code": [CODE_VERSION, tokenizers.__version__, transformers.__version__],
        "recipe": config.recipe,
        "sources": [_source(plan) for plan in plans],
        "trainSources": len(data.train),
        "tokenizer": tokenizer.digest,
        "template": None if tokenizer.template is None else tokenizer.template.text,
        "loss": data.loss,
        "needsMarks": tokenizer.needs_marks,
        "maxLength": data.max_length,
        "packing": data.packing,
        "evaluationFraction": data.evaluation_fraction,
        "onBadRecord": data.on_bad_record,
    }
    return digest_text(json.dumps(parts, sort_keys=True))[:32]


def _source(plan: SourcePlan) -> dict[str, object]:
    return {
        "name": plan.source.name,
        "digest": plan.resolved.digest,
        "types": [file.type for file in plan.resolved.files],
        "format": plan.row_format,
        "columns": plan.source.columns,
        "maxRows": plan.source.max_rows,
    }
