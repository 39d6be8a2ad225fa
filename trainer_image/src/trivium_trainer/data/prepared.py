"""What stage `prepare` left for this run, opened by stage `train`.

`<run directory>/prepare/output/prepared.json` names the prepared data (by key), the tokenizer and the weights; the
data itself lies in `<runs>/<namespace>/prepared/<key>/` and may be shared with other runs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from trivium_trainer import layout
from trivium_trainer.config import Block, RunConfig, SkipWindow
from trivium_trainer.data.examples import Examples, Layout
from trivium_trainer.data.mixture import epoch_draws, weights_of
from trivium_trainer.data.order import DataOrder
from trivium_trainer.failure import FailureClass, TrainingError
from trivium_trainer.progress import Inspection

RECORD = "prepared.json"
MANIFEST = "manifest.json"
TOKENIZER = "tokenizer"
SHARDS = "shards"
INDEX = "index"
TRAIN_INDEX = "train"


class ShardEntry(Block):
    """One shard of the manifest, with the digests of its files."""

    name: str
    source: int
    """Position among data.train, then data.evaluation."""
    digests: dict[str, str]
    """File name -> SHA-256."""


class SplitEntry(Block):
    """One evaluation set: its folder below index/ and its name in reports."""

    folder: str
    name: str


class SourceStatistics(Block):
    """What the rows of one source came to."""

    name: str
    rows: int
    skipped: int
    over_long: int
    examples: int
    held_out: int
    tokens: int
    trained_tokens: int
    first_bad_records: list[str]
    length_histogram: dict[str, int]
    """Upper bound in tokens, a power of two -> examples, before over-long ones are cut."""


class Manifest(Block):
    """manifest.json of prepared data: written last, so data without it does not count."""

    version: Literal[1] = 1
    key: str
    layout: Layout
    packing: bool
    max_length: int
    shards: list[ShardEntry]
    evaluation: list[SplitEntry]
    train_amounts: list[float]
    """Per source of data.train, what mixture weights are shares of: trained tokens, or examples."""
    train_examples: list[int]
    """Per source of data.train: examples before packing, held-out ones left out."""
    train_trained_tokens: list[int]
    """Per source of data.train: trained tokens in one pass."""
    sources: list[SourceStatistics]
    """Of data.train, then of data.evaluation."""


class PreparedRecord(Block):
    """prepared.json: what one run starts training from. Paths are relative to the namespace's prepared/ folder."""

    version: Literal[1] = 1
    key: str
    architecture: dict[str, Any]
    model: str | None
    """Folder of the weights below prepared/; None: the mounted path of the config, or no weights at all."""
    pad_token_id: int
    eos_token_id: int
    added_token_ids: list[int]
    inspection: Inspection


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """Everything that training needs of the data and of the model's starting point."""

    root: Path
    tokenizer_dir: Path
    model_config: dict[str, Any]
    """config.json of the model that is trained, after any resize of the vocabulary."""
    model_dir: Path | None
    """Weights to start from; None = from scratch."""
    train: Examples
    train_draws: list[int]
    """Sequences of each source in one epoch."""
    evaluation: dict[str, Examples]
    inspection: Inspection
    pad_token_id: int
    eos_token_id: int
    """The token that ends an answer (chat: of an assistant turn; text: of a document); generation stops at it."""
    added_token_ids: list[int]
    """Embedding rows that this job introduces: added to the vocabulary, or there but never trained before, because
    the tokenizer had no chat template. LoRA must train them by trainable_token_indices."""

    @property
    def row_length(self) -> int | None:
        """What `collate` takes: maxLength where rows are packed, None where they are padded to the longest."""
        return self.inspection.max_length if self.inspection.packing else None

    def order(self, *, global_batch_size: int, seed: int, skips: Sequence[SkipWindow] = ()) -> DataOrder:
        """The order of training over these sequences."""
        return DataOrder(
            sizes=self.train.source_sizes,
            draws=self.train_draws,
            global_batch_size=global_batch_size,
            seed=seed,
            skips=skips,
        )


def read_record(config: RunConfig) -> PreparedRecord:
    """prepared.json of this run. Raises Internal where stage prepare has not completed."""
    path = layout.run_directory(config).stage("prepare").output / RECORD
    try:
        return PreparedRecord.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise _missing(f"{path} does not exist") from error
    except ValidationError as error:
        raise _missing(f"{path} is not a record of this version") from error


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of complete prepared data; None where there is none, or one of another version."""
    try:
        return Manifest.model_validate_json((folder / MANIFEST).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def open_prepared(config: RunConfig) -> Prepared:
    """The prepared data of this run. Raises Internal where stage prepare left none, or its data was deleted."""
    record = read_record(config)
    prepared_root = layout.prepared_root(config)
    root = prepared_root / record.key
    manifest = read_manifest(root)
    if manifest is None:
        raise _missing(f"{root} holds no complete prepared data")
    train = open_split(root, manifest=manifest, folder=TRAIN_INDEX)
    return Prepared(
        root=root,
        tokenizer_dir=root / TOKENIZER,
        model_config=record.architecture,
        model_dir=_model_dir(config, record=record, prepared_root=prepared_root),
        train=train,
        train_draws=epoch_draws(
            weights_of(config.data.train), sizes=train.source_sizes, amounts=manifest.train_amounts
        ),
        evaluation={
            split.name: open_split(root, manifest=manifest, folder=split.folder) for split in manifest.evaluation
        },
        inspection=record.inspection,
        pad_token_id=record.pad_token_id,
        eos_token_id=record.eos_token_id,
        added_token_ids=record.added_token_ids,
    )


def open_split(root: Path, *, manifest: Manifest, folder: str) -> Examples:
    """One split of prepared data."""
    return Examples(
        root / INDEX / folder,
        shards=[root / SHARDS / shard.name for shard in manifest.shards],
        layout=manifest.layout,
    )


def _model_dir(config: RunConfig, *, record: PreparedRecord, prepared_root: Path) -> Path | None:
    if record.model is not None:
        return prepared_root / record.model
    if config.model.source is not None and config.model.source.path is not None:
        return layout.mounted(config.model.source.path)
    return None


def _missing(what: str) -> TrainingError:
    return TrainingError(
        FailureClass.INTERNAL,
        "PreparedDataMissing",
        f"{what}.",
        remedy="Submit the job again under a new name, so that stage prepare runs.",
    )
