"""Files behind a URI, through the fsspec file system of its scheme."""

import json
from pathlib import Path, PurePosixPath
from typing import Any

import fsspec

from trivium_trainer import layout
from trivium_trainer.config import Source
from trivium_trainer.failure import FailureClass, TrainingError
from trivium_trainer.prepare.problems import data_error, user_error


def list_uri(source: Source, *, field: str) -> list[str]:
    """Names of the files, relative to the URI; a URI of one file gives that file's own name."""
    system, root = _open(source, field=field)
    try:
        if system.isfile(root):
            return [PurePosixPath(root).name]
        prefix = root.rstrip("/") + "/"
        names = [path.removeprefix(prefix) for path in system.find(root)]
    except OSError as error:
        raise _unreachable(source, field=field, error=error) from error
    if not names:
        raise data_error("NoFiles", f"{field}.uri: {source.uri} holds no file.", remedy="Correct the uri.")
    return names


def download_uri(source: Source, names: list[str], *, to: Path, field: str) -> None:
    """The named files below `to`, each complete or absent; those that are there are not fetched again."""
    system, root = _open(source, field=field)
    single = names == [PurePosixPath(root).name] and system.isfile(root)
    for name in names:
        target = to / name
        if target.exists():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f".{target.name}.partial")
        try:
            system.get_file(root if single else f"{root.rstrip('/')}/{name}", str(partial))
        except OSError as error:
            raise _unreachable(source, field=field, error=error) from error
        partial.rename(target)


def _open(source: Source, *, field: str) -> tuple[Any, str]:
    assert source.uri is not None
    if "::" in source.uri:
        raise user_error(
            "UnsupportedUri", f"{field}.uri: {source.uri} chains file systems.", remedy="Name one file system."
        )
    options: dict[str, Any] = {}
    if source.credential_file is not None:
        options = json.loads(layout.mounted(source.credential_file).read_text())
    try:
        system, root = fsspec.core.url_to_fs(source.uri, **options)
    except (ImportError, ValueError) as error:
        raise user_error(
            "UnsupportedUri",
            f"{field}.uri: the trainer image has no file system for {source.uri.split('://')[0]}.",
            remedy="Use a scheme that the profile's policy lists, or put the files on a volume.",
        ) from error
    return system, root


def _unreachable(source: Source, *, field: str, error: OSError) -> TrainingError:
    if isinstance(error, FileNotFoundError):
        return data_error("NoFiles", f"{field}.uri: {source.uri} does not exist.", remedy="Correct the uri.")
    if isinstance(error, PermissionError):
        return user_error(
            "UriAccessDenied",
            f"{field}.uri: {source.uri} may not be read.",
            remedy="Name a credential that may read it.",
        )
    return TrainingError(
        FailureClass.INFRASTRUCTURE,
        "StorageUnreachable",
        f"{field}.uri: {source.uri} could not be read ({type(error).__name__}).",
        remedy="The job tries again; check the cluster's way to the storage.",
    )
