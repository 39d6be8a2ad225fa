"""Names of everything a run writes. One place spells them; nothing here touches a disk.

<runs>/<namespace>/prepared/<key>/                   shards shared by the jobs of a namespace (see prepare/)
<runs>/<namespace>/<kind>/<name>/<uid>/              the run directory of one job
    record.json                                      uid and digest of the spec that owns it
    <stage>/end.json                                 the end record; outcome "complete" = the stage is done
    <stage>/inputs.json                              resolved revisions and digests (stage prepare)
    <stage>/checkpoints/step-<8 digits>/             complete only with marker.json, written last
    <stage>/output/{model/,adapter/,output.json}
    <stage>/report/data.jsonl, report.html
    <stage>/failures/<start>.json, ledger.jsonl      what ended each start of the stage
    <stage>/progress.json                            the newest progress report, for the driver's last word
    <stage>/clock.json                               where the newest attempt's time went, how far any attempt came
    <stage>/attempts/<attempt>/                      of the newest attempt: Ray Train's files, budget.json, probe, stop
"""

import os
from dataclasses import dataclass
from pathlib import Path

from trivium_trainer.config import RunConfig

MARKER = "marker.json"
MOUNT_ROOT_VARIABLE = "TRIVIUM_MOUNT_ROOT"


def mounted(path: str) -> Path:
    """Where a pod's absolute path lies on this machine: below TRIVIUM_MOUNT_ROOT, which is `/` in a pod."""
    return Path(os.environ.get(MOUNT_ROOT_VARIABLE, "/")) / path.lstrip("/")


@dataclass(frozen=True, slots=True)
class StageDirectory:
    """One stage's part of a run directory."""

    root: Path

    @property
    def end_record(self) -> Path:
        return self.root / "end.json"

    @property
    def inputs(self) -> Path:
        return self.root / "inputs.json"

    @property
    def checkpoints(self) -> Path:
        return self.root / "checkpoints"

    @property
    def output(self) -> Path:
        return self.root / "output"

    @property
    def model(self) -> Path:
        return self.output / "model"

    @property
    def adapter(self) -> Path:
        return self.output / "adapter"

    @property
    def report_data(self) -> Path:
        return self.root / "report" / "data.jsonl"

    @property
    def report_html(self) -> Path:
        return self.root / "report" / "report.html"

    @property
    def failures(self) -> Path:
        return self.root / "failures"

    @property
    def ledger(self) -> Path:
        return self.root / "ledger.jsonl"

    @property
    def progress(self) -> Path:
        return self.root / "progress.json"

    @property
    def clock(self) -> Path:
        return self.root / "clock.json"

    @property
    def attempts(self) -> Path:
        return self.root / "attempts"

    def checkpoint(self, step: int) -> Path:
        """Folder of the checkpoint taken after optimizer step `step`."""
        return self.checkpoints / f"step-{step:08d}"


@dataclass(frozen=True, slots=True)
class RunDirectory:
    """Everything one job writes, found again by every attempt."""

    root: Path

    @property
    def record(self) -> Path:
        return self.root / "record.json"

    def stage(self, name: str) -> StageDirectory:
        return StageDirectory(self.root / name)


def run_directory(config: RunConfig) -> RunDirectory:
    """The run directory of this job, or of the earlier run that it continues."""
    job = config.job
    uid = config.continue_from or job.uid
    return RunDirectory(mounted(config.runs) / job.namespace / job.kind / job.name / uid)


def prepared_root(config: RunConfig) -> Path:
    """Where prepared data of this namespace is kept, by key."""
    return mounted(config.runs) / config.job.namespace / "prepared"
