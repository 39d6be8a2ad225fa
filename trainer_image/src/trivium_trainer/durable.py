"""Files that must be whole or absent after a power cut, on a POSIX mount that several pods share."""

import json
import os
from pathlib import Path
from typing import Any


def write_durably(path: Path, content: bytes) -> None:
    """Replace `path` atomically; on return the content is on the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _write_temporary(path, content).replace(path)
    sync(path.parent)


def write_json(path: Path, value: dict[str, Any]) -> None:
    """The same with a JSON object."""
    write_durably(path, json.dumps(value, indent=1).encode())


def create_json(path: Path, value: dict[str, Any]) -> bool:
    """Write `path` if it does not exist; the first of several writers wins. Returns whether it was this one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _write_temporary(path, json.dumps(value, indent=1).encode())
    try:
        # link(2) fails on an existing name and is atomic on NFS too, where O_EXCL would leave a half-written file
        # for a reader to find.
        path.hardlink_to(temporary)
    except FileExistsError:
        return False
    finally:
        temporary.unlink()
    sync(path.parent)
    return True


def read_json(path: Path) -> dict[str, Any] | None:
    """The object in `path`; None if there is no such file. Raises ValueError on anything but a JSON object."""
    try:
        value = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    if not isinstance(value, dict):
        raise ValueError(f"{path}: not a JSON object")  # noqa: TRY004  one error for every damaged file
    return value


def cut_torn_line(path: Path) -> None:
    """Drop what a killed writer left after the last newline of a file of lines."""
    try:
        with path.open("r+b") as file:
            content = file.read()
            whole = content.rfind(b"\n") + 1
            if whole != len(content):
                file.truncate(whole)
    except FileNotFoundError:
        return


def append_line(path: Path, value: dict[str, Any]) -> None:
    """Append one JSON object as a line; on return it is on the disk. One writer at a time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(json.dumps(value, separators=(",", ":")) + "\n")
        file.flush()
        os.fsync(file.fileno())


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The whole lines of a file of JSON objects; a torn last line is left out."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    return [json.loads(line) for line in content[: content.rfind(b"\n") + 1].splitlines()]


def sync(path: Path) -> None:
    """Flush a file or a folder to the disk, so that a later write cannot be seen without this one."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_temporary(path: Path, content: bytes) -> Path:
    # The process id keeps two ranks on one host apart, the host's name two pods.
    temporary = path.with_name(f".{path.name}.{os.uname().nodename}.{os.getpid()}")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return temporary
