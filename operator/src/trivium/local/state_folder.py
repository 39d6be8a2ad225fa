"""The state folder (`.trivium/`): where everything of an embedded cluster lies, and who may change it.

<state>/lock                                     held by the one process that acts
<state>/objects/<kind>/<namespace>/<name>.json   the API server's objects (snapshots.py)
<state>/trivium.log                              what the parts of this process log: for developers
<state>/events.jsonl                             what `kubectl get events` would show
<state>/claims/<namespace>/<claim>/              persistent volume claims: folders, or links to folders
<state>/secrets/<namespace>/<secret>/<key>       Secrets that jobs name in spec.credentials
<state>/attempts/<namespace>/<rayjob>/           mounts, token and log of one attempt (runner.py)
<state>/requests/                                orders from other terminals (requests.py)
"""

import fcntl
import os
import struct
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self


@dataclass(frozen=True, slots=True)
class StateFolder:
    """Names below one state folder; nothing here is created before it is needed."""

    root: Path

    @property
    def lock_file(self) -> Path:
        return self.root / "lock"

    @property
    def objects(self) -> Path:
        return self.root / "objects"

    @property
    def events(self) -> Path:
        return self.root / "events.jsonl"

    @property
    def log(self) -> Path:
        return self.root / "trivium.log"

    @property
    def requests(self) -> Path:
        return self.root / "requests"

    def claim(self, namespace: str, name: str) -> Path:
        """The folder that stands for a PersistentVolumeClaim."""
        return self.root / "claims" / namespace / name

    def secret(self, namespace: str, name: str) -> Path:
        """The folder that stands for a Secret: one file a key."""
        return self.root / "secrets" / namespace / name

    def attempt(self, namespace: str, rayjob: str) -> Path:
        """Everything that one RayJob leaves on this machine, its runs claim aside."""
        return self.root / "attempts" / namespace / rayjob


# struct flock of Linux on 64 bits: type, whence, start, length, pid. Length 0 = the whole file.
_FLOCK = "hhqqi4x"


class StateLockedError(Exception):
    """Another process acts on this state folder."""

    def __init__(self, pid: int | None) -> None:
        super().__init__(f"another trivium process{f' ({pid})' if pid else ''} is at work on this state folder")
        self.pid = pid


class StateLock:
    """The right to change a state folder. The kernel drops it with the process, however that ends."""

    def __init__(self, folder: StateFolder) -> None:
        self._path = folder.lock_file
        self._descriptor: int | None = None

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.release()

    def acquire(self) -> None:
        """Take the lock now. Raises StateLockedError."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _whole_file(fcntl.F_WRLCK))
        except BlockingIOError:
            os.close(descriptor)
            raise StateLockedError(lock_holder(self._path)) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        """Let go; the file stays, because unlinking it would let two processes lock two files of one name."""
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None


def lock_holder(path: Path) -> int | None:
    """Process id of the lock's holder as it wrote it; None if nobody holds the lock (or wrote no id yet).

    Asks without taking: a reader that took a shared lock for a moment would make a starting process believe it is late.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        answer = fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, _whole_file(fcntl.F_WRLCK))
        if struct.unpack(_FLOCK, answer)[0] == fcntl.F_UNLCK:
            return None
        text = os.pread(descriptor, 32, 0).strip()
        return int(text) if text.isdigit() else None
    finally:
        os.close(descriptor)


def _whole_file(kind: int) -> bytes:
    return struct.pack(_FLOCK, kind, os.SEEK_SET, 0, 0, 0)
