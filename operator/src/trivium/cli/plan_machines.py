"""The machines that `trivium plan` plans for: profiles from the files, `--gpus`, or this machine.

--gpus 8x80Gi       eight GPUs of 80 GiB
--gpus 16xh100      sixteen H100, two nodes of eight
--gpus 8x80Gi@989   and a peak of 989 TFLOPS in bfloat16, for time and cost
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from trivium.api import ComputeProfile, Job, parse_job, parse_profile
from trivium.api.quantity import Quantity
from trivium.api.resource import API_VERSION
from trivium.cli.errors import CommandError
from trivium.cli.exit_codes import ExitCode
from trivium.local.fitting import LOCAL_PROFILE, fit_job
from trivium.local.local_profile import local_profiles
from trivium.local.machine import this_machine
from trivium.planning import FinishedStage, newest_first
from trivium.ports import Manifest

_PER_NODE = 8
_MACHINE = re.compile(r"^(\d+)x([A-Za-z0-9.-]+?)(?:@(\d+(?:\.\d+)?))?$")
# (memory as the driver reports it, rounded down; peak dense bfloat16 TFLOPS of the vendor's data sheet, no sparsity).
_CARDS: dict[str, tuple[str, float]] = {
    "b200": ("179Gi", 2250),
    "h200": ("140Gi", 989),
    "h100": ("79Gi", 989),
    "a100": ("80Gi", 312),
    "a100-40": ("40Gi", 312),
    "l40s": ("45Gi", 362),
    "a10g": ("22Gi", 70),
    "l4": ("22Gi", 121),
    "rtx4090": ("24Gi", 165),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineChoice:
    """Where a job is planned, and the job as it would run there."""

    label: str
    job: Job
    profile: ComputeProfile
    remarks: tuple[str, ...] = ()
    """What was changed or assumed to plan it here."""
    most_workers: int | None = None
    """All workers that there can be here; None: as many as one likes."""
    finished: tuple[FinishedStage, ...] = ()
    """Jobs that have ended here, to learn from."""


def choose_machines(
    job: Job, *, profiles: Sequence[ComputeProfile], gpus: str | None, known_jobs: Sequence[Manifest]
) -> tuple[MachineChoice, ...]:
    """`--gpus` if given, else the job's profile among the files', else this machine. Raises CommandError.

    `known_jobs`: what has run on this machine, as its state folder says.
    """
    if gpus is not None:
        return tuple(_hypothetical(job, text.strip()) for text in gpus.split(","))
    name = job.spec.compute.profile
    if not profiles and name is None:
        return (_this_machine(job, known_jobs=known_jobs),)
    return (_from_files(job, profiles=profiles, name=name),)


def _from_files(job: Job, *, profiles: Sequence[ComputeProfile], name: str | None) -> MachineChoice:
    if name is not None:
        found = [one for one in profiles if one.metadata.name == name]
        problem = f"spec.compute.profile: ComputeProfile {name} is in none of the files"
    else:
        found = [one for one in profiles if one.spec.default] or list(profiles)
        problem = "spec.compute.profile: none is named, and the files hold several ComputeProfiles but no default one"
    if len(found) != 1:
        way = "Give its manifest beside the job's, or say the machine: --gpus 8x80Gi."
        raise CommandError(f"{job.kind} {job.metadata.name}: {problem}. {way}", code=ExitCode.NOT_FOUND)
    return MachineChoice(label=f"profile {found[0].metadata.name}", job=job, profile=found[0])


def _this_machine(job: Job, *, known_jobs: Sequence[Manifest]) -> MachineChoice:
    machine = this_machine()
    manifest = job.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"status"})
    fitted, remarks = fit_job(manifest, machine)
    (local,) = (one for one in local_profiles([fitted], machine) if one["spec"]["default"])
    placed = parse_job(fitted)
    return MachineChoice(
        label="this machine",
        job=placed,
        # Each worker is a fixed part of the machine: more of them would be smaller ones.
        most_workers=placed.spec.compute.workers,
        profile=parse_profile(local),
        remarks=tuple(remarks),
        finished=newest_first(known_jobs, profile=LOCAL_PROFILE),
    )


def _hypothetical(job: Job, text: str) -> MachineChoice:
    """The job on GPUs that no profile describes."""
    match = _MACHINE.fullmatch(text)
    card = _CARDS.get(match[2].lower()) if match else None
    memory = card[0] if card else match[2] if match else ""
    if match is None or int(match[1]) < 1 or not re.fullmatch(Quantity.PATTERN, memory):
        cards = ", ".join(_CARDS)
        raise CommandError(
            f"--gpus {text}: write NUMBERxMEMORY or NUMBERxCARD, e.g. 8x80Gi or 8xh100. Cards: {cards}.",
            code=ExitCode.USAGE,
        )
    count = int(match[1])
    per_node = next(size for size in range(min(count, _PER_NODE), 0, -1) if count % size == 0)
    peak = float(match[3]) if match[3] else card[1] if card else None
    compute = job.spec.compute.model_copy(
        # Elastic sizes belong to the job's own number of workers.
        update={"workers": count // per_node, "gpus_per_worker": per_node, "min_workers": None, "profile": None}
    )
    moved = job.model_copy(update={"spec": job.spec.model_copy(update={"compute": compute})})
    host = 2 * per_node * Quantity.parse(memory).to_int()
    remark = "Taken for granted: twice the GPUs' memory in each node, flash attention, Liger, bitsandbytes."
    profile = _profile(memory=memory, per_node=per_node, peak=peak, host=host)
    return MachineChoice(label=f"{count} × {match[2]}", job=moved, profile=profile, remarks=(remark,))


def _profile(*, memory: str, per_node: int, peak: float | None, host: int) -> ComputeProfile:
    gpu: dict[str, Any] = {"memory": memory, "perNode": per_node}
    if peak is not None:
        gpu["peakTFLOPS"] = {"bfloat16": peak}
    return parse_profile(
        {
            "apiVersion": API_VERSION,
            "kind": "ComputeProfile",
            "metadata": {"name": "gpus"},
            "spec": {
                "image": "none",
                "rayVersion": "0.0.0",
                "storage": {"runs": {"claimName": "runs"}},
                "features": ["flash-attention-2", "liger", "bitsandbytes"],
                "worker": {"cpu": 8 * per_node, "memory": str(host)},
                "gpu": gpu,
                # Whether it may run there is not the question.
                "policy": {"trustRemoteCode": True, "uriSchemes": ["s3", "gs", "az", "abfs", "https", "file"]},
            },
        }
    )
