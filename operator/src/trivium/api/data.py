"""What is read, how it is cut, and what of it is trained."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from trivium.api.block import Block, ColumnName, LabelName, Steps, SubdomainName, Toggle, Uri
from trivium.api.model import HubRepo, Revision
from trivium.api.rules import Rule, at_most_one, credential_needs_uri, exactly_one
from trivium.api.storage import VolumeSource

ChatTemplate = Annotated[str, Field(min_length=1, max_length=32_768)]


class HubDataset(Block):
    """A data set of the Hugging Face hub."""

    repo: HubRepo
    """Owner and name, e.g. `HuggingFaceH4/ultrachat_200k`."""
    config: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    """Configuration of the data set, where it has several."""
    revision: Revision = "main"
    """Branch, tag or commit; resolved to a commit once, when the job prepares."""
    credential: LabelName | None = None
    """Name of an entry of spec.credentials that holds a hub token."""


class ConfigMapSource(Block):
    """A ConfigMap of the job's namespace; each key is a file. For small data: a ConfigMap ends at 1 MiB."""

    name: SubdomainName
    """Name of the ConfigMap."""


class DataFrom(Block):
    """Where rows come from: exactly one of the four."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        exactly_one("data-from-union", "hub", "uri", "volume", "configMap"),
        credential_needs_uri("data-from-credential"),
    )

    hub: HubDataset | None = None
    """A data set of the Hugging Face hub."""
    uri: Uri | None = None
    """A file or folder on any fsspec file system that the profile's policy allows, e.g. `s3://bucket/path`."""
    credential: LabelName | None = None
    """For uri: name of an entry of spec.credentials that holds the storage options."""
    volume: VolumeSource | None = None
    """A file or folder of a PersistentVolumeClaim."""
    config_map: ConfigMapSource | None = None
    """A ConfigMap, for small data."""


class DataFiles(Block):
    """Which files of the source, and what they are."""

    glob: Annotated[str, Field(min_length=1, max_length=256)] = "**/*"
    """Which files, relative to the source."""
    type: Literal["jsonl", "parquet", "text"] | None = None
    """What the files are. Absent: by suffix."""


class DataSource(Block):
    """One source of rows."""

    name: LabelName | None = None
    """Shown in progress, reports and errors. Absent: its place, as in `train[0]`."""
    from_: DataFrom = Field(alias="from")
    """Where the rows come from."""
    files: DataFiles = DataFiles()
    """Which files of the source are read."""
    split: Annotated[str, Field(min_length=1, max_length=128)] = "train"
    """Split of a hub data set."""
    weight: Annotated[float, Field(gt=0, le=1_000_000)] = 1.0
    """Share of this source in the mixture: of trained tokens in pre-training, of examples elsewhere. With unequal
    weights an epoch is one pass over the first source and the others repeat.
    """
    max_rows: Steps | None = None
    """Read only the first rows."""


class TextColumns(Block):
    """How this source names what we need."""

    text: ColumnName = "text"
    """Column that holds the document."""


class ConversationColumns(Block):
    """How this source names what we need; absent: our own names."""

    instruction: ColumnName | None = None
    """Column of the instruction form's question."""
    input: ColumnName | None = None
    """Column of the instruction form's context."""
    output: ColumnName | None = None
    """Column of the instruction form's answer."""
    prompt: ColumnName | None = None
    """Column of the prompt-completion form's prompt."""
    completion: ColumnName | None = None
    """Column of the prompt-completion form's completion."""
    messages: ColumnName | None = None
    """Column of the conversation form's list of messages."""


class PreferenceColumns(Block):
    """How this source names what we need; absent: our own names."""

    prompt: ColumnName | None = None
    """Column of the prompt: text, or a list of messages."""
    chosen: ColumnName | None = None
    """Column of the preferred answer."""
    rejected: ColumnName | None = None
    """Column of the other answer."""


class TextSource(DataSource):
    """Documents."""

    columns: TextColumns = TextColumns()
    """How the columns are called; for jsonl and parquet."""


class ConversationSource(DataSource):
    """Examples of how to answer."""

    format: Literal["auto", "instruction", "promptCompletion", "messages"] = "auto"
    """instruction: `instruction[/input]/output`; promptCompletion: `prompt/completion`; messages: a conversation.
    auto: by the columns' names.
    """
    columns: ConversationColumns = ConversationColumns()
    """How the columns are called."""


class PreferenceSource(DataSource):
    """Pairs of answers to the same prompt."""

    columns: PreferenceColumns = PreferenceColumns()
    """How the columns are called."""


class Data(Block):
    """What is read, and how it is cut."""

    RULES: ClassVar[tuple[Rule, ...]] = (at_most_one("held-out-union", "evaluation", "evaluationFraction"),)

    train: Annotated[tuple[DataSource, ...], Field(min_length=1, max_length=64)]
    """What is trained, as a mixture by weight."""
    evaluation: Annotated[tuple[DataSource, ...], Field(min_length=1, max_length=16)] | None = None
    """Held-out sets; each gets a loss of its own."""
    evaluation_fraction: Annotated[float, Field(gt=0, le=0.5)] | None = None
    """Part of the training data that is held out, by hash of the prompt (chat: first user turn; text: the
    document), before packing.
    """
    on_bad_record: Literal["fail", "skip"] = "fail"
    """fail: the job ends at the first bad record. skip: bad records are counted, and the first ones shown in status."""
    max_length: Annotated[int, Field(ge=8, le=4_194_304)] = 1024
    """Tokens of a sequence; longer ones are cut, counted and reported."""
    packing: Toggle = "auto"
    """Pack several examples into one row of maxLength, without attention between them. auto: decided once, when
    the data is prepared.
    """


class PretrainData(Data):
    """Text, in documents."""

    train: Annotated[tuple[TextSource, ...], Field(min_length=1, max_length=64)]
    """What is trained, as a mixture by weight."""
    evaluation: Annotated[tuple[TextSource, ...], Field(min_length=1, max_length=16)] | None = None
    """Held-out sets; each gets a loss of its own."""
    packing: Literal["auto", "enabled"] = "auto"
    """Text is always packed into rows of maxLength, without attention between documents."""


class SFTData(Data):
    """Examples of how to answer."""

    train: Annotated[tuple[ConversationSource, ...], Field(min_length=1, max_length=64)]
    """What is trained, as a mixture by weight."""
    evaluation: Annotated[tuple[ConversationSource, ...], Field(min_length=1, max_length=16)] | None = None
    """Held-out sets; each gets a loss of its own."""
    loss: Literal["assistant", "completion", "all"] = "assistant"
    """What is trained: the assistant's turns, the completion, or every token."""
    chat_template: ChatTemplate | None = None
    """Jinja text that replaces the tokenizer's chat template."""


class PreferenceData(Data):
    """Pairs of answers to the same prompt."""

    train: Annotated[tuple[PreferenceSource, ...], Field(min_length=1, max_length=64)]
    """What is trained, as a mixture by weight."""
    evaluation: Annotated[tuple[PreferenceSource, ...], Field(min_length=1, max_length=16)] | None = None
    """Held-out sets; each gets a loss of its own."""
    chat_template: ChatTemplate | None = None
    """Jinja text that replaces the tokenizer's chat template."""
    packing: Literal["auto", "disabled"] = "auto"
    """Pairs are compared whole and never packed."""
