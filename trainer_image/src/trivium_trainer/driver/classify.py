"""From an exception to a failure that the operator can decide on. Needs neither torch nor ray: names and texts decide.

Whether a failure ends the attempt is decided here too: what a rank can name would happen again at once, what a rank
merely suffered (a peer gone, a node lost) is worth another start.
"""

import errno
import re
import traceback
from collections.abc import Sequence

from trivium_trainer.failure import EXIT_CODES, Failure, FailureClass, TrainingError

RESTARTABLE = frozenset({FailureClass.INFRASTRUCTURE, FailureClass.PREEMPTED})

# What a rank sees when another rank or its node went away: gloo, NCCL and the store each have their own words
# (torch 2.13: ProcessGroupGloo, gloo/transport/tcp/pair.cc, TCPStore, ProcessGroupNCCL).
_PEER_LOST = re.compile(
    r"connection (closed|reset) by peer|connection was likely closed|broken pipe|connect\w* timed? ?out"
    r"|timed out waiting \d+ ?ms for (send|recv) operation|application timeout caused pair closure"
    r"|socket (closed|timeout)|failed to (send|recv)|wait timeout after \d+ms"
    r"|ncclremoteerror|ncclsystemerror|nccl communicator was aborted|watchdog caught collective operation timeout",
    re.IGNORECASE,
)
_PEER_LOST_TYPES = frozenset({"DistNetworkError", "DistStoreError", "DistBackendError"})
_OUT_OF_MEMORY = re.compile(r"out of memory|can't allocate memory|cannot allocate memory", re.IGNORECASE)
_OUT_OF_MEMORY_TYPES = frozenset({"OutOfMemoryError", "MemoryError"})
_DEVICE = re.compile(r"cuda error|cudnn_status_|cublas_status_|uncorrectable ecc|xid", re.IGNORECASE)
_LAST_FRAMES = 4


def classify(error: BaseException) -> TrainingError:
    """The failure behind an exception; a TrainingError anywhere in its chain of causes is believed."""
    for cause in _chain(error):
        if isinstance(cause, TrainingError):
            return cause
    named = (_out_of_memory(error) or _peer_lost(error) or _disk_full(error) or _device_lost(error)) or _internal(error)
    named.__cause__ = error
    return named


def ends_attempt(error: TrainingError) -> bool:
    """Whether another start on the same cluster is pointless."""
    return error.failure_class not in RESTARTABLE


def worker_died(ranks: list[int], detail: str) -> Failure:
    """Ranks whose processes vanished without a word: killed by the kernel, or with their node."""
    if _OUT_OF_MEMORY.search(detail) or "memory pressure" in detail.lower():
        return TrainingError(
            FailureClass.OUT_OF_MEMORY,
            "NodeOutOfMemory",
            f"{name_ranks(ranks)}: killed because the node ran out of memory.",
            remedy="Lower optimization.microBatchSize, or use a profile whose workers have more memory.",
        ).to_failure(rank=ranks[0])
    return TrainingError(
        FailureClass.INFRASTRUCTURE,
        "WorkerDied",
        f"{name_ranks(ranks)}: the process ended without a word: killed by the kernel, or gone with its node.",
        remedy="Training goes on from the newest checkpoint; if it recurs, look at the pod's events for OOMKilled.",
    ).to_failure(rank=ranks[0])


def budget_spent(failure: Failure, restarts: int) -> Failure:
    """The same failure, saying that this attempt may not start again."""
    text = f"{failure.message} No restart is left after {restarts} in this attempt."
    return failure.model_copy(update={"message": text, "exit_code": EXIT_CODES[failure.failure_class]})


def _chain(error: BaseException) -> list[BaseException]:
    """The exception, what Ray wrapped in it, and its explicit causes, outermost first."""
    found: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        current = waiting.pop(0)
        if current is None or current in found:
            continue
        found.append(current)
        # RayTaskError.cause, ControllerError.controller_failure, WorkerHealthCheckFailedError.health_check_failure
        wrapped = (getattr(current, name, None) for name in ("cause", "controller_failure", "health_check_failure"))
        waiting.extend(value for value in wrapped if isinstance(value, BaseException))
        waiting.append(current.__cause__)
    return found


def _out_of_memory(error: BaseException) -> TrainingError | None:
    names = {type(cause).__name__ for cause in _chain(error)}
    if not names & _OUT_OF_MEMORY_TYPES and not (isinstance(error, RuntimeError) and _OUT_OF_MEMORY.search(str(error))):
        return None
    return TrainingError(
        FailureClass.OUT_OF_MEMORY,
        "OutOfMemory",
        f"optimization.microBatchSize: a step did not fit into memory ({_first_line(error)}).",
        remedy="Lower microBatchSize or data.maxLength, turn on gradientCheckpointing, or raise zeroStage.",
    )


def _peer_lost(error: BaseException) -> TrainingError | None:
    if type(error).__name__ not in _PEER_LOST_TYPES and not (
        isinstance(error, RuntimeError | OSError) and _PEER_LOST.search(str(error))
    ):
        return None
    return TrainingError(
        FailureClass.INFRASTRUCTURE,
        "PeerLost",
        f"another rank or its node went away ({_first_line(error)}).",
        remedy="Training goes on from the newest checkpoint; the rank that was lost says why in its own log.",
    )


def _disk_full(error: BaseException) -> TrainingError | None:
    full = any(isinstance(c, OSError) and c.errno in (errno.ENOSPC, errno.EDQUOT) for c in _chain(error))
    if not full:
        return None
    return TrainingError(
        FailureClass.USER_ERROR,
        "DiskFull",
        f"storage.runs: the claim is full ({_first_line(error)}).",
        remedy="Enlarge the claim or lower storage.checkpoints.keep, then continue with storage.continueFrom.",
    )


def _device_lost(error: BaseException) -> TrainingError | None:
    if not (isinstance(error, RuntimeError) and _DEVICE.search(str(error))):
        return None
    return TrainingError(
        FailureClass.INFRASTRUCTURE,
        "DeviceFailed",
        f"the GPU or its driver failed ({_first_line(error)}).",
        remedy="Training goes on from the newest checkpoint; if it recurs on one node, have its GPU checked.",
    )


def _internal(error: BaseException) -> TrainingError:
    frames = traceback.extract_tb(error.__traceback__)[-_LAST_FRAMES:]
    where = " < ".join(f"{frame.name} ({_short(frame.filename)}:{frame.lineno})" for frame in reversed(frames))
    text = f"{type(error).__name__}: {_first_line(error)}" + (f" in {where}" if where else "")
    return TrainingError(
        FailureClass.INTERNAL,
        "UnexpectedError",
        f"{text}."[:1000],
        remedy="This is a bug of the trainer or of a library it uses: please report it with the log.",
    )


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__


def _short(filename: str) -> str:
    return "/".join(filename.rsplit("/", 2)[-2:])


def name_ranks(ranks: Sequence[int]) -> str:
    """`rank 3`, `ranks 0, 2`."""
    return f"rank {ranks[0]}" if len(ranks) == 1 else "ranks " + ", ".join(map(str, ranks))
