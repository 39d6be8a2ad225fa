"""What a run starts from: the model, and the data that it reads."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from trivium_trainer.config.block import Block, Fraction, Positive


class HubSource(Block):
    """A repository of the Hugging Face hub."""

    repo: str
    revision: str = "main"
    config: str | None = None
    """Data set configuration; data sources only."""
    credential_file: str | None = None


class Source(Block):
    """Where bytes come from: exactly one of hub, uri, path."""

    hub: HubSource | None = None
    uri: str | None = None
    credential_file: str | None = None
    """For `uri`: a mounted JSON file with the storage options of the fsspec file system."""
    path: str | None = None
    """A mounted file or folder: a claim, a ConfigMap, or the `model/` of an upstream stage."""

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if sum(value is not None for value in (self.hub, self.uri, self.path)) != 1:
            raise ValueError("a source is exactly one of hub, uri, path")
        return self


class TrainTokenizer(Block):
    """A byte-level BPE tokenizer trained on the training text by `prepare`."""

    vocab_size: Annotated[int, Field(ge=300, le=1_000_000)]
    algorithm: Literal["bpe"] = "bpe"


class Architecture(Block):
    """A model from scratch: a preset's name or a Hugging Face config (`model_type` and its fields)."""

    preset: str | None = None
    config: dict[str, Any] | None = None


class Model(Block):
    """The model a job starts from: `source`, or `architecture` with a tokenizer of its own."""

    source: Source | None = None
    architecture: Architecture | None = None
    tokenizer_source: Source | None = None
    tokenizer_train: TrainTokenizer | None = None
    dtype: Literal["float32", "bfloat16"] = "float32"
    attention: Literal["flash_attention_2", "sdpa", "eager"] = "sdpa"
    liger: bool = False
    compile: bool = False
    trust_remote_code: bool = False


class DataFiles(Block):
    """Which files of the source, and what they are."""

    glob: str = "**/*"
    type: Literal["jsonl", "parquet", "text"] | None = None
    """None: by suffix (.jsonl, .json, .parquet, .txt, .md, .py, .rst = text)."""


class DataSource(Block):
    """One source of rows."""

    name: str
    """Shown in reports and errors, `train[0]` when the job gives none."""
    source: Source
    files: DataFiles = DataFiles()
    format: Literal["auto", "text", "instruction", "promptCompletion", "messages", "preference"] = "auto"
    split: str = "train"
    weight: Annotated[float, Field(gt=0)] = 1.0
    max_rows: Positive | None = None
    columns: dict[str, str] = {}
    """Our name -> the column's name in the file, e.g. {"output": "response"}."""


class Data(Block):
    """What is read, how it is cut, and what of it is trained."""

    train: list[DataSource] = Field(min_length=1)
    evaluation: list[DataSource] = []
    evaluation_fraction: Fraction = 0.0
    """Held out by hash of the prompt (chat: first user turn; text: the document), before packing."""
    on_bad_record: Literal["fail", "skip"] = "fail"
    max_length: Positive = 1024
    packing: Literal["auto", "on", "off"] = "auto"
    loss: Literal["assistant", "completion", "all"] = "assistant"
    chat_template: str | None = None
    """Jinja text that replaces the tokenizer's own template."""
    prepare_workers: Positive = 1
