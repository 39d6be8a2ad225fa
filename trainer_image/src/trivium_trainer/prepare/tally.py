"""Counts what a part holds, and judges each row: keep, cut, drop, skip."""

from trivium_trainer.config import DataSource
from trivium_trainer.failure import TrainingError
from trivium_trainer.prepare.example import Tokenized
from trivium_trainer.prepare.problems import BadRecordError, data_error, field_of
from trivium_trainer.prepare.shards import PartResult

_SHOWN_BAD_RECORDS = 3


class Tally:
    """The counts of one part in the making."""

    def __init__(self, source: DataSource, *, skip_bad: bool, max_length: int | None) -> None:
        """max_length None: rows are never cut (pre-training cuts the stream of documents instead)."""
        self._source = source
        self._skip_bad = skip_bad
        self._max_length = max_length
        self.rows = 0
        self._counts = dict.fromkeys(
            ("skipped", "over_long", "dropped", "examples", "held_out", "tokens", "trained_tokens"), 0
        )
        self._shortest_prompt: int | None = None
        self._histogram: dict[int, int] = {}
        self._first_bad: list[str] = []

    def skip(self, error: BadRecordError) -> None:
        """Count a bad record. Raises DataError where the job wants bad records to end it."""
        if not self._skip_bad:
            raise bad_record(self._source, error)
        self._counts["skipped"] += 1
        if len(self._first_bad) < _SHOWN_BAD_RECORDS:
            self._first_bad.append(str(error))

    def judge(self, location: str, example: Tokenized | BadRecordError) -> Tokenized | None:
        """The example as it is kept, cut where it is over-long; None where nothing of it is."""
        if not isinstance(example, BadRecordError) and example.trained_count == 0:
            example = BadRecordError(location, "no token of it would be trained")
        if isinstance(example, BadRecordError):
            self.skip(example)
            return None
        bound = 1 << max(0, example.length - 1).bit_length()
        self._histogram[bound] = self._histogram.get(bound, 0) + 1
        if self._max_length is None or example.length <= self._max_length:
            return example
        self._counts["over_long"] += 1
        short = example.cut(self._max_length)
        if short is None:
            self._counts["dropped"] += 1
            self._shortest_prompt = min(self._shortest_prompt or example.prompt_length, example.prompt_length)
        return short

    def count(self, example: Tokenized, *, held_out: bool) -> None:
        """Count an example that is kept."""
        self._counts["held_out" if held_out else "examples"] += 1
        self._counts["tokens"] += sum(len(segment) for segment in example.segments)
        self._counts["trained_tokens"] += example.trained_count

    def result(self) -> PartResult:
        return PartResult(
            rows=self.rows,
            shortest_prompt=self._shortest_prompt,
            length_histogram={str(bound): count for bound, count in sorted(self._histogram.items())},
            first_bad_records=self._first_bad,
            **self._counts,
        )


def bad_record(source: DataSource, error: BadRecordError) -> TrainingError:
    """What a bad record is when onBadRecord is fail."""
    return data_error(
        "BadRecord",
        f"{field_of(source)}: {error}.",
        remedy="Correct the row, or set data.onBadRecord: skip to leave such rows out and count them.",
    )
