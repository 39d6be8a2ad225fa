"""The operator's image, built from the project's own Dockerfile by buildah: no Docker, no registry of images.

Packages come from the index that this machine's pip uses; the certificates that it trusts are lent to the build.
"""

import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from testcluster.images import DEBIAN, debian_image, images_folder
from testcluster.programs import MissingToolError, cache_folder

REPOSITORY = Path(__file__).parents[3]
OPERATOR = "trivium/operator:test"
CERTIFICATES = Path("/etc/ssl/certs")

_SECRETS = {
    "pip.conf": f"[global]\ncert = {CERTIFICATES}/ca-certificates.crt\n",
    "uv.toml": "native-tls = true\n",
}


def operator_image() -> Path:
    """The tar of the image of this checkout; built again only when a file that goes into it changes.

    Raises MissingToolError, subprocess.CalledProcessError.
    """
    target = images_folder() / f"operator-{_digest()}.tar"
    if not target.exists():
        if shutil.which("buildah") is None:
            raise MissingToolError("buildah is missing: install it (Debian: apt-get install buildah).")
        with tempfile.TemporaryDirectory(dir=images_folder()) as folder:
            _build(Path(folder))
            whole = Path(folder) / "image.tar"
            _buildah("push", "--quiet", OPERATOR, f"docker-archive:{whole}:docker.io/{OPERATOR}")
            whole.rename(target)
    return target


def _build(folder: Path) -> None:
    if not _buildah("images", "--quiet", "--filter", f"reference={DEBIAN}"):
        _buildah("pull", "--quiet", f"docker-archive:{debian_image()}")
    secrets = []
    for name, content in _SECRETS.items():
        (folder / name).write_text(content)
        secrets.append(f"--secret=id={name},src={folder / name}")
    _buildah(
        "bud",
        "--quiet",
        "--isolation=chroot",
        "--pull-never",
        "--layers",
        "--target=operator",
        f"--build-arg=BASE=docker.io/{DEBIAN}",
        f"--volume={CERTIFICATES}:{CERTIFICATES}:ro",
        f"--tag={OPERATOR}",
        *secrets,
        str(REPOSITORY),
    )


def _buildah(*arguments: str) -> str:
    """What it printed. Its storage lies in the cache."""
    storage = cache_folder() / "buildah"
    command = ["buildah", "--root", str(storage), "--runroot", str(storage / "run"), *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise subprocess.CalledProcessError(done.returncode, command[:6], done.stdout[-2000:], done.stderr[-4000:])
    return done.stdout


def _digest() -> str:
    digest = hashlib.sha256(debian_image().name.encode())
    for path in _inputs():
        digest.update(f"{path.relative_to(REPOSITORY)}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _inputs() -> Iterator[Path]:
    """The files that the Dockerfile copies."""
    yield from (REPOSITORY / name for name in ("Dockerfile", ".dockerignore", "pyproject.toml", "README.md", "LICENSE"))
    for folder, pattern in (("requirements", "*.txt"), ("operator/src", "**/*.py"), ("trainer_image/src", "**/*.py")):
        yield from sorted((REPOSITORY / folder).glob(pattern))
