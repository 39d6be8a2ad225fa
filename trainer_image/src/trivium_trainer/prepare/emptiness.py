"""Data that comes to nothing: each way of it, said with numbers and a way out."""

from collections.abc import Sequence

from trivium_trainer.config import RunConfig
from trivium_trainer.data.prepared import SourceStatistics
from trivium_trainer.prepare.plan import SourcePlan
from trivium_trainer.prepare.problems import data_error, field_of
from trivium_trainer.prepare.shards import PartResult


def require_rows(plan: SourcePlan, results: Sequence[PartResult], *, max_length: int) -> None:
    """Raises DataError where a source has no example left."""
    if any(result.examples + result.held_out for result in results):
        return
    rows, dropped = (sum(getattr(result, name) for result in results) for name in ("rows", "dropped"))
    if dropped:
        prompts = [result.shortest_prompt for result in results if result.shortest_prompt is not None]
        lost = "every assistant token" if plan.is_conversation else "every trained token"
        raise data_error(
            "AllRowsTooLong",
            f"{field_of(plan.source)}: all {dropped:,} rows lost {lost} at maxLength {max_length}; the shortest prompt "
            f"has {min(prompts):,} tokens.",
            remedy="Raise maxLength or shorten the prompts.",
        )
    if rows:
        first = next(iter(one for result in results for one in result.first_bad_records), "")
        raise data_error(
            "AllRecordsBad",
            f"{field_of(plan.source)}: all {rows:,} rows are bad; the first: {first}.",
            remedy="Correct the rows, or set format or columns.",
        )
    raise data_error(
        "EmptySplit",
        f"{field_of(plan.source)}.split: {plan.source.split} has no row.",
        remedy="Name a split or files that hold rows.",
    )


def require_held_out(config: RunConfig, train: Sequence[SourceStatistics]) -> None:
    """Raises DataError where evaluationFraction leaves one side of the split empty."""
    fraction = config.data.evaluation_fraction
    if not fraction:
        return
    rows = sum(source.examples + source.held_out for source in train)
    if not sum(source.held_out for source in train):
        raise data_error(
            "NothingHeldOut",
            f"data.evaluationFraction: {fraction:g} of {rows:,} rows holds out none.",
            remedy="Raise it, set it to 0, or name an evaluation source.",
        )
    emptied = [source.name for source in train if not source.examples]
    if emptied:
        raise data_error(
            "EverythingHeldOut",
            f"data.evaluationFraction: {fraction:g} holds out every row of {', '.join(emptied)}.",
            remedy="Lower it.",
        )
