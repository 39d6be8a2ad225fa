"""What the store keeps of a manifest, and what others see of it."""

import sys
from collections.abc import Iterable, Mapping
from typing import Any

from trivium.domain.workload import project_workload
from trivium.ports import Manifest
from trivium.store.manifest import FINAL_CONDITIONS


def project(manifest: Manifest) -> Manifest:
    """A private copy without what no pass reads: of a RayJob's spec all but its suspension, what is immutable."""
    if manifest["kind"] == "Workload":
        return {**_copy(project_workload(manifest)), "metadata": _project_metadata(manifest)}
    left_out = {"spec"} if manifest["kind"] == "RayJob" else {"data"} if manifest.get("immutable") else frozenset[str]()
    kept = {part: _copy(value) for part, value in manifest.items() if part not in left_out | {"metadata"}}
    if manifest["kind"] == "RayJob":
        kept["spec"] = {"suspend": (manifest.get("spec") or {}).get("suspend", False)}
    return {**kept, "metadata": _project_metadata(manifest)}


def _project_metadata(manifest: Manifest) -> Manifest:
    return {k: _copy(v) for k, v in manifest["metadata"].items() if k != "managedFields"}


def says_nothing_new(old: Manifest | None, new: Manifest | None) -> bool:
    """Whether two projections differ in nothing but their versions."""
    if old is None or new is None:
        return False
    parts = {*old, *new} - {"metadata"}
    was, now = old["metadata"], new["metadata"]
    same = all(was.get(k) == now.get(k) for k in {*was, *now} - {"resourceVersion", "generation"})
    return same and all(old.get(part) == new.get(part) for part in parts)


def _copy(value: Any) -> Any:
    """Of a JSON tree, with one string for each name of a field: ten thousand jobs have the same ones.

    copy.deepcopy looks for cycles and classes, and is ten times slower.
    """
    if isinstance(value, Mapping):
        return {sys.intern(key): _copy(item) for key, item in value.items()}
    return [_copy(item) for item in value] if isinstance(value, list) else value


def upstream_view(job: Manifest | None) -> Any:
    """What a dependent sees of a job; anything else is none of its business."""
    if job is None:
        return None
    metadata, status = job["metadata"], job.get("status") or {}
    final: Iterable[Any] = ((c.get("type"), c.get("status")) for c in status.get("conditions") or ())
    return (
        metadata.get("uid"),
        bool(metadata.get("deletionTimestamp")),
        sorted(pair for pair in final if pair[0] in FINAL_CONDITIONS),
        status.get("output"),
    )
