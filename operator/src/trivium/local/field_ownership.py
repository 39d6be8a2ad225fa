"""Server-side apply without a schema: who owns which field, and what an apply of one manager changes.

Ownership is kept as the API server keeps it, in `metadata.managedFields` with `fieldsV1` trees (`f:name` keys). Without
a schema every list is atomic, as it is for a custom resource that declares no list type; the trainer's kinds declare
none in spec. Applies are forced, as the operator's are: the last one who says a field owns it.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Path = tuple[str, ...]
Fields = dict[str, Any]

# Who these are is said by the object's address, or only the server writes them.
_IDENTITY: frozenset[Path] = frozenset(
    {("apiVersion",), ("kind",), ("status",), *(("metadata", field) for field in ("name", "namespace", "uid"))}
    | {("metadata", field) for field in ("resourceVersion", "generation", "creationTimestamp", "managedFields")}
)


def merge_apply(live: Mapping[str, Any], applied: Mapping[str, Any], *, manager: str) -> dict[str, Any]:
    """The live object after `manager` applied a manifest; neither argument is changed.

    Fields that this manager applied before and now leaves out go, unless another manager also said them.
    """
    wanted = dict(_leaves(applied))
    owners = {entry["manager"]: set(_paths(entry["fieldsV1"])) for entry in managed_fields(live)}
    mine_before = owners.pop(manager, set())
    result: dict[str, Any] = _copy(live)
    for path in mine_before - wanted.keys():
        if not any(path in theirs for theirs in owners.values()):
            _remove(result, path)
    for path, value in wanted.items():
        old = _get(live, path)
        if old != value and not (value == {} and isinstance(old, Mapping)):  # an empty map takes nothing from anybody
            for theirs in owners.values():
                theirs -= {other for other in theirs if other[: len(path)] == path or path[: len(other)] == other}
        _set(result, path, value)
    owners[manager] = set(wanted)
    _write_managed_fields(result, owners)
    return result


def managed_fields(manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The object's ownership entries; [] if nobody ever applied it."""
    return list(manifest.get("metadata", {}).get("managedFields", []))


def _write_managed_fields(manifest: dict[str, Any], owners: Mapping[str, set[Path]]) -> None:
    entries = [
        {"manager": manager, "operation": "Apply", "fieldsType": "FieldsV1", "fieldsV1": _tree(paths)}
        for manager, paths in sorted(owners.items())
        if paths
    ]
    manifest["metadata"]["managedFields"] = entries


def _leaves(value: Mapping[str, Any], prefix: Path = ()) -> Iterator[tuple[Path, Any]]:
    for key, child in value.items():
        path = (*prefix, key)
        if path in _IDENTITY:
            continue
        if isinstance(child, Mapping) and child:
            yield from _leaves(child, path)
        else:
            yield path, child


def _tree(paths: Iterable[Path]) -> Fields:
    root: Fields = {}
    for path in sorted(paths):
        node = root
        for key in path:
            node = node.setdefault(f"f:{key}", {})
    return root


def _paths(tree: Fields, prefix: Path = ()) -> Iterator[Path]:
    for key, child in tree.items():
        path = (*prefix, key.removeprefix("f:"))
        if child:
            yield from _paths(child, path)
        else:
            yield path


def _get(manifest: Mapping[str, Any], path: Path) -> Any:
    node: Any = manifest
    for key in path:
        if not isinstance(node, Mapping) or key not in node:
            return None
        node = node[key]
    return node


def _set(manifest: dict[str, Any], path: Path, value: Any) -> None:
    node = manifest
    for key in path[:-1]:
        child = node.get(key)
        if not isinstance(child, dict):
            child = node[key] = {}
        node = child
    if isinstance(value, Mapping) and isinstance(node.get(path[-1]), dict):
        return  # an empty map asks that the map is there; what others keep in it stays
    node[path[-1]] = value


def _remove(manifest: dict[str, Any], path: Path) -> None:
    """Take a field out, and the maps that it leaves empty."""
    parents: list[dict[str, Any]] = [manifest]
    for key in path[:-1]:
        child = parents[-1].get(key)
        if not isinstance(child, dict):
            return
        parents.append(child)
    parents[-1].pop(path[-1], None)
    for parent, key in zip(reversed(parents[:-1]), reversed(path[:-1]), strict=True):
        if parent[key] or parent is manifest:
            return
        del parent[key]


def _copy(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _copy(child) for key, child in value.items()}
    if isinstance(value, list | tuple):
        return [_copy(child) for child in value]
    return value
