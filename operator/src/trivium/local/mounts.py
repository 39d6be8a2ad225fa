"""A pod's mounts on this machine: one folder per attempt in which every mountPath is a link to the real thing.

The trainer resolves its absolute paths below `TRIVIUM_MOUNT_ROOT` (trivium_trainer.layout.mounted), so links do what
mounts do, without privileges. What they cannot do is keep a reader from writing.
"""

import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trivium.local.state_folder import StateFolder

PodSpec = Mapping[str, Any]


class ContainerConfigError(Exception):
    """Something that a pod wants to mount is not here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PodMounts:
    """Puts one pod's volumes below `folder`.

    `read_config_map` returns a ConfigMap's data, None if there is none. `token` is what a projected service account
    token holds.
    """

    state: StateFolder
    namespace: str
    folder: Path
    read_config_map: Callable[[str], Mapping[str, str] | None]
    token: str

    @property
    def root(self) -> Path:
        """TRIVIUM_MOUNT_ROOT of the attempt."""
        return self.folder / "root"

    def materialize(self, pod: PodSpec) -> None:
        """Write files and links; what an earlier try left is replaced. Raises ContainerConfigError."""
        shutil.rmtree(self.root, ignore_errors=True)
        volumes = {volume["name"]: volume for volume in pod.get("volumes", [])}
        for mount in pod["containers"][0].get("volumeMounts", []):
            target = self._target(volumes[mount["name"]])
            if mount.get("subPath"):
                target = _below(target, mount["subPath"])
                target.mkdir(parents=True, exist_ok=True)
            link = _below(self.root, mount["mountPath"])
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(target)

    def translate(self, pod: PodSpec, value: str) -> str | None:
        """An environment value that names a mounted path, as this machine has it; None: it points into an emptyDir.

        A scratch folder (HOME, caches, temporary files) exists in pods because their root is read-only; here this
        machine's own value serves better.
        """
        scratch = {volume["name"] for volume in pod.get("volumes", []) if "emptyDir" in volume}
        for mount in pod["containers"][0].get("volumeMounts", []):
            path = mount["mountPath"].rstrip("/")
            if value == path or value.startswith(f"{path}/"):
                return None if mount["name"] in scratch else str(_below(self.root, value))
        return value

    def _target(self, volume: dict[str, Any]) -> Path:
        folder: Path = self.folder / "volumes" / volume["name"]
        match volume:
            case {"persistentVolumeClaim": {"claimName": str(name)}}:
                folder = self._claim(name)
            case {"configMap": {"name": str(name)} as source}:
                _write_files(folder, self._config_map(name, source))
            case {"secret": {"secretName": str(name)} as source}:
                _write_files(folder, self._secret(name, source))
            case {"projected": {"sources": sources}}:
                files = {name: text for source in sources for name, text in self._projected(source).items()}
                _write_files(folder, files)
            case {"emptyDir": _}:
                folder.mkdir(parents=True, exist_ok=True)
            case _:
                kinds = ", ".join(sorted(volume.keys() - {"name"})) or "nothing"
                raise ContainerConfigError(f"volume {volume['name']}: {kinds} cannot be mounted on this machine")
        return folder

    def _claim(self, name: str) -> Path:
        claim = self.state.claim(self.namespace, name)
        claim.mkdir(parents=True, exist_ok=True)
        return claim.resolve()

    def _config_map(self, name: str, source: Mapping[str, Any]) -> dict[str, str]:
        data = self.read_config_map(name)
        if data is None:
            if source.get("optional"):
                return {}
            raise ContainerConfigError(f"ConfigMap {self.namespace}/{name} is not there")
        return _select(data, source.get("items"), what=f"ConfigMap {name}")

    def _secret(self, name: str, source: Mapping[str, Any]) -> dict[str, str]:
        folder = self.state.secret(self.namespace, name)
        if not folder.is_dir():
            raise ContainerConfigError(
                f"Secret {self.namespace}/{name} is not there: write each key as a file into {folder}"
            )
        data = {path.name: path.read_text().rstrip("\n") for path in folder.iterdir() if path.is_file()}
        return _select(data, source.get("items"), what=f"Secret {name}")

    def _projected(self, source: dict[str, Any]) -> dict[str, str]:
        match source:
            case {"serviceAccountToken": {"path": str(path)}}:
                return {path: self.token}
            case {"configMap": {"name": str(name)} as inner}:
                return self._config_map(name, inner)
            case {"secret": {"name": str(name)} as inner}:
                return self._secret(name, inner)
            case _:
                raise ContainerConfigError(f"projected volume: {', '.join(source)} cannot be mounted on this machine")


def _select(data: Mapping[str, str], items: Iterable[Mapping[str, str]] | None, *, what: str) -> dict[str, str]:
    """The files of a volume: every key, or the named ones under their paths."""
    if items is None:
        return dict(data)
    wanted = list(items)
    missing = [item["key"] for item in wanted if item["key"] not in data]
    if missing:
        raise ContainerConfigError(f"{what} has no key {', '.join(missing)}")
    return {item["path"]: data[item["key"]] for item in wanted}


def _write_files(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = _below(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        # Some of them are credentials: nobody but the owner reads them, from the first byte on.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as stream:
            stream.write(text)
    folder.mkdir(parents=True, exist_ok=True)


def _below(folder: Path, path: str) -> Path:
    """`folder/path`, refused where it would leave the folder: these paths come from manifests."""
    parts = Path(path.lstrip("/")).parts
    if ".." in parts:
        raise ContainerConfigError(f"{path}: a mounted path holds no '..'")
    return folder.joinpath(*parts)
