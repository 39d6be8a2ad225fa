"""References become facts: commits, file lists and digests, written to inputs.json once and obeyed ever after.

A later attempt of the same job reads inputs.json and uses exactly these files; where a file has changed since, the job
ends instead of training on something else than it reported.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from trivium_trainer import layout
from trivium_trainer.config import Block, DataSource, RunConfig, Source
from trivium_trainer.durable import write_json
from trivium_trainer.prepare.files import FileType, InputFile, digest_file, digest_files, digest_text, select_files
from trivium_trainer.prepare.hub import download, resolve_commit
from trivium_trainer.prepare.problems import data_error, field_of, user_error
from trivium_trainer.prepare.uri import download_uri, list_uri

_MODEL_SUFFIXES = (".json", ".safetensors", ".jinja", ".model", ".txt")
_TOKENIZER_SUFFIXES = (".json", ".jinja", ".model", ".txt")
MODEL, TOKENIZER = "model", "tokenizer"


class ResolvedSource(Block):
    """One source of data, or of a model, as it was when the job began."""

    name: str
    revision: str | None
    """The commit of a hub repository."""
    digest: str
    """Over the names and digests of all files."""
    files: list[InputFile]


class Inputs(Block):
    """inputs.json."""

    version: Literal[1] = 1
    train: list[ResolvedSource]
    evaluation: list[ResolvedSource]
    model: ResolvedSource | None
    tokenizer: ResolvedSource | None

    @property
    def data(self) -> list[ResolvedSource]:
        """All sources of data in the order that shard numbers use: train, then evaluation."""
        return [*self.train, *self.evaluation]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One source to resolve, and what it is for."""

    name: str
    field: str
    source: Source
    repo_type: Literal["dataset", "model"]
    data: DataSource | None
    """None for models and tokenizers."""
    suffixes: tuple[str, ...]
    root: Callable[[str | None], Path]
    """Revision -> where the files lie once they are on this machine."""


def resolve_inputs(config: RunConfig, *, work: Path, beat: Callable[[], None]) -> Inputs:
    """The inputs of this job with their files on this machine. Raises TrainingError of every class but Internal."""
    path = layout.run_directory(config).stage("prepare").inputs
    recorded = _recorded(path)
    wanted = _wanted(config, work=work)
    before = [None] * len(wanted) if recorded is None else _in_order(recorded)
    resolved: list[ResolvedSource] = []
    for want, known in zip(wanted, before, strict=True):
        beat()
        resolved.append(_resolve(want) if known is None else _restore(want, known))
    first_evaluation = len(config.data.train)
    first_model = first_evaluation + len(config.data.evaluation)
    models = {one.name: one for one in resolved[first_model:]}
    inputs = Inputs(
        train=resolved[:first_evaluation],
        evaluation=resolved[first_evaluation:first_model],
        model=models.get(MODEL),
        tokenizer=models.get(TOKENIZER),
    )
    if recorded is None:
        write_json(path, inputs.model_dump(mode="json", by_alias=True))
    return inputs


def data_root(config: RunConfig, number: int, *, work: Path) -> Path:
    """Where the files of the data source with this number lie."""
    source = [*config.data.train, *config.data.evaluation][number].source
    return _root_of_path(source) if source.path is not None else work / "inputs" / str(number)


def model_root(config: RunConfig, source: Source, *, revision: str | None) -> Path:
    """Where the files of a model or tokenizer lie."""
    if source.path is not None:
        return layout.mounted(source.path)
    return layout.prepared_root(config) / model_folder(source, revision=revision, uid=config.job.uid)


def model_folder(source: Source, *, revision: str | None, uid: str) -> str:
    """Name below prepared/ of a downloaded model.

    A commit never changes, so the jobs of a namespace share it; behind a URI files may change, so each job has a copy.
    """
    if source.hub is not None:
        return f"models/{digest_text(source.hub.repo, revision or '')[:16]}"
    return f"models/{digest_text(source.uri or '', uid)[:16]}"


def _wanted(config: RunConfig, *, work: Path) -> list[Wanted]:
    data = [
        Wanted(
            name=source.name,
            field=f"{field_of(source)}.from",
            source=source.source,
            repo_type="dataset",
            data=source,
            suffixes=(),
            root=partial(_data_root_of, config, number, work),
        )
        for number, source in enumerate([*config.data.train, *config.data.evaluation])
    ]
    return [*data, *_wanted_models(config)]


