"""What a training stage leaves: model/ that the ecosystem loads, adapter/ beside it, output.json with digests."""

import hashlib
import importlib
import json
import shutil
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer, GenerationConfig

from trivium_trainer.checkpoint.marker import EvaluationRecord, FileDigest, digest_file
from trivium_trainer.config import Ancestor, Block, SkipWindow
from trivium_trainer.durable import sync, write_durably
from trivium_trainer.engine.loop import Position
from trivium_trainer.engine.run import Run
from trivium_trainer.model.weights import load_pretrained
from trivium_trainer.sampling import end_token_ids

RECORD = "output.json"


class OutputRecord(Block):
    """`output.json`. `digest` is the SHA-256 over the list of files: two equal outputs have the same one."""

    api_version: str = "output.trivium.dev/v1alpha1"
    recipe: str
    step: int
    """The step whose weights these are: the last one, or the best under keepBest."""
    tokens: int
    digest: str
    tokenizer_digest: str
    base: str | None
    """What training started from: a repository, a URI or a path; None = from scratch."""
    lineage: list[Ancestor] = []
    evaluations: list[EvaluationRecord] = []
    skips: list[SkipWindow] = []
    """Data that was left out because training diverged on it."""
    files: list[FileDigest]


def publish_output(
    run: Run, engine: Any, state: dict[str, torch.Tensor], *, position: Position, weights_step: int
) -> OutputRecord:
    """Write the whole output beside its place, then rename it there: a reader sees all of it or none. Rank 0 only.

    `state`: the trained weights on CPU; with an adapter, the adapter's alone.
    """
    draft = run.stage.root / ".output-draft"
    shutil.rmtree(draft, ignore_errors=True)
    (draft / "model").mkdir(parents=True)
    if run.config.adapter is None:
        model = engine.module
        _save_model(run, model, draft / "model", state=state)
    else:
        engine.module.save_pretrained(draft / "adapter", state_dict=state, save_embedding_layers=False)
        _save_model(run, _merged(run, draft / "adapter"), draft / "model", state=None)
    shutil.copytree(run.prepared.tokenizer_dir, draft / "model", dirs_exist_ok=True)
    if run.config.output.model_card:
        (draft / "model" / "README.md").write_text(_model_card(run), encoding="utf-8")
    record = _record(run, draft, position=position, weights_step=weights_step)
    write_durably(draft / RECORD, json.dumps(record.model_dump(mode="json", by_alias=True), indent=1).encode())
    if run.stage.output.exists():
        shutil.rmtree(run.stage.output)
    draft.rename(run.stage.output)
    sync(run.stage.root)
    return record


def read_output(folder: Path) -> OutputRecord | None:
    """The record of a published output; None where there is none."""
    try:
        return OutputRecord.model_validate_json((folder / RECORD).read_bytes())
    except FileNotFoundError:
        return None


def _merged(run: Run, adapter: Path) -> Any:
    """The base with the adapter folded in. Loaded anew in full precision: a quantized base could not take it."""
    from peft import PeftModel  # noqa: PLC0415  its import takes seconds, which only adapters must pay

    assert run.prepared.model_dir is not None  # an adapter without a base is refused before training
    options = {"dtype": getattr(torch, run.config.model.dtype)}
    base = load_pretrained(run.config.model, run.prepared.model_dir, **options)
    return PeftModel.from_pretrained(base, str(adapter)).merge_and_unload()


def _save_model(run: Run, model: Any, folder: Path, *, state: dict[str, torch.Tensor] | None) -> None:
    tokenizer = AutoTokenizer.from_pretrained(run.prepared.tokenizer_dir)
    model.generation_config = generation_config(model, tokenizer, run)
    model.save_pretrained(folder, **({} if state is None else {"state_dict": state}))


def generation_config(model: Any, tokenizer: Any, run: Run) -> GenerationConfig:
    """The base's own settings, with the tokens that end an answer: without them generation never ends."""
    settings = model.generation_config
    # Marked as derived from config.json, it would be derived from there again by whoever saves it next.
    if settings is None or getattr(settings, "_from_model_config", False):
        settings = GenerationConfig()
    settings.eos_token_id = end_token_ids(tokenizer, run.prepared)
    settings.pad_token_id = run.prepared.pad_token_id
    settings.bos_token_id = tokenizer.bos_token_id
    return settings


def _model_card(run: Run) -> str:
    # The report package is the operator's, too, and must not load with the trainer where it is not needed.
    card = importlib.import_module("trivium_trainer.report.model_card")
    return str(card.render_model_card(run.config, run.stage.report_data, run.prepared.inspection, skips=run.skips))


def _record(run: Run, draft: Path, *, position: Position, weights_step: int) -> OutputRecord:
    files = [digest_file(draft, path) for path in sorted(draft.rglob("*")) if path.is_file()]
    for file in files:
        sync(draft / file.path)
    source = run.config.model.source
    base = None if source is None else source.hub.repo if source.hub else source.uri or source.path
    return OutputRecord(
        recipe=run.config.recipe,
        step=weights_step,
        tokens=position.tokens,
        digest=_digest(files),
        tokenizer_digest=run.prepared.inspection.tokenizer_digest,
        base=base,
        lineage=run.config.lineage,
        evaluations=list(position.evaluations),
        skips=list(run.skips),
        files=files,
    )


def _digest(files: list[FileDigest]) -> str:
    text = "\n".join(f"{file.path} {file.sha256}" for file in files)
    return hashlib.sha256(text.encode()).hexdigest()
