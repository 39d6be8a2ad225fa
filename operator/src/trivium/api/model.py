"""The model a job starts from."""

from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field

from trivium.api.block import Block, LabelName, SubdomainName, Toggle, Uri
from trivium.api.quantity import Number
from trivium.api.rules import Rule, credential_needs_uri, exactly_one
from trivium.api.storage import VolumeSource

HubRepo = Annotated[
    str, Field(min_length=1, max_length=193, pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)?$")
]
Revision = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9_][A-Za-z0-9._/-]*$")]


class HubModel(Block):
    """A model repository of the Hugging Face hub."""

    repo: HubRepo
    """Owner and name, e.g. `meta-llama/Llama-3.1-8B-Instruct`."""
    revision: Revision = "main"
    """Branch, tag or commit; resolved to a commit once, when the job prepares."""
    credential: LabelName | None = None
    """Name of an entry of spec.credentials that holds a hub token."""


class JobReference(Block):
    """The output of an earlier job of the same namespace; this job waits for it."""

    kind: Literal["PretrainJob", "SFTJob", "PreferenceJob"]
    """Kind of the earlier job."""
    name: SubdomainName
    """Name of the earlier job."""


class TokenizerSource(Block):
    """Where files of a model repository come from: exactly one of the three."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        exactly_one("tokenizer-source-union", "hub", "uri", "volume"),
        credential_needs_uri("tokenizer-source-credential"),
    )

    hub: HubModel | None = None
    """A repository of the Hugging Face hub."""
    uri: Uri | None = None
    """A folder on any fsspec file system that the profile's policy allows, e.g. `s3://bucket/path`."""
    credential: LabelName | None = None
    """For uri: name of an entry of spec.credentials that holds the storage options."""
    volume: VolumeSource | None = None
    """A folder of a PersistentVolumeClaim."""


class ModelSource(TokenizerSource):
    """Where weights and tokenizer come from: exactly one of the four."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        exactly_one("model-source-union", "hub", "uri", "volume", "job"),
        credential_needs_uri("model-source-credential"),
    )

    job: JobReference | None = None
    """The output of an earlier job of this namespace. The job waits until it has succeeded."""


class Kernels(Block):
    """Faster kernels; each must be among the profile's image features."""

    liger: Toggle = "auto"
    """Fused Liger kernels. auto: used where the profile's image has them."""
    compile: bool = False
    """torch.compile of the model. Costs minutes at the start of every attempt."""


class Model(Block):
    """The model a job starts from, and how it is loaded."""

    from_: ModelSource | None = Field(default=None, alias="from")
    """Where the weights come from."""
    parameters: Number | None = None
    """Hint for planning before the weights are seen, e.g. `8B`. The plan of the training stage uses the counted
    number.
    """
    dtype: Literal["auto", "bfloat16", "float32"] = "auto"
    """Precision of training. auto: bfloat16 where the profile has a GPU, else float32."""
    attention: Literal["auto", "flash", "sdpa", "eager"] = "auto"
    """Attention implementation. auto: flash if the profile's image has it, else sdpa."""
    kernels: Kernels = Kernels()
    """Faster kernels."""
    trust_remote_code: bool = False
    """Run Python code from the model's repository. Only where the profile's policy allows it."""


class StartingModel(Model):
    """An existing model."""

    from_: ModelSource = Field(alias="from")
    """Where the weights come from."""


class ArchitectureConfig(Block):
    """A Hugging Face model config: `model_type` and any of its fields."""

    model_config = ConfigDict(extra="allow", alias_generator=None)

    model_type: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[a-z0-9][a-z0-9_.-]*$")]
    """The architecture's name in transformers, e.g. `llama`."""


class Architecture(Block):
    """A model from scratch: a preset or a config."""

    RULES: ClassVar[tuple[Rule, ...]] = (exactly_one("architecture-union", "preset", "config"),)

    preset: Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[a-z0-9][a-z0-9.-]*$")] | None = None
    """Name of a preset, e.g. `llama-1b`."""
    config: ArchitectureConfig | None = None
    """A Hugging Face config, e.g. `{model_type: llama, hidden_size: 256, ...}`."""


class TokenizerTraining(Block):
    """A tokenizer trained on the training text, when the job prepares."""

    vocab_size: Annotated[int, Field(ge=300, le=1_000_000)]
    """Entries of the vocabulary, special tokens included."""
    algorithm: Literal["bpe"] = "bpe"
    """bpe: byte-level byte-pair encoding."""


class Tokenizer(Block):
    """The tokenizer of a model from scratch."""

    RULES: ClassVar[tuple[Rule, ...]] = (exactly_one("tokenizer-union", "from", "train"),)

    from_: TokenizerSource | None = Field(default=None, alias="from")
    """Take the tokenizer of an existing model."""
    train: TokenizerTraining | None = None
    """Train one on the job's own text."""


class PretrainModel(Model):
    """A model from scratch (architecture and tokenizer), or an existing one whose pre-training goes on (from)."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        exactly_one("pretrain-model-union", "from", "architecture"),
        Rule(
            name="pretrain-model-tokenizer",
            cel="has(self.architecture) == has(self.tokenizer)",
            message="tokenizer belongs to architecture: a model from scratch needs one, an existing model has its own. "
            "Add or remove tokenizer.",
            holds=lambda model: (model.architecture is None) == (model.tokenizer is None),
            path="tokenizer",
        ),
    )

    architecture: Architecture | None = None
    """Train from scratch."""
    tokenizer: Tokenizer | None = None
    """The tokenizer of a model from scratch."""
