"""The programs of the cluster, built from Go modules whose every dependency is pinned by go.sum.

Binaries lie outside the checkout under a name made of what they are built from, so a fresh clone on the same machine
has them. Nothing relies on that: without the cache they are built, in about a quarter of an hour on two cores.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

MODULES = Path(__file__).parents[1] / "programs"
KUBERNETES_VERSION = "1.36.3"

_COMPONENT, _CLIENT = "k8s.io/component-base/version", "k8s.io/client-go/pkg/version"
_MAJOR, _MINOR, _ = KUBERNETES_VERSION.split(".")
# Without the stamp the API server says v0.0.0-master, and Kueue exits at start.
_KUBERNETES_STAMP = " ".join(
    f"-X {package}.{variable}={value}"
    for package in (_COMPONENT, _CLIENT)
    for variable, value in (("gitVersion", f"v{KUBERNETES_VERSION}"), ("gitMajor", _MAJOR), ("gitMinor", _MINOR))
)


class MissingToolError(Exception):
    """Something that must be on this machine is not; the message says what and how to get it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One binary."""

    name: str
    module: str
    """The folder with its go.mod and go.sum."""
    package: str
    stamp: str = ""
    """-X settings of the linker."""
    environment: dict[str, str] = field(default_factory=lambda: {"CGO_ENABLED": "0"})
    """CGO off: an image from scratch has no loader."""


def _kubernetes(name: str) -> Program:
    return Program(name=name, module="kubernetes", package=f"k8s.io/kubernetes/cmd/{name}", stamp=_KUBERNETES_STAMP)


PROGRAMS = {
    program.name: program
    for program in (
        Program(name="etcd", module="etcd", package="go.etcd.io/etcd/server/v3"),
        _kubernetes("kube-apiserver"),
        _kubernetes("kube-controller-manager"),
        _kubernetes("kube-scheduler"),
        _kubernetes("kubelet"),
        _kubernetes("kube-proxy"),
        _kubernetes("kubectl"),
        Program(name="kuberay", module="kuberay", package="github.com/ray-project/kuberay/ray-operator"),
        Program(name="helm", module="helm", package="helm.sh/helm/v4/cmd/helm"),
        Program(name="coredns", module="coredns", package="github.com/coredns/coredns"),
        Program(name="kueue", module="kueue", package="sigs.k8s.io/kueue/cmd/kueue"),
        Program(name="promtool", module="prometheus", package="github.com/prometheus/prometheus/cmd/promtool"),
        Program(name="kwok", module="kwok", package="sigs.k8s.io/kwok/cmd/kwok"),
    )
}


def cache_folder() -> Path:
    """Where binaries and images are kept between runs; anybody may delete it."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "trivium"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def go() -> str:
    """The Go tool. Raises MissingToolError."""
    found = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
    if found is None:
        raise MissingToolError("Go is missing: install it from your distribution, or put `go` on the PATH.")
    return found


def binary(name: str) -> Path:
    """The path of a program, built if it is not there yet. Raises MissingToolError, subprocess.CalledProcessError."""
    program = PROGRAMS[name]
    folder = cache_folder() / "bin"
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}-{_digest(program)}"
    if path.exists():
        return path
    with (folder / f"{program.module}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two runs at once build it once
        if not path.exists():
            _build(program, path)
    return path


def module_folder(module: str, dependency: str) -> Path:
    """Where Go keeps the sources of a dependency of one of our modules: CRDs and manifests come inside."""
    listed = subprocess.run(
        [go(), "list", "-mod=readonly", "-m", "-f", "{{.Dir}}", dependency],
        cwd=MODULES / module,
        check=True,
        capture_output=True,
        text=True,
    )
    folder = listed.stdout.strip()
    if not folder:
        subprocess.run([go(), "mod", "download", dependency], cwd=MODULES / module, check=True)
        return module_folder(module, dependency)
    return Path(folder)


def _digest(program: Program) -> str:
    parts = [(MODULES / program.module / name).read_bytes() for name in ("go.mod", "go.sum")]
    parts += [program.package.encode(), program.stamp.encode(), repr(sorted(program.environment.items())).encode()]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def _build(program: Program, path: Path) -> None:
    unfinished = path.with_suffix(".unfinished")
    flags = ["-trimpath", "-mod=readonly", "-buildvcs=false", "-ldflags", f"-s -w {program.stamp}".strip()]
    subprocess.run(
        [go(), "build", *flags, "-o", str(unfinished), program.package],
        cwd=MODULES / program.module,
        env={**os.environ, **program.environment},
        check=True,
    )
    unfinished.rename(path)
