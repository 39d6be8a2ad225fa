"""The lines that a growing file has won since the last look."""

from pathlib import Path


class LogTail:
    """Reads whole lines; the last, unfinished one waits for its end."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rest = b""
        self._offset = 0

    def read(self) -> list[str]:
        """New lines without their ends; [] while the file is not there."""
        try:
            with self._path.open("rb") as stream:
                stream.seek(self._offset)
                data = stream.read()
        except FileNotFoundError:
            return []
        self._offset += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [line.decode(errors="replace").rstrip("\r") for line in lines]

    def rest(self) -> list[str]:
        """What is left of a file that will not grow any more."""
        lines = self.read()
        if self._rest:
            lines.append(self._rest.decode(errors="replace"))
            self._rest = b""
        return lines
