"""Reads a run directory for the report: everything that is there, nothing that is not, and a note for what is damaged.

A report is wanted most when something went wrong, so no content of the files makes it fail: a torn last line is
normal (killed while writing), any other damage and everything from a newer writer becomes a visible note.
"""

import json
import math
from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from trivium_trainer.failure import EndRecord
from trivium_trainer.layout import RunDirectory, StageDirectory
from trivium_trainer.progress import Inspection
from trivium_trainer.report.rolled_back import without_abandoned
from trivium_trainer.report.run_report import STAGE_ORDER, Identity, RunReport, StageReport, Start
from trivium_trainer.report_data import (
    CheckpointLine,
    EndLine,
    EvaluationLine,
    InspectionLine,
    Line,
    MemoryLine,
    RunLine,
    SampleLine,
    StepLine,
    TimeLine,
)

LINE_TYPES: dict[str, type[Line]] = {
    "run": RunLine,
    "inspection": InspectionLine,
    "step": StepLine,
    "evaluation": EvaluationLine,
    "sample": SampleLine,
    "checkpoint": CheckpointLine,
    "memory": MemoryLine,
    "time": TimeLine,
    "end": EndLine,
}

Restart = tuple[float, dict[str, Any]]
"""When the ledger noted it (Unix seconds), and the raw failure."""

_Model = TypeVar("_Model", bound=BaseModel)
_L = TypeVar("_L", bound=Line)


def load_run(path: Path) -> RunReport:
    """The report of one run directory `<runs>/<namespace>/<kind>/<name>/<uid>`.

    Raises FileNotFoundError if there is no such directory; nothing inside it raises.
    """
    if not path.is_dir():
        raise FileNotFoundError(
            f"{path} is not a run directory: no such folder. Give <runs>/<namespace>/<kind>/<name>/<uid>."
        )
    directory = RunDirectory(path)
    names = sorted((entry.name for entry in path.iterdir() if _is_stage(directory.stage(entry.name))), key=_stage_rank)
    stages = tuple(load_stage(directory.stage(name)) for name in names)
    notes = () if stages else (f"{path.name}: no stage has written anything yet.",)
    return RunReport(identity=_identity(path, stages), stages=stages, notes=notes)


def load_stage(directory: StageDirectory) -> StageReport:
    """One stage; an absent or empty report/data.jsonl gives an empty report."""
    lines = ReportFile.read(directory.report_data)
    inspections = [line.inspection for line in lines.of(InspectionLine)]
    inspection = lines.keep(Inspection, inspections[-1], "inspection") if inspections else None
    starts = _split_starts(lines.lines, _restarts(directory.ledger))
    lines.lines = without_abandoned(lines.lines)
    return StageReport(
        name=directory.root.name,
        starts=starts,
        inspection=inspection,
        steps=tuple(sorted(_last_of_each(lines.of(StepLine), key=_step), key=_step)),
        evaluations=tuple(
            sorted(_last_of_each(lines.of(EvaluationLine), key=lambda e: (e.step, e.dataset)), key=_step)
        ),
        samples=_last_of_each(lines.of(SampleLine), key=lambda sample: (sample.step, sample.moment, sample.prompt)),
        checkpoints=tuple(sorted(_last_of_each(lines.of(CheckpointLine), key=_step), key=_step)),
        memory=tuple(sorted(_last_of_each(lines.of(MemoryLine), key=_rank), key=_rank)),
        times=_last_of_each(lines.of(TimeLine), key=lambda line: line.attempt),
        end=_end_record(directory, starts, lines),
        notes=lines.notes(directory.root.name),
    )


