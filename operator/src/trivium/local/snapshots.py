"""The object store on disk: one JSON file an object, replaced whole, so that a kill at any moment loses nothing.

A file is written beside its name, flushed to the disk and renamed over it: a reader (or the next process) sees the
object before the change or after it, never between. Readers need no lock.
"""

import json
import os
from collections.abc import Iterable
from pathlib import Path

from trivium.local.object_store import Object
from trivium.ports import ObjectKey

_TEMPORARY = ".tmp"
_NO_NAMESPACE = "_cluster"  # no namespace's name holds an underscore
_REVISION = "revision"


class Snapshots:
    """A journal (object_store.Journal) in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load(self) -> tuple[Iterable[Object], int]:
        """Every object and the newest revision; leftovers of an interrupted write are removed.

        Raises ValueError if a file is not what this class wrote: the disk failed, or somebody edited it.
        """
        for leftover in self._folder.glob(f"**/*{_TEMPORARY}"):
            leftover.unlink(missing_ok=True)
        objects = read_objects(self._folder)
        newest = max((int(item["metadata"]["resourceVersion"]) for item in objects), default=0)
        return objects, max(newest, self._removed_revision())

    def write(self, key: ObjectKey, manifest: Object) -> None:
        """Durable when it returns."""
        replace_file(self._path(key), json.dumps(manifest, indent=1))

    def remove(self, key: ObjectKey, *, revision: int) -> None:
        """Durable when it returns. The revision goes first: reusing one would let a stale writer win."""
        replace_file(self._folder / _REVISION, str(revision))
        path = self._path(key)
        path.unlink(missing_ok=True)
        _sync_folder(path.parent)

    def _path(self, key: ObjectKey) -> Path:
        return self._folder / key.kind / (key.namespace or _NO_NAMESPACE) / f"{key.name}.json"

    def _removed_revision(self) -> int:
        try:
            return int((self._folder / _REVISION).read_text())
        except FileNotFoundError:
            return 0


def read_objects(folder: Path, kind: str = "*") -> list[Object]:
    """The objects of a kind as they are on disk now, for readers beside a running process."""
    objects: list[Object] = []
    for path in sorted(folder.glob(f"{kind}/*/*.json")):
        try:
            objects.append(json.loads(path.read_text()))
        except FileNotFoundError:
            continue  # deleted since the listing
        except ValueError as error:
            raise ValueError(f"{path}: not a JSON object. Restore it, or remove it to forget that object.") from error
    return objects


def replace_file(path: Path, text: str) -> None:
    """Write a file so that every reader, also after a power cut, sees the old content or the new."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + _TEMPORARY)
    with temporary.open("w") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
