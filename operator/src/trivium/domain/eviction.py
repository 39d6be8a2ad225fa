"""Why Kueue took the quota back, as a failure class: what the platform wanted is free, what broke is not.

Kueue, 0.15 on, writes Evicted=True with one of these reasons. When it gives a Workload up for good the reason is
`DeactivatedDueTo<cause>`, and the Workload is never admitted again. Source: pkg/workload/workload.go (Evict).
"""

from collections.abc import Mapping
from types import MappingProxyType

from trivium.api.failure_classes import FailureClass
from trivium.domain.workload import WorkloadSeen

_GIVEN_UP = "DeactivatedDueTo"
CLASSES: Mapping[str, FailureClass] = MappingProxyType(
    {
        "Preempted": FailureClass.PREEMPTED,
        "ClusterQueueStopped": FailureClass.PREEMPTED,
        "LocalQueueStopped": FailureClass.PREEMPTED,
        "FlavorMigration": FailureClass.PREEMPTED,
        "Deactivated": FailureClass.PREEMPTED,
        "NodeFailures": FailureClass.INFRASTRUCTURE,
        "PodsReadyTimeout": FailureClass.INFRASTRUCTURE,
        "AdmissionCheck": FailureClass.INFRASTRUCTURE,
        "MaximumExecutionTimeExceeded": FailureClass.DEADLINE,
    }
)
"""By the reason of Evicted; a word that this version does not know is a platform that wanted its quota."""
CAUSES: Mapping[str, FailureClass] = MappingProxyType(
    {
        "RequeuingLimitExceeded": FailureClass.INFRASTRUCTURE,
        "AdmissionCheck": FailureClass.INFRASTRUCTURE,
        "MaximumExecutionTimeExceeded": FailureClass.DEADLINE,
    }
)
"""By what Kueue gave a Workload up for; a word that this version does not know costs a restart, so that it ends."""


def class_of_eviction(workload: WorkloadSeen) -> FailureClass | None:
    """Whose doing it is that a Workload has lost its quota; None if it has not."""
    if workload.evicted is None:
        return None
    cause = given_up_for(workload)
    if cause is not None:
        return CAUSES.get(cause, FailureClass.INFRASTRUCTURE)
    return CLASSES.get(workload.evicted.reason, FailureClass.PREEMPTED)


def given_up_for(workload: WorkloadSeen) -> str | None:
    """Why Kueue has given a Workload up for good; None if it has not. What a person deactivated waits for a person."""
    if workload.evicted is None:
        return None
    if workload.evicted.reason.startswith(_GIVEN_UP):
        return workload.evicted.reason.removeprefix(_GIVEN_UP)
    # Kueue does not say it anew where the quota was taken for another reason in the same moment.
    return workload.deactivation.reason if workload.deactivation is not None and not workload.active else None
