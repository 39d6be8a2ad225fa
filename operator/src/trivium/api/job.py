"""The root that the three jobs share: status and printer columns."""

from typing import ClassVar

from trivium.api.job_spec import JobSpec
from trivium.api.resource import PrinterColumn, Resource
from trivium.api.status import JobStatus


class JobResource(Resource):
    """A job of any of the three kinds."""

    COLUMNS: ClassVar[tuple[PrinterColumn, ...]] = (
        PrinterColumn(name="Phase", json_path=".status.phase", description="Where the job is"),
        PrinterColumn(name="Stage", json_path=".status.stage", description="The current stage"),
        PrinterColumn(
            name="Step", json_path=".status.progress.step", type="integer", description="Optimizer steps done"
        ),
        PrinterColumn(name="Loss", json_path=".status.progress.loss", type="number", description="Training loss"),
        PrinterColumn(
            name="Tokens/s",
            json_path=".status.progress.tokensPerSecond",
            type="number",
            description="Trained tokens per second",
        ),
        PrinterColumn(name="ETA", json_path=".status.progress.eta", description="Time left"),
        PrinterColumn(name="Restarts", json_path=".status.restarts", type="integer", description="Restarts so far"),
        PrinterColumn(
            name="Age", json_path=".metadata.creationTimestamp", type="date", description="Time since the creation"
        ),
        PrinterColumn(
            name="Workers", json_path=".status.plan.workers", type="integer", description="Worker pods", wide=True
        ),
        PrinterColumn(name="GPUs", json_path=".status.plan.gpus", type="integer", description="GPUs held", wide=True),
        PrinterColumn(
            name="Goodput",
            json_path=".status.goodput",
            type="number",
            description="Productive part of the time that GPUs were held",
            wide=True,
        ),
        PrinterColumn(name="Queue", json_path=".status.queue", description="Kueue LocalQueue", wide=True),
        PrinterColumn(name="Output", json_path=".status.output.uri", description="Where the model lies", wide=True),
    )

    spec: JobSpec
    status: JobStatus | None = None
    """What the operator knows; written by it alone."""
