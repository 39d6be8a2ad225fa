"""`api_server`: the verdicts of the API server's own code, by a small Go program that is built once and kept.

The binary lies outside the checkout, under a name made of its sources, so a fresh clone on the same machine has it.
"""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from trivium.api.generate.crd import crd
from trivium.api.generate.files import KINDS

SOURCES = [Path(__file__).parent / name for name in ("main.go", "go.mod", "go.sum")]
CRDS = [crd(kind) for kind in KINDS]


def _go() -> str:
    found = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
    assert found, "the Go toolchain is needed: install it from your distribution, or put `go` on the PATH"
    return found


@pytest.fixture(scope="session")
def crdcheck() -> Path:
    """The program; two to four minutes when it must be built."""
    digest = hashlib.sha256(b"\0".join(source.read_bytes() for source in SOURCES)).hexdigest()[:16]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "trivium" / "bin"
    cache.mkdir(parents=True, exist_ok=True)
    program = cache / f"crdcheck-{digest}"
    with (cache / "crdcheck.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two test runs at once build it once
        if not program.exists():
            unfinished = program.with_suffix(".unfinished")
            subprocess.run(
                [_go(), "build", "-trimpath", "-mod=readonly", "-buildvcs=false", "-o", str(unfinished), "."],
                cwd=SOURCES[0].parent,
                check=True,
            )
            unfinished.rename(program)
    return program


class ApiServer:
    """Asks the program; each method is one call of it."""

    def __init__(self, program: Path) -> None:
        self._program = program

    def _ask(self, crds: list[dict[str, Any]], cases: list[dict[str, Any]]) -> dict[str, Any]:
        asked = json.dumps({"crds": crds, "cases": cases})
        done = subprocess.run([str(self._program)], input=asked, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def judge_crds(self, crds: list[dict[str, Any]]) -> list[list[dict[str, str]]]:
        return [verdict["problems"] for verdict in self._ask(crds, [])["crds"]]

    def judge(self, objects: list[dict[str, Any]], *, old: list[dict[str, Any]] | None = None) -> list[dict[str, Any]]:
        """{"problems": [{type, field, detail}], "object": the object with its defaults}, in the objects' order."""
        names = {c["spec"]["names"]["kind"]: c["metadata"]["name"] for c in CRDS}
        cases = [
            {"crd": names[made["kind"]], "object": made} | ({"old": old[index]} if old else {})
            for index, made in enumerate(objects)
        ]
        verdicts = self._ask(CRDS, cases)["cases"]
        assert len(verdicts) == len(objects)
        return verdicts


@pytest.fixture(scope="session")
def api_server(crdcheck: Path) -> ApiServer:
    return ApiServer(crdcheck)
