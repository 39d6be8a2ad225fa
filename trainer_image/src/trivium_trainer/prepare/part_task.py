"""One part's way from files to a shard: the task that runs here or in a Ray worker."""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import islice
from pathlib import Path

from trivium_trainer.failure import TrainingError
from trivium_trainer.prepare.example import Tokenized
from trivium_trainer.prepare.held_out import is_held_out
from trivium_trainer.prepare.parts import Part, PartOutcome, Tokenizing
from trivium_trainer.prepare.problems import BadRecordError, field_of
from trivium_trainer.prepare.records import Record, read_records
from trivium_trainer.prepare.resolve import verify_digest
from trivium_trainer.prepare.rows import Document, Row, parse_row
from trivium_trainer.prepare.shards import PartResult, ShardWriter, read_marker
from trivium_trainer.prepare.tally import Tally
from trivium_trainer.prepare.template import ChatTemplate
from trivium_trainer.prepare.tokenize_rows import RowTokenizer
from trivium_trainer.prepare.tokenizer import load_tokenizer

_BATCH_ROWS = 256


def process_part(part: Part, how: Tokenizing, *, beat: Callable[[], None] | None = None) -> PartOutcome:
    """Make the shard of one part, unless it is complete already."""
    folder = Path(part.folder)
    done = read_marker(folder)
    if done is not None:
        return PartOutcome(result=done)
    try:
        return PartOutcome(result=_make_shard(part, how, folder, beat or _no_beat))
    except TrainingError as error:
        return PartOutcome(failure=error.to_failure())


def _no_beat() -> None:
    return None


def _make_shard(part: Part, how: Tokenizing, folder: Path, beat: Callable[[], None]) -> PartResult:
    tally = Tally(
        part.source,
        skip_bad=how.data.on_bad_record == "skip",
        max_length=None if how.recipe == "pretrain" else how.data.max_length,
    )
    tokenizer = _row_tokenizer(how.model_dump_json())
    rows = _read_rows(part, tally)
    with ShardWriter(
        folder,
        vocabulary=how.vocabulary,
        segments=3 if part.row_format == "preference" else 1,
        masked=part.row_format not in {"preference", "text"},
    ) as writer:
        while batch := list(islice(rows, _BATCH_ROWS)):
            beat()
            for (location, row), example in zip(batch, _tokenized(tokenizer, batch), strict=True):
                kept = tally.judge(location, example)
                if kept is not None:
                    held_out = is_held_out(row.key, fraction=part.evaluation_fraction)
                    tally.count(kept, held_out=held_out)
                    writer.add(kept, held_out=held_out)
        return writer.finish(tally.result())


def _tokenized(tokenizer: RowTokenizer, batch: Sequence[tuple[str, Row]]) -> Sequence[Tokenized | BadRecordError]:
    documents = [row.text for _, row in batch if isinstance(row, Document)]
    if len(documents) == len(batch):
        return tokenizer.tokenize_documents(documents)
    return tokenizer.tokenize(batch)


@lru_cache(maxsize=1)
def _row_tokenizer(how_json: str) -> RowTokenizer:
    """Kept between the parts that one Ray worker makes: loading takes longer than a small part."""
    how = Tokenizing.model_validate_json(how_json)
    template = None if how.template is None else ChatTemplate(**how.template.model_dump())
    return RowTokenizer(
        load_tokenizer(Path(how.tokenizer_dir), trust_remote_code=how.trust_remote_code),
        template=template,
        data=how.data,
        needs_marks=how.needs_marks,
        eos_token_id=how.eos_token_id,
    )


def _read_rows(part: Part, tally: Tally) -> Iterator[tuple[str, Row]]:
    """(location, row) of every good record, in order; bad ones go to the tally."""
    for record in _read_part(part):
        tally.rows += 1
        try:
            if isinstance(record, BadRecordError):
                raise record
            yield record.location, parse_row(record, row_format=part.row_format, columns=part.source.columns)
        except BadRecordError as error:
            tally.skip(error)


def _read_part(part: Part) -> Iterator[Record | BadRecordError]:
    root = Path(part.root)
    left = part.source.max_rows
    for file in part.files:
        verify_digest(root, file, field=field_of(part.source))
        for record in islice(read_records(root, file), left):
            yield record
            if left is not None:
                left -= 1
        if left == 0:
            return
