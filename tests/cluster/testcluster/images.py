"""Container images without a registry: tars that `ctr` imports, kept between runs under the digest of what is inside.

An image from one static program is a layer with that file. The image for Python programs is a minimal Debian.
"""

import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from testcluster.programs import MissingToolError, cache_folder, go

PAUSE_SOURCE = Path(__file__).parents[1] / "pause" / "pause.go"
PAUSE = "test/pause:1"
DEBIAN = "test/debian:1"
PYTHON_BASE = "test/python:1"
USER = "65532:65532"
"""Pods that must not run as root are refused when the image names no user."""
PYTHON_VERSION = (3, 11)
"""Of the Debian below; packages with compiled parts are used across machines of the same version."""
ENVIRONMENT_FOLDER = "/opt/environment"
"""Where containers of the runtime class `environment` see the Python packages of whoever runs the cluster."""
TRAINER_FOLDER = "/opt/trainer"
"""Where they see the sources of the trainer in this checkout."""

_DEBIAN = ("bookworm", "python3,python3-pip,python3-venv,procps,ca-certificates")
# The shebang of a virtual environment's own `ray` names an interpreter of this machine.
_RAY = '#!/usr/bin/python3\nimport sys\nfrom ray.scripts.scripts import main\nsys.argv[0] = "ray"\nsys.exit(main())\n'


def pause_image() -> Path:
    """The tar of the image that every pod's sandbox runs."""
    source = PAUSE_SOURCE.read_bytes()
    program = images_folder() / f"pause-{_digest(source)}"
    if not program.exists():
        with _unfinished(program) as path:
            command = [go(), "build", "-trimpath", "-ldflags=-s -w", "-o", str(path), str(PAUSE_SOURCE)]
            subprocess.run(command, check=True, env={**os.environ, "CGO_ENABLED": "0", "GO111MODULE": "off"})
    return program_image(PAUSE, program, path="/pause", entrypoint=["/pause"])


def program_image(name: str, program: Path, *, path: str, entrypoint: list[str]) -> Path:
    """The tar of an image that holds one static program at `path`. The program's file name tells its contents."""
    target = images_folder() / f"{_digest(f'{name} {program.name} {path} {entrypoint}'.encode())}.tar"
    if not target.exists():
        layer = io.BytesIO()
        with tarfile.open(fileobj=layer, mode="w") as tar:
            _add_folder(tar, "tmp", mode=0o1777)
            tar.add(program, arcname=path.lstrip("/"), filter=_owned_by_root)
        _write_image(target, name, layer.getvalue(), {"Entrypoint": entrypoint, "User": USER})
    return target


def debian_image() -> Path:
    """The tar of a minimal Debian with Python 3.11 and pip, for root: a base to build on. Raises MissingToolError."""
    target = images_folder() / f"debian-{_digest(repr(_DEBIAN).encode())}.tar"
    if not target.exists():
        with tempfile.TemporaryDirectory(dir=images_folder()) as folder:
            layer = Path(folder) / "layer.tar"
            _debian(layer)
            _write_image(target, DEBIAN, layer.read_bytes(), {})
    return target


def python_image() -> Path:
    """The tar of that Debian whose Python also finds what the runtime class `environment` shows it; it has `ray`.

    Raises MissingToolError.
    """
    base = debian_image()
    variables = _variables()
    target = images_folder() / f"python-{_digest(repr((base.name, _RAY, variables)).encode())}.tar"
    if not target.exists():
        with tempfile.TemporaryDirectory(dir=images_folder()) as folder:
            layer = Path(folder) / "layer.tar"
            with tarfile.open(base) as image:
                image.extract("layer.tar", folder, filter="data")
            with tarfile.open(layer, "a") as tar:
                _add_file(tar, "usr/local/bin/ray", _RAY)
                tar.addfile(_link("usr/local/bin/python", "/usr/bin/python3"))
            config = {"Env": [f"{key}={value}" for key, value in variables.items()], "User": USER}
            _write_image(target, PYTHON_BASE, layer.read_bytes(), config)
    return target


def images_folder() -> Path:
    """The cache of images."""
    folder = cache_folder() / "images"
    folder.mkdir(exist_ok=True)
    return folder


def _variables() -> Mapping[str, str]:
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
        "PYTHONPATH": f"{TRAINER_FOLDER}:{ENVIRONMENT_FOLDER}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": "/tmp",
    }


def _debian(layer: Path) -> None:
    suite, packages = _DEBIAN
    if shutil.which("mmdebstrap") is None:
        raise MissingToolError("mmdebstrap is missing: install it (Debian: apt-get install mmdebstrap).")
    subprocess.run(
        ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={packages}", "--format=tar", suite, str(layer)],
        check=True,
    )


def _write_image(target: Path, name: str, layer: bytes, settings: Mapping[str, Any]) -> None:
    """An image of one layer, as `docker save` writes it."""
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": settings,
        "history": [{"created_by": "testcluster"}],  # buildah counts them
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }
    manifest = [{"Config": "config.json", "RepoTags": [f"docker.io/{name}"], "Layers": ["layer.tar"]}]
    with _unfinished(target) as path, tarfile.open(path, "w") as tar:
        for file, content in (("manifest.json", json.dumps(manifest)), ("config.json", json.dumps(config))):
            _add_file(tar, file, content, mode=0o644)
        info = tarfile.TarInfo("layer.tar")
        info.size = len(layer)
        tar.addfile(info, io.BytesIO(layer))


@contextmanager
def _unfinished(target: Path) -> Iterator[Path]:
    """A file that gets its name only when it is whole: two runs at once, or one that ends, leave no half of it."""
    path = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        yield path
        path.rename(target)
    finally:
        path.unlink(missing_ok=True)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _owned_by_root(info: tarfile.TarInfo) -> tarfile.TarInfo:
    info.uid = info.gid = info.mtime = 0
    info.mode = 0o755
    return info


def _add_folder(tar: tarfile.TarFile, name: str, *, mode: int) -> None:
    info = tarfile.TarInfo(name)
    info.type, info.mode = tarfile.DIRTYPE, mode
    tar.addfile(info)


def _add_file(tar: tarfile.TarFile, name: str, content: str, *, mode: int = 0o755) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(content.encode()), mode
    tar.addfile(info, io.BytesIO(content.encode()))


def _link(name: str, target: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = tarfile.SYMTYPE, target
    return info
