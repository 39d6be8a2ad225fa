"""Stage `prepare` from top to bottom."""

import logging
import shutil
from pathlib import Path

from trivium_trainer import layout
from trivium_trainer.config import RunConfig
from trivium_trainer.data.prepared import RECORD, TRAIN_INDEX, Manifest, PreparedRecord, open_split, read_manifest
from trivium_trainer.durable import write_json
from trivium_trainer.prepare.dataset import build_dataset, publish
from trivium_trainer.prepare.inspection import inspect
from trivium_trainer.prepare.key import prepared_key
from trivium_trainer.prepare.plan import SourcePlan, needs_marks, plan_sources, read_training_texts, require_supported
from trivium_trainer.prepare.problems import user_error
from trivium_trainer.prepare.resolve import Inputs, model_root, resolve_inputs
from trivium_trainer.prepare.starting_model import prepare_model
from trivium_trainer.prepare.tokenizer import PreparedTokenizer, complete_tokenizer, load_tokenizer, train_tokenizer
from trivium_trainer.progress import Inspection
from trivium_trainer.session import Session

logger = logging.getLogger(__name__)


def run_prepare(config: RunConfig, session: Session) -> Inspection:
    """Turn the job's sources into prepared data, and say what they are.

    Ray is initialized by the caller. Raises TrainingError: UserError, DataError, Infrastructure.
    """
    session.beat("download")
    require_supported(config)
    work = _work_folder(config)
    inputs = resolve_inputs(config, work=work, beat=lambda: session.beat("download"))
    session.beat("prepare")
    plans = plan_sources(config, inputs, work=work)
    tokenizer = _tokenizer(config, inputs, plans)
    # Before the data: what is wrong with the model must not wait for hours of tokenizing.
    model = prepare_model(config, inputs, tokenizer, work=work)
    session.beat("prepare")
    key = prepared_key(config, plans, tokenizer)
    manifest = _dataset(config, plans, tokenizer, key=key, work=work, session=session)
    root = layout.prepared_root(config) / key
    inspection = inspect(
        config,
        plans,
        manifest=manifest,
        train_sizes=open_split(root, manifest=manifest, folder=TRAIN_INDEX).source_sizes,
        evaluation_sizes={
            split.name: len(open_split(root, manifest=manifest, folder=split.folder)) for split in manifest.evaluation
        },
        tokenizer=tokenizer,
        model=model,
    )
    record = PreparedRecord(
        key=key,
        architecture=model.architecture,
        model=model.folder,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        added_token_ids=tokenizer.added_token_ids,
        inspection=inspection,
    )
    output = layout.run_directory(config).stage("prepare").output
    write_json(output / RECORD, record.model_dump(mode="json", by_alias=True))
    shutil.rmtree(work, ignore_errors=True)
    return inspection


def _work_folder(config: RunConfig) -> Path:
    """Of this run alone, and the same in all its attempts: downloads and finished shards are found again."""
    return layout.prepared_root(config) / f".work-{layout.run_directory(config).root.name}"


def _tokenizer(config: RunConfig, inputs: Inputs, plans: list[SourcePlan]) -> PreparedTokenizer:
    model, source, resolved = config.model, config.model.source, inputs.model
    if model.tokenizer_train is not None:
        tokenizer = train_tokenizer(read_training_texts(plans, config), model.tokenizer_train)
    else:
        if model.tokenizer_source is not None:
            source, resolved = model.tokenizer_source, inputs.tokenizer
        if source is None or resolved is None:
            raise user_error(
                "TokenizerMissing",
                "model.tokenizer: a model from scratch has none of its own.",
                remedy="Add model.tokenizer.train with a vocabSize, or model.tokenizer.from.",
            )
        root = model_root(config, source, revision=resolved.revision)
        tokenizer = load_tokenizer(root, trust_remote_code=model.trust_remote_code)
    return complete_tokenizer(
        tokenizer,
        config.data,
        conversations=any(plan.is_conversation for plan in plans),
        needs_marks=needs_marks(config, plans),
    )


def _dataset(
    config: RunConfig,
    plans: list[SourcePlan],
    tokenizer: PreparedTokenizer,
    *,
    key: str,
    work: Path,
    session: Session,
) -> Manifest:
    root = layout.prepared_root(config) / key
    known = read_manifest(root)
    if known is not None:
        logger.info("Prepared data %s exists already and is used as it is.", key)
        return known
    manifest = build_dataset(config, plans, tokenizer, key=key, work=work / key, beat=lambda: session.beat("prepare"))
    publish(work / key, root)
    return manifest
