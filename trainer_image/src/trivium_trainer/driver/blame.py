"""One failure for a start that ended: whose error explains the others. Pure; names decide, Ray is not imported.

What can be told of a lost node, and what cannot (Ray 2.60):

    told as a preemption    a drain that Ray was told of (reason preemption, by an autoscaler, `ray drain-node` or the
                            pod's own hook), seen before the ranks died; a rank that died on a node so drained
    told as a failure       a pod or node that went without a drain: a spot machine reclaimed without notice, an
                            eviction by the kubelet, a broken node. From inside the cluster they look alike; the
                            operator knows more, from the pod's end
    not seen at all         a cluster that is deleted with its head: nobody is left to judge
"""

from collections.abc import Mapping, Sequence

from trivium_trainer.driver.classify import classify, ends_attempt, name_ranks, worker_died
from trivium_trainer.failure import Failure, FailureClass, TrainingError


def blame(worker_errors: Mapping[int, Exception], *, announced: Sequence[int] | None) -> Failure:
    """Who knows the cause goes before a lost node, that before who died, and all before who merely lost a peer.

    `announced`: the ranks on nodes that a drain was announced for; None: no drain.
    """
    named = {rank: error for rank, error in worker_errors.items() if isinstance(error, TrainingError)}
    for rank, cause in sorted(named.items()):
        if ends_attempt(cause):
            return cause.to_failure(rank=rank)
    dead = {rank: error for rank, error in worker_errors.items() if rank not in named}
    reclaimed = sorted(rank for rank, error in dead.items() if _is_reclaimed(error))
    if announced is not None or reclaimed:
        return preemption(sorted(announced or reclaimed))
    if not dead:
        rank, cause = min(named.items())
        return cause.to_failure(rank=rank)
    if all(type(error).__name__ == "WorkerHealthCheckFailedError" for error in dead.values()):
        return worker_died(sorted(dead), " ".join(map(str, dead.values())))
    rank, error = min(dead.items())
    return classify(error).to_failure(rank=rank)


def is_final(worker_errors: Mapping[int, Exception]) -> bool:
    """Whether a rank says that another start is pointless; one that does not share our storage can leave no record."""
    return any(isinstance(error, TrainingError) and ends_attempt(error) for error in worker_errors.values())


def preemption(ranks: Sequence[int]) -> Failure:
    """A node that was taken away with these ranks."""
    return TrainingError(
        FailureClass.PREEMPTED,
        "NodeReclaimed",
        f"{name_ranks(ranks)}: the node was drained and reclaimed.",
        remedy="Training goes on from the newest checkpoint; this costs no restart of recovery.maxRestarts.",
    ).to_failure(rank=ranks[0])


def _is_reclaimed(error: Exception) -> bool:
    # RayActorError.preempted, inside WorkerHealthCheckFailedError
    return bool(getattr(getattr(error, "health_check_failure", error), "preempted", False))
