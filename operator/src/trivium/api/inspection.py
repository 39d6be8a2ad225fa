"""What the stage `prepare` saw, as the trainer reports it. A report is a tenant's input: everything is bounded
again.
"""

from typing import Annotated, Any

from pydantic import Field

from trivium.api.block import Count, Line, StatusBlock, Word


class SourceInspection(StatusBlock):
    """What prepare saw of one data source."""

    name: Word
    """The source's name."""
    files: Count = 0
    """Files read."""
    rows: Count = 0
    """Rows read."""
    skipped: Count = 0
    """Bad records that were skipped."""
    over_long: Count = 0
    """Rows cut at maxLength."""
    tokens: Count = 0
    """Tokens after cutting."""
    trained_tokens: Count = 0
    """Tokens that the loss counts."""
    digest: Word = ""
    """Digest of the content."""
    revision: Word | None = None
    """Commit of a hub data set."""
    first_bad_records: Annotated[tuple[Line, ...], Field(max_length=3)] = ()
    """Why the first bad records are bad."""


class Inspection(StatusBlock):
    """What prepare learned; the plan of the training stage is computed from it."""

    architecture: dict[str, Any] = {}
    """The model's config, after any resize of the vocabulary."""
    parameters: Count
    """Counted parameters."""
    vocabulary: Count
    """Rows of the embedding."""
    added_tokens: Count = 0
    """Tokens that the chat template added to the vocabulary."""
    packing: bool
    """As resolved; when true a sequence is a packed row of maxLength."""
    max_length: Count
    """Tokens of a sequence."""
    train_sequences: Count
    """Packed rows, examples or pairs in one epoch."""
    train_examples: Count
    """Examples before packing."""
    train_tokens: Count
    """Trained tokens in one epoch."""
    evaluation_sequences: Annotated[dict[Word, Count], Field(max_length=32)] = {}
    """Sequences of each held-out set."""
    length_histogram: Annotated[dict[Word, Count], Field(max_length=64)] = {}
    """Upper bound in tokens -> examples."""
    sources: Annotated[tuple[SourceInspection, ...], Field(max_length=96)] = ()
    """What was seen of each source."""
    prepared_key: Word
    """Key of the prepared data."""
    tokenizer_digest: Word
    """Digest of the tokenizer."""
