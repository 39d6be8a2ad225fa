"""Which jobs can still get anywhere by themselves. Pure.

In a cluster a job waits for as long as it takes: somebody may create its upstream or change its spec. A run on one
machine ends instead, when nothing that it was asked for can move any more.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from trivium.ports import Manifest

_FINAL = {"Succeeded", "Failed"}
_Name = tuple[str, str, str]


def movable_uids(jobs: Sequence[Manifest]) -> frozenset[str]:
    """The uids of the jobs that run, are about to, or wait for one that does."""
    by_name = {_name(job): job for job in jobs}
    return frozenset(job["metadata"]["uid"] for job in jobs if _can_move(job, by_name, frozenset()))


def root_of(job: Manifest, jobs: Sequence[Manifest]) -> Manifest:
    """The job whose state decides when this one goes on: itself, or the end of the chain that it waits for."""
    by_name = {_name(one): one for one in jobs}
    seen: set[_Name] = set()
    while (job.get("status") or {}).get("phase") == "Waiting" and _name(job) not in seen:
        seen.add(_name(job))
        job = by_name.get(_upstream_name(job), job)
    return job


def _can_move(job: Manifest, by_name: Mapping[_Name, Manifest], seen: frozenset[_Name]) -> bool:
    status: Mapping[str, Any] = job.get("status") or {}
    if status.get("observedGeneration", 0) < job["metadata"].get("generation", 0):
        return status.get("phase") not in _FINAL  # what else status says was concluded from an older spec
    match status.get("phase"):
        case "Succeeded" | "Failed":
            return False
        case "Suspended":
            return not (job["spec"].get("runPolicy") or {}).get("suspend")
        case "Waiting":
            return _upstream_can_move(job, by_name, seen)
        case "Pending":
            return not _is_false(status, "Accepted") and not _is_false(status, "Planned")
        case _:
            return True


def _upstream_can_move(job: Manifest, by_name: Mapping[_Name, Manifest], seen: frozenset[_Name]) -> bool:
    upstream = by_name.get(_upstream_name(job))
    if upstream is None or _name(job) in seen:  # a circle of jobs waits for ever
        return False
    reason = next((c["reason"] for c in job["status"].get("conditions") or () if c["type"] == "UpstreamReady"), None)
    if reason != "UpstreamNotFinished":
        return False
    has_just_succeeded = (upstream.get("status") or {}).get("phase") == "Succeeded"
    return has_just_succeeded or _can_move(upstream, by_name, seen | {_name(job)})


def _is_false(status: Mapping[str, Any], condition_type: str) -> bool:
    return any(c["type"] == condition_type and c["status"] == "False" for c in status.get("conditions") or ())


def _name(job: Manifest) -> _Name:
    return job["kind"], job["metadata"]["namespace"], job["metadata"]["name"]


def _upstream_name(job: Manifest) -> _Name:
    reference = (job["spec"]["model"].get("from") or {}).get("job") or {}
    return reference.get("kind", ""), job["metadata"]["namespace"], reference.get("name", "")
