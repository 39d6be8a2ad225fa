"""The input in parts.

A part is one large file, or a run of small ones of one source: the unit of parallel work and of resumption. Thousands
of small files would otherwise be thousands of shards to open in every training process.
"""

from collections.abc import Sequence

from trivium_trainer.config import Block, Data, DataSource
from trivium_trainer.failure import Failure
from trivium_trainer.prepare.detect import Recipe
from trivium_trainer.prepare.files import InputFile
from trivium_trainer.prepare.rows import Format
from trivium_trainer.prepare.shards import PartResult

PART_BYTES = 32 * 2**20
"""Some ten seconds of tokenizing on one core: little to lose, and long beside the start of a Ray worker."""


class TemplateText(Block):
    """ChatTemplate as JSON."""

    text: str
    saved_text: str
    origin: str
    variables: dict[str, str]


class Tokenizing(Block):
    """How rows become tokens; the same for all parts of a job."""

    recipe: Recipe
    data: Data
    tokenizer_dir: str
    trust_remote_code: bool
    template: TemplateText | None
    needs_marks: bool
    eos_token_id: int
    vocabulary: int


class Part(Block):
    """One task."""

    source: DataSource
    row_format: Format
    root: str
    """Where the files lie on this machine, mount root included."""
    files: list[InputFile]
    folder: str
    """The shard's folder."""
    evaluation_fraction: float


class PartOutcome(Block):
    """What a task returns: exceptions are values here, because Ray Data would retry and wrap them."""

    result: PartResult | None = None
    failure: Failure | None = None


def group_files(source: DataSource, files: Sequence[InputFile]) -> list[list[InputFile]]:
    """Files in parts, in order. With maxRows all in one: which rows are the first is only known in order."""
    if source.max_rows is not None:
        return [list(files)]
    parts: list[list[InputFile]] = []
    room = 0
    for file in files:
        if not parts or file.bytes > room:
            parts.append([])
            room = PART_BYTES
        parts[-1].append(file)
        room -= file.bytes
    return parts
