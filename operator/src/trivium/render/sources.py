"""Sources of the API as the trainer reads them: hub, uri, or a path below a mount."""

from typing import Literal

from trivium.api import Job
from trivium.api.data import ConversationSource, DataSource, PreferenceSource
from trivium.api.model import ModelSource, TokenizerSource
from trivium.api.status import UpstreamStatus
from trivium.render import paths
from trivium.render.mounts import data_mount_path
from trivium_trainer import config as trainer

RowFormat = Literal["auto", "text", "instruction", "promptCompletion", "messages", "preference"]


def model_source(source: ModelSource, *, upstream: UpstreamStatus | None) -> trainer.Source:
    """Where the weights come from. Raises ValueError if a job is named and its output is not known."""
    if source.job is None:
        return repository_source(source, mount=paths.MODEL)
    if upstream is None:
        raise ValueError(f"model.from.job: {source.job.kind} {source.job.name} has no known output to start from")
    return trainer.Source(path=paths.below(upstream_runs(upstream), upstream.output_path))


def upstream_runs(upstream: UpstreamStatus) -> str:
    """Root of the upstream's runs storage, as it is mounted."""
    return paths.below(paths.UPSTREAM, upstream.path)


def repository_source(source: TokenizerSource, *, mount: str) -> trainer.Source:
    """Files of a model repository; `mount` is where its claim is mounted, if it is one."""
    if source.hub is not None:
        hub = source.hub
        return trainer.Source(
            hub=trainer.HubSource(repo=hub.repo, revision=hub.revision, credential_file=credential_file(hub.credential))
        )
    if source.uri is not None:
        return trainer.Source(uri=source.uri, credential_file=credential_file(source.credential))
    assert source.volume is not None, "the union's rule: exactly one member is given"
    return trainer.Source(path=paths.below(mount, source.volume.path))


def data_source(job: Job, source: DataSource, *, default_name: str) -> trainer.DataSource:
    """One source of rows."""
    return trainer.DataSource(
        name=source.name or default_name,
        source=_rows(job, source),
        files=trainer.DataFiles(glob=source.files.glob, type=source.files.type),
        format=_format(source),
        split=source.split,
        weight=source.weight,
        max_rows=source.max_rows,
        columns=_columns(source),
    )


def _rows(job: Job, source: DataSource) -> trainer.Source:
    place = source.from_
    if place.hub is not None:
        hub = place.hub
        return trainer.Source(
            hub=trainer.HubSource(
                repo=hub.repo,
                revision=hub.revision,
                config=hub.config,
                credential_file=credential_file(hub.credential),
            )
        )
    if place.uri is not None:
        return trainer.Source(uri=place.uri, credential_file=credential_file(place.credential))
    folder = data_mount_path(job, source)
    return trainer.Source(path=paths.below(folder, place.volume.path if place.volume else None))


def _format(source: DataSource) -> RowFormat:
    if isinstance(source, ConversationSource):
        return source.format
    return "preference" if isinstance(source, PreferenceSource) else "text"


def _columns(source: DataSource) -> dict[str, str]:
    """Our name -> the file's, where they differ."""
    named: dict[str, str] = source.model_dump(include={"columns"}, exclude_none=True)["columns"]
    return {ours: theirs for ours, theirs in named.items() if ours != theirs}


def credential_file(name: str | None) -> str | None:
    """Where an entry of spec.credentials is mounted."""
    return None if name is None else paths.below(paths.CREDENTIALS, name)