def _wanted_models(config: RunConfig) -> Iterator[Wanted]:
    remote_code = (".py",) if config.model.trust_remote_code else ()
    for role, field, source, suffixes in (
        (MODEL, "model.from", config.model.source, _MODEL_SUFFIXES),
        (TOKENIZER, "model.tokenizer.from", config.model.tokenizer_source, _TOKENIZER_SUFFIXES),
    ):
        if source is not None:
            yield Wanted(
                name=role,
                field=field,
                source=source,
                repo_type="model",
                data=None,
                suffixes=suffixes + remote_code,
                root=partial(_model_root_of, config, source),
            )


def _data_root_of(config: RunConfig, number: int, work: Path, _revision: str | None) -> Path:
    return data_root(config, number, work=work)


def _model_root_of(config: RunConfig, source: Source, revision: str | None) -> Path:
    return model_root(config, source, revision=revision)


def _in_order(inputs: Inputs) -> list[ResolvedSource | None]:
    return [*inputs.data, *(one for one in (inputs.model, inputs.tokenizer) if one is not None)]


def _recorded(path: Path) -> Inputs | None:
    try:
        return Inputs.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise data_error(
            "InputsUnreadable", f"{path} is damaged.", remedy="Submit the job again under a new name."
        ) from error


def _resolve(want: Wanted) -> ResolvedSource:
    commit, names = _list(want)
    types: dict[str, FileType]
    if want.data is not None:
        types = select_files(want.data, names)
    else:
        types = dict.fromkeys(sorted(name for name in names if _is_model_file(want, name)), "text")
        _require_model_files(want, types)
    root = want.root(commit)
    _fetch(want, commit=commit, names=list(types), to=root)
    files = [
        InputFile(path=name, type=kind, bytes=(root / name).stat().st_size, sha256=digest)
        for (name, kind), digest in zip(types.items(), digest_files(root, list(types)), strict=True)
    ]
    digest = digest_text(*(part for file in files for part in (file.path, file.sha256)))
    return ResolvedSource(name=want.name, revision=commit, digest=digest, files=files)


def _restore(want: Wanted, known: ResolvedSource) -> ResolvedSource:
    """The same files as the first attempt saw. Sizes are compared here, digests where a file is read."""
    root = want.root(known.revision)
    _fetch(want, commit=known.revision, names=[file.path for file in known.files], to=root)
    for file in known.files:
        path = root / file.path
        if not path.is_file() or path.stat().st_size != file.bytes:
            raise input_changed(f"{want.field}: {file.path}")
    return known


def verify_digest(root: Path, file: InputFile, *, field: str) -> None:
    """Raises DataError where a file is not the one that was resolved."""
    path = root / file.path
    if not path.is_file() or digest_file(path) != file.sha256:
        raise input_changed(f"{field}: {file.path}")


def input_changed(what: str) -> Exception:
    """A file is gone or different since the job began."""
    return data_error(
        "InputChanged",
        f"{what} has changed or vanished since the job began.",
        remedy="Put the file back as it was, or submit the job again under a new name to train on the new content.",
    )


def _list(want: Wanted) -> tuple[str | None, list[str]]:
    if want.source.hub is not None:
        return resolve_commit(want.source.hub, repo_type=want.repo_type, field=want.field)
    if want.source.uri is not None:
        return None, list_uri(want.source, field=want.field)
    path = layout.mounted(want.source.path or "")
    if path.is_file():
        return None, [path.name]
    if not path.is_dir():
        raise data_error(
            "PathNotFound",
            f"{want.field}.path: {want.source.path} does not exist in the mounted volume.",
            remedy="Correct the path, or put the files on the volume.",
        )
    return None, [found.relative_to(path).as_posix() for found in path.rglob("*") if found.is_file()]


def _fetch(want: Wanted, *, commit: str | None, names: list[str], to: Path) -> None:
    if want.source.hub is not None and commit is not None:
        download(
            want.source.hub,
            repo_type=want.repo_type,
            commit=commit,
            names=names,
            to=to,
            field=want.field,
        )
    elif want.source.uri is not None:
        download_uri(want.source, names, to=to, field=want.field)


def _root_of_path(source: Source) -> Path:
    path = layout.mounted(source.path or "")
    return path.parent if path.is_file() else path


def _is_model_file(want: Wanted, name: str) -> bool:
    return name.endswith(want.suffixes) and "/" not in name


def _require_model_files(want: Wanted, names: Collection[str]) -> None:
    if "config.json" not in names and want.name == MODEL:
        raise user_error(
            "NotAModel",
            f"{want.field}: no config.json among {len(names)} files.",
            remedy="Name the folder that AutoModelForCausalLM.from_pretrained would take.",
        )
    if want.name == MODEL and not any(name.endswith(".safetensors") for name in names):
        raise user_error(
            "NoSafetensors",
            f"{want.field}: no weights in safetensors form.",
            remedy="Convert the weights: pickled .bin files can run code when they are loaded and are not read.",
        )
