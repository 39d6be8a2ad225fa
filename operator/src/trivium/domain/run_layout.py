"""Where a job's files lie, as the operator knows it: never believed from a report.

The same layout as `trivium_trainer.layout`, which writes there; a contract test holds the two together. Places in
status are `pvc://<claim>/<path>`, as KServe writes them.
"""

from trivium.api import Job
from trivium.api.plan_status import Plan, StoragePlan
from trivium.api.status import Output


def run_path(job: Job) -> str:
    """The run directory, relative to the root of the runs storage."""
    metadata = job.metadata
    uid = job.spec.storage.continue_from or metadata.uid
    return f"{metadata.namespace}/{job.kind}/{metadata.name}/{uid}"


def place(storage: StoragePlan | None, path: str) -> str:
    """A path below the root of the runs storage, as an address."""
    if storage is None:
        return path
    root = f"pvc://{storage.claim_name}"
    return "/".join(part for part in (root, storage.path, path) if part)


def checkpoint_uri(job: Job, storage: StoragePlan | None, *, stage: str, step: int) -> str:
    """Where the checkpoint of a step lies."""
    return place(storage, f"{run_path(job)}/{stage}/checkpoints/step-{step:08d}")


def stage_output(job: Job, plan: Plan, *, stage: str, digest: str | None) -> Output:
    """What a complete stage left behind. Only `train` leaves a model; `prepare` leaves the name of its data."""
    root = f"{run_path(job)}/{stage}"
    path = f"{root}/output/model" if stage == "train" else f"{root}/output"
    has_adapter = stage == "train" and job.spec.adapter is not None
    return Output(
        uri=place(plan.runs, path),
        path=path,
        digest=digest or "",
        adapter_uri=place(plan.runs, f"{root}/output/adapter") if has_adapter else None,
        report_uri=place(plan.runs, f"{root}/report/report.html") if stage == "train" else None,
    )
