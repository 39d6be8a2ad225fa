"""One `trivium plan`: read the files, find models and machines, plan each job on each machine, show it."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from trivium.api import JOB_KINDS, ComputeProfile, Job, parse_job, parse_profile
from trivium.api.plan_status import Plan
from trivium.cli.errors import CommandError
from trivium.cli.exit_codes import ExitCode
from trivium.cli.manifests import load_valid
from trivium.cli.plan_json import plans_as_json
from trivium.cli.plan_machines import MachineChoice, choose_machines
from trivium.cli.plan_model import find_model_config
from trivium.cli.plan_view import print_comparison, print_study
from trivium.cli.state_reader import StateReader
from trivium.planning import PlanInput, Study, study_training
from trivium.planning.refusal import PlanError
from trivium.ports import Manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOptions:
    """The command line of `trivium plan`."""

    files: tuple[Path, ...]
    gpus: str | None
    model: Path | None
    state: Path
    explain: bool
    as_json: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedJob:
    """One job on every machine that was asked for."""

    job: Job
    studies: tuple[tuple[MachineChoice, Study], ...]

    @property
    def fits(self) -> bool:
        """Whether at least one machine will do."""
        return any(isinstance(study.result, Plan) for _, study in self.studies)


def plan_session(options: PlanOptions) -> int:
    """Plan and show; the exit code. Raises CommandError."""
    manifests = load_valid(options.files, namespace="default")
    jobs = [parse_job(one) for one in manifests if one["kind"] in JOB_KINDS]
    profiles = [parse_profile(one) for one in manifests if one["kind"] == "ComputeProfile"]
    known = StateReader(options.state).jobs()
    planned = [_plan(job, jobs=jobs, profiles=profiles, known_jobs=known, options=options) for job in jobs]
    if options.as_json:
        print(plans_as_json(planned))
    else:
        _show(planned, explain=options.explain)
    return 0 if all(one.fits for one in planned) else ExitCode.USER_ERROR


def _plan(
    job: Job,
    *,
    jobs: Sequence[Job],
    profiles: Sequence[ComputeProfile],
    known_jobs: Sequence[Manifest],
    options: PlanOptions,
) -> PlannedJob:
    try:
        config = find_model_config(job, jobs=jobs, model=options.model)
    except PlanError as error:
        raise CommandError(error.refusal.message, code=ExitCode.INVALID) from error
    machines = choose_machines(job, profiles=profiles, gpus=options.gpus, known_jobs=known_jobs)
    return PlannedJob(job=job, studies=tuple((machine, _study(machine, config)) for machine in machines))


def _study(machine: MachineChoice, config: Mapping[str, Any] | None) -> Study:
    given = PlanInput(
        job=machine.job,
        profile=machine.profile,
        model_config=config,
        most_workers=machine.most_workers,
        finished=machine.finished,
    )
    return study_training(given)


def _show(planned: Sequence[PlannedJob], *, explain: bool) -> None:
    console = Console(highlight=False, file=sys.stdout)
    for number, one in enumerate(planned):
        if number:
            console.print()
        if len(one.studies) > 1:
            print_comparison(one.job, one.studies, console=console)
        if len(one.studies) == 1 or explain:
            for machine, study in one.studies:
                print_study(one.job, machine, study, explain=explain, console=console)
