"""The plans of `trivium plan` for tools: field names as in status, every alternative as the fields that it changes."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from trivium.api.plan_status import Plan
from trivium.cli.plan_machines import MachineChoice
from trivium.planning import Refusal, Study
from trivium.planning.alternatives import Alternative
from trivium.planning.fit import Candidate

if TYPE_CHECKING:  # plan_session imports this module
    from trivium.cli.plan_session import PlannedJob


def plans_as_json(planned: Sequence["PlannedJob"]) -> str:
    """A list of jobs, each with a list of machines."""
    return json.dumps([_job(one) for one in planned], indent=2)


def _job(one: "PlannedJob") -> dict[str, Any]:
    return {
        "kind": one.job.kind,
        "name": one.job.metadata.name,
        "fits": one.fits,
        "machines": [_machine(machine, study) for machine, study in one.studies],
    }


def _machine(machine: MachineChoice, study: Study) -> dict[str, Any]:
    result = study.result
    return {
        "machine": machine.label,
        "remarks": list(machine.remarks),
        **({"refusal": _refusal(result)} if isinstance(result, Refusal) else {"plan": _plan(result)}),
        "candidates": [_candidate(one) for one in study.candidates],
        "alternatives": [_alternative(one) for one in study.alternatives],
    }


def _refusal(refusal: Refusal) -> dict[str, Any]:
    return {"field": refusal.field, "problem": refusal.problem, "waysOut": list(refusal.ways_out)}


def _plan(plan: Plan) -> dict[str, Any]:
    return plan.model_dump(mode="json", by_alias=True, exclude_none=True)


def _candidate(one: Candidate) -> dict[str, Any]:
    return {
        "zeroStage": one.zero_stage,
        "gradientCheckpointing": one.checkpointing,
        "microBatchSize": one.micro_batch,
        "memory": one.memory.total,
        "fits": one.fits,
        "busy": one.busy,
    }


def _alternative(one: Alternative) -> dict[str, Any]:
    return {
        "change": {f"spec.{path}": value for path, value in one.edit.values},
        "yaml": "\n".join(one.edit.yaml_lines()),
        "plan": _plan(one.plan),
    }
