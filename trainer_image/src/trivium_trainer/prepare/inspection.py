"""What prepare tells the planner and the reader of the report."""

from collections.abc import Sequence

from trivium_trainer.config import RunConfig
from trivium_trainer.data.mixture import epoch_draws, weights_of
from trivium_trainer.data.prepared import Manifest
from trivium_trainer.prepare.plan import SourcePlan
from trivium_trainer.prepare.starting_model import StartingModel
from trivium_trainer.prepare.tokenizer import PreparedTokenizer
from trivium_trainer.progress import Inspection, SourceInspection


def inspect(
    config: RunConfig,
    plans: Sequence[SourcePlan],
    *,
    manifest: Manifest,
    train_sizes: Sequence[int],
    evaluation_sizes: dict[str, int],
    tokenizer: PreparedTokenizer,
    model: StartingModel,
) -> Inspection:
    """Counts of one epoch, mixtures counted in, with what they were computed from."""
    draws = epoch_draws(weights_of(config.data.train), sizes=train_sizes, amounts=manifest.train_amounts)
    passes = [drawn / size for drawn, size in zip(draws, train_sizes, strict=True)]
    histogram: dict[str, int] = {}
    for source in manifest.sources[: len(config.data.train)]:
        for bound, count in source.length_histogram.items():
            histogram[bound] = histogram.get(bound, 0) + count
    return Inspection(
        architecture=model.architecture,
        parameters=model.parameters,
        vocabulary=model.vocabulary,
        added_tokens=tokenizer.added_tokens,
        packing=manifest.packing,
        max_length=manifest.max_length,
        train_sequences=sum(draws),
        train_examples=_in_epoch(manifest.train_examples, passes),
        train_tokens=_in_epoch(manifest.train_trained_tokens, passes),
        evaluation_sequences=evaluation_sizes,
        length_histogram=dict(sorted(histogram.items(), key=lambda item: int(item[0]))),
        sources=[_source(plan, manifest, number) for number, plan in enumerate(plans)],
        prepared_key=manifest.key,
        tokenizer_digest=tokenizer.digest,
    )


def _in_epoch(amounts: Sequence[int], passes: Sequence[float]) -> int:
    return round(sum(amount * times for amount, times in zip(amounts, passes, strict=True)))


def _source(plan: SourcePlan, manifest: Manifest, number: int) -> SourceInspection:
    seen = manifest.sources[number]
    return SourceInspection(
        name=seen.name,
        files=len(plan.resolved.files),
        rows=seen.rows,
        skipped=seen.skipped,
        over_long=seen.over_long,
        tokens=seen.tokens,
        trained_tokens=seen.trained_tokens,
        digest=plan.resolved.digest,
        revision=plan.resolved.revision,
        first_bad_records=[record[:500] for record in seen.first_bad_records],
    )