@dataclass(slots=True)
class ReportFile:
    """The lines of one data.jsonl and what had to be left out while reading them."""

    lines: list[Line] = field(default_factory=list)
    damaged: list[int] = field(default_factory=list)
    """Line numbers, from 1."""
    unknown_kinds: Counter[str] = field(default_factory=Counter)
    unknown_fields: Counter[str] = field(default_factory=Counter)

    @classmethod
    def read(cls, path: Path) -> "ReportFile":
        self = cls()
        if not path.is_file():
            return self
        raw_lines = path.read_bytes().split(b"\n")
        for number, raw in enumerate(raw_lines, start=1):
            if raw.strip():
                self._add(number, raw, is_torn=number == len(raw_lines))
        return self

    def _add(self, number: int, raw: bytes, *, is_torn: bool) -> None:
        """`is_torn`: the last line has no newline; if it does not parse, a write was cut off and that is no damage."""
        try:
            data = clean(json.loads(raw.decode("utf-8", errors="replace")))
        except (ValueError, RecursionError):
            data = None
        kind = data.get("kind") if isinstance(data, dict) else None
        if isinstance(data, dict) and isinstance(kind, str) and kind not in LINE_TYPES:
            self.unknown_kinds[kind] += 1
            return
        line = self.keep(LINE_TYPES[kind], data, kind) if isinstance(data, dict) and isinstance(kind, str) else None
        if line is not None:
            self.lines.append(line)
        elif not is_torn:
            self.damaged.append(number)

    def keep(self, model: type[_Model], data: dict[str, Any], where: str) -> _Model | None:
        """`data` as a model without the fields this version does not know (counted); None if it fits not at all."""
        try:
            return model.model_validate(data)
        except ValidationError as error:
            extra = [detail["loc"] for detail in error.errors() if detail["type"] == "extra_forbidden"]
        for location in extra:
            data = _without(data, location)
            self.unknown_fields[".".join((where, *(str(part) for part in location if isinstance(part, str))))] += 1
        try:
            return model.model_validate(data)
        except ValidationError:
            return None

    def of(self, line_type: type[_L]) -> list[_L]:
        return [line for line in self.lines if isinstance(line, line_type)]

    def notes(self, stage: str) -> tuple[str, ...]:
        """Sentences for the reader; none for a healthy file."""
        notes = []
        if self.damaged:
            first = ", ".join(map(str, self.damaged[:3]))
            notes.append(
                f"{stage}: {_lines(len(self.damaged))} could not be read and were left out (first: line {first})."
            )
        if self.unknown_kinds:
            kinds = ", ".join(sorted(self.unknown_kinds)[:5])
            count = _lines(self.unknown_kinds.total())
            notes.append(f"{stage}: {count} of a kind that this version does not know were left out ({kinds}).")
        if self.unknown_fields:
            names = ", ".join(sorted(self.unknown_fields)[:5])
            notes.append(f"{stage}: fields that this version does not know were left out ({names}).")
        return tuple(notes)


def clean(value: Any) -> Any:
    """Decoded JSON without characters that no HTML page can carry: C0 controls and lone surrogates.

    Prompts and completions are a tenant's bytes; a model also generates such characters by itself.
    """
    if isinstance(value, str):
        text = value.encode("utf-8", errors="replace").decode("utf-8")
        return "".join(c if c >= " " or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text if c != "\x7f")
    if isinstance(value, dict):
        return {clean(key): clean(item) for key, item in value.items()}
    if isinstance(value, list):
        return [clean(item) for item in value]
    return value


def _without(data: dict[str, Any], location: tuple[int | str, ...]) -> dict[str, Any]:
    """A copy of `data` that lacks the value at `location`; only the path to it is copied."""
    head, *rest = location
    copy: Any = list(data) if isinstance(data, list) else dict(data)
    if rest:
        copy[head] = _without(copy[head], tuple(rest))
    else:
        del copy[head]
    return copy


def _last_of_each(lines: Iterable[_L], *, key: Callable[[_L], Hashable]) -> tuple[_L, ...]:
    """The last line for each key: attempts repeat steps after going back to a checkpoint."""
    return tuple({key(line): line for line in lines}.values())


