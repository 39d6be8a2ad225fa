"""The Ray cluster of an attempt: the pod's, or one of this machine's own."""

import json
import logging
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from trivium_trainer.failure import FailureClass, TrainingError

LOCAL_SETTINGS_VARIABLE = "TRIVIUM_LOCAL_RAY"
"""JSON of keyword arguments for ray.init; read only where Ray is started on this machine."""

TOO_SLOW = "timed out during startup"
"""Of the bare Exception that Ray 2.60 raises where its processes need more than 30 s, a constant of its node.py."""

log = logging.getLogger(__name__)


def set_cluster_defaults() -> None:
    """Settings of a cluster of this machine's own. Call before ray is imported: it reads its token then."""
    if os.environ.get("RAY_ADDRESS", "local") != "local":
        return
    # An idle Python process for each core (a second each), which no worker of ours can use: ours have settings of
    # their own.
    os.environ.setdefault("RAY_prestart_worker_first_driver", "0")
    # A process that watches for drained nodes; this machine is the only node.
    os.environ.setdefault("RAY_TRAIN_ENABLE_PREEMPTION_WATCHER", "0")
    # Else Ray makes a token of its own and keeps it in the home directory.
    os.environ.setdefault("RAY_AUTH_MODE", "token")
    os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))


@contextmanager
def ray_cluster() -> Iterator[None]:
    """Connect to the cluster of RAY_ADDRESS, or start one where that is absent or `local`; always disconnect.

    Raises TrainingError (Infrastructure) where there is no cluster to be had.
    """
    set_cluster_defaults()
    import ray  # noqa: PLC0415  a stage without Ray does not wait for the import

    address = os.environ.get("RAY_ADDRESS", "local")
    settings = json.loads(os.environ.get(LOCAL_SETTINGS_VARIABLE, "{}")) if address == "local" else {}
    began = time.monotonic()

    def start() -> None:
        ray.init(address=address, logging_level=logging.ERROR, log_to_driver=True, **settings)

    start_ray(start, address=address)
    log.info("Ray ready in %.1f s", time.monotonic() - began)
    try:
        yield
    finally:
        ray.shutdown()


def start_ray(start: Callable[[], None], *, address: str) -> None:
    """Call `start`; once more where Ray's own processes needed longer than Ray allows them on this machine.

    Raises TrainingError (Infrastructure).
    """
    for attempts_left in (1, 0):
        try:
            start()
        except Exception as error:
            if attempts_left and address == "local" and TOO_SLOW in str(error):
                log.warning("Ray's processes did not come up in time; starting them once more")
                continue
            raise TrainingError(
                FailureClass.INFRASTRUCTURE,
                "RayUnavailable",
                f"no Ray cluster at {address}: {str(error).splitlines()[0].strip()}"[:500],
                remedy="Look at the head pod's log; a new attempt starts a new cluster.",
            ) from error
        return


def require_local_capacity(*, ranks: int, cpus_per_rank: float, gpus: int) -> None:
    """Refuse at once what this machine can never start; in a cluster, capacity may still come."""
    import ray  # noqa: PLC0415  as above

    if os.environ.get("RAY_ADDRESS", "local") != "local":
        return
    have = ray.cluster_resources()
    for name, needed in (("CPU", ranks * cpus_per_rank), ("GPU", float(gpus))):
        if needed > have.get(name, 0):
            raise TrainingError(
                FailureClass.USER_ERROR,
                "MachineTooSmall",
                f"compute.workers: {ranks} ranks need {needed:g} {name}, this machine offers {have.get(name, 0):g}.",
                remedy="Lower compute.workers or gpusPerWorker.",
            )
