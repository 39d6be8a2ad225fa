"""Prepared data under one key: tokenizer, shards, indices, and the manifest that makes it count.

It is made in a folder of the run's own and renamed when it is complete, so two jobs with the same key cannot disturb
each other: the second to finish finds the first one's and throws its own away.
"""

import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from trivium_trainer.config import RunConfig
from trivium_trainer.data.prepared import (
    INDEX,
    MANIFEST,
    SHARDS,
    TOKENIZER,
    TRAIN_INDEX,
    Manifest,
    ShardEntry,
    SourceStatistics,
    SplitEntry,
    read_manifest,
)
from trivium_trainer.durable import write_json
from trivium_trainer.failure import TrainingError
from trivium_trainer.prepare.emptiness import require_held_out, require_rows
from trivium_trainer.prepare.index import ExampleTable, Rows, build_rows, join_tables, read_table, write_index
from trivium_trainer.prepare.pack import WORTHWHILE_SAVING, packing_saves
from trivium_trainer.prepare.parts import Part, PartOutcome, TemplateText, Tokenizing, group_files
from trivium_trainer.prepare.plan import HELD_OUT_NAME, SourcePlan
from trivium_trainer.prepare.scatter import process_parts
from trivium_trainer.prepare.shards import PartResult
from trivium_trainer.prepare.tokenizer import PreparedTokenizer


def build_dataset(
    config: RunConfig,
    plans: Sequence[SourcePlan],
    tokenizer: PreparedTokenizer,
    *,
    key: str,
    work: Path,
    beat: Callable[[], None],
) -> Manifest:
    """Make the data in `work` and return its manifest, written last. Shards that are complete are kept."""
    tokenizer.save(work / TOKENIZER)
    numbered = [(number, part) for number, plan in enumerate(plans) for part in _parts(plan, number, work=work)]
    results = _run(config, [part for _, part in numbered], tokenizer, work=work, beat=beat)
    by_source = [
        [result for (number, _), result in zip(numbered, results, strict=True) if number == source]
        for source in range(len(plans))
    ]
    statistics = [_merge(plan, one) for plan, one in zip(plans, by_source, strict=True)]
    for plan, one in zip(plans, by_source, strict=True):
        require_rows(plan, one, max_length=config.data.max_length)
    require_held_out(config, statistics[: len(config.data.train)])
    shards = [
        ShardEntry(name=Path(part.folder).name, source=number, digests=result.digests)
        for (number, part), result in zip(numbered, results, strict=True)
    ]
    manifest = _index(config, shards, statistics, key=key, work=work)
    write_json(work / MANIFEST, manifest.model_dump(mode="json", by_alias=True))
    return manifest


def publish(work: Path, to: Path) -> None:
    """Give complete data its name; where another job was first, its equal data is used and ours is deleted."""
    try:
        work.rename(to)
    except OSError:
        if read_manifest(to) is not None:
            shutil.rmtree(work, ignore_errors=True)
            return
        # What an older version left under this name does not count as data.
        shutil.rmtree(to, ignore_errors=True)
        work.rename(to)


def _parts(plan: SourcePlan, number: int, *, work: Path) -> Iterator[Part]:
    for index, files in enumerate(group_files(plan.source, plan.resolved.files)):
        yield Part(
            source=plan.source,
            row_format=plan.row_format,
            root=str(plan.root),
            files=files,
            folder=str(work / SHARDS / f"{number:03d}-{index:05d}"),
            evaluation_fraction=plan.evaluation_fraction,
        )


def _run(
    config: RunConfig,
    parts: Sequence[Part],
    tokenizer: PreparedTokenizer,
    *,
    work: Path,
    beat: Callable[[], None],
) -> list[PartResult]:
    template = tokenizer.template
    how = Tokenizing(
        recipe=config.recipe,
        data=config.data,
        tokenizer_dir=str(work / TOKENIZER),
        trust_remote_code=config.model.trust_remote_code,
        template=None
        if template is None
        else TemplateText(
            text=template.text,
            saved_text=template.saved_text,
            origin=template.origin,
            variables=template.variables,
        ),
        needs_marks=tokenizer.needs_marks,
        eos_token_id=tokenizer.eos_token_id,
        vocabulary=len(tokenizer.tokenizer),
    )
    return [_result(outcome) for outcome in process_parts(parts, how, beat=beat)]


def _result(outcome: PartOutcome) -> PartResult:
    failure = outcome.failure
    if failure is not None:
        raise TrainingError(failure.failure_class, failure.reason, failure.message, remedy=failure.remedy)
    assert outcome.result is not None
    return outcome.result


def _merge(plan: SourcePlan, results: Sequence[PartResult]) -> SourceStatistics:
    histogram: dict[int, int] = {}
    for result in results:
        for bound, count in result.length_histogram.items():
            histogram[int(bound)] = histogram.get(int(bound), 0) + count
    return SourceStatistics(
        name=plan.source.name,
        rows=sum(result.rows for result in results),
        skipped=sum(result.skipped for result in results),
        over_long=sum(result.over_long for result in results),
        examples=sum(result.examples for result in results),
        held_out=sum(result.held_out for result in results),
        tokens=sum(result.tokens for result in results),
        trained_tokens=sum(result.trained_tokens for result in results),
        first_bad_records=[one for result in results for one in result.first_bad_records][:3],
        length_histogram={str(bound): count for bound, count in sorted(histogram.items())},
    )


def _index(
    config: RunConfig, shards: Sequence[ShardEntry], statistics: list[SourceStatistics], *, key: str, work: Path
) -> Manifest:
    num_train = len(config.data.train)

    def table(source: int, *, held_out: bool) -> ExampleTable:
        folders = [
            (number, work / SHARDS / shard.name) for number, shard in enumerate(shards) if shard.source == source
        ]
        return read_table(folders, held_out=held_out)

    train = [table(source, held_out=False) for source in range(num_train)]
    packing = _resolve_packing(config, train)

    def rows(one: ExampleTable) -> Rows:
        return build_rows(one, recipe=config.recipe, packing=packing, max_length=config.data.max_length)

    train_rows = [rows(one) for one in train]
    write_index(work / INDEX / TRAIN_INDEX, train_rows)
    evaluation = {
        source.name: table(num_train + index, held_out=False) for index, source in enumerate(config.data.evaluation)
    }
    if config.data.evaluation_fraction:
        evaluation[HELD_OUT_NAME] = join_tables([table(source, held_out=True) for source in range(num_train)])
    splits = []
    for index, (name, one) in enumerate(evaluation.items()):
        splits.append(SplitEntry(folder=f"evaluation-{index:03d}", name=name))
        write_index(work / INDEX / splits[-1].folder, [rows(one)])
    trained = [int(one.trained_tokens.sum()) for one in train_rows]
    examples = [len(one) for one in train]
    return Manifest(
        key=key,
        layout="pairs" if config.recipe == "dpo" else "rows",
        packing=packing,
        max_length=config.data.max_length,
        shards=list(shards),
        evaluation=splits,
        train_amounts=[float(amount) for amount in (trained if config.recipe == "pretrain" else examples)],
        train_examples=examples,
        train_trained_tokens=trained,
        sources=statistics,
    )


def _resolve_packing(config: RunConfig, train: Sequence[ExampleTable]) -> bool:
    if config.recipe != "sft":
        return config.recipe == "pretrain"
    if config.data.packing != "auto":
        return config.data.packing == "on"
    lengths = np.concatenate([one.lengths for one in train])
    return packing_saves(lengths, capacity=config.data.max_length) >= WORTHWHILE_SAVING