def _split_starts(lines: list[Line], restarts: list[Restart]) -> tuple[Start, ...]:
    """A run line begins a start; so does anything after an end line (an attempt that failed before its run line)."""
    groups: list[list[Line]] = []
    for line in lines:
        if isinstance(line, RunLine) or not groups or isinstance(groups[-1][-1], EndLine):
            groups.append([])
        groups[-1].append(line)
    begins = [group[0].at for group in groups]
    return tuple(
        _start(group, restarts, until=until) for group, until in zip(groups, [*begins[1:], math.inf], strict=False)
    )


def _start(group: list[Line], restarts: list[Restart], *, until: float) -> Start:
    """`until`: when the next start began, infinity for the last one."""
    steps = [line.step for line in group if isinstance(line, StepLine)]
    end = group[-1] if isinstance(group[-1], EndLine) else None
    noted = next((failure for at, failure in restarts if group[0].at <= at < until), None)
    said = end.record.get("failure") if end is not None else noted
    return Start(
        run=group[0] if isinstance(group[0], RunLine) else None,
        began_at=group[0].at,
        last_at=max(line.at for line in group),
        first_step=min(steps, default=None),
        last_step=max(steps, default=None),
        end=end,
        failure=said if isinstance(said, dict) else None,
        superseded=until < math.inf,
    )


def _restarts(ledger: Path) -> list[Restart]:
    """When and why the ranks were started anew inside an attempt; what is unreadable in the ledger is left out."""
    restarts = []
    for raw in ledger.read_text(encoding="utf-8", errors="replace").splitlines() if ledger.is_file() else []:
        try:
            entry = clean(json.loads(raw))
        except (ValueError, RecursionError):
            continue
        if isinstance(entry, dict) and entry.get("kind") == "restart" and isinstance(entry.get("at"), int | float):
            failure = entry.get("failure")
            restarts.append((float(entry["at"]), failure if isinstance(failure, dict) else {}))
    return restarts


def _end_record(directory: StageDirectory, starts: tuple[Start, ...], lines: ReportFile) -> EndRecord | None:
    """end.json is the last thing a start writes, so it outranks end lines; only an older start's is left aside."""
    newest = starts[-1] if starts else None
    raw = newest.end.record if newest is not None and newest.end is not None else None
    try:
        written_at = directory.end_record.stat().st_mtime
        recorded = clean(json.loads(directory.end_record.read_text(encoding="utf-8", errors="replace")))
    except (OSError, ValueError):
        recorded = None
    if isinstance(recorded, dict):
        is_of_older_start = raw is None and newest is not None and written_at < newest.began_at
        if recorded.get("outcome") == "complete" or not is_of_older_start:
            raw = recorded
    return lines.keep(EndRecord, raw, "end") if isinstance(raw, dict) else None


def _step(line: StepLine | EvaluationLine | CheckpointLine) -> int:
    return line.step


def _rank(line: MemoryLine) -> int:
    return line.rank


def _is_stage(directory: StageDirectory) -> bool:
    return directory.report_data.is_file() or directory.end_record.is_file()


def _stage_rank(name: str) -> tuple[int, str]:
    return (STAGE_ORDER.index(name) if name in STAGE_ORDER else len(STAGE_ORDER), name)


def _identity(path: Path, stages: tuple[StageReport, ...]) -> Identity:
    """From the newest run line; from the path where there is none."""
    job = next((stage.run.job for stage in reversed(stages) if stage.run is not None), {})
    parts = ("unknown", "unknown", "unknown", *clean(list(path.absolute().parts)))[-4:]
    namespace, kind, name, uid = (
        str(job.get(key) or part) for key, part in zip(("namespace", "kind", "name", "uid"), parts, strict=True)
    )
    return Identity(kind=kind, namespace=namespace, name=name, uid=uid)


def _lines(count: int) -> str:
    return f"{count:,} line" + ("s" if count != 1 else "")
