"""The config.json of the model that a job starts from, as far as it can be found without a network.

In this order: `--model`, an earlier job of the same files, the Hugging Face cache of this machine. A model from scratch
says its own (planning reads it); otherwise the hint model.parameters gives a lower bound.
"""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from trivium.api import Job, PretrainJob
from trivium.api.model import JobReference
from trivium.cli.errors import CommandError
from trivium.cli.exit_codes import ExitCode
from trivium.planning.workload import written_config


def find_model_config(job: Job, *, jobs: Sequence[Job], model: Path | None) -> Mapping[str, Any] | None:
    """The config, None where nobody here has it. Raises CommandError where `--model` is no model."""
    source = job.spec.model.from_
    if source is None:
        return None
    if source.job is not None:
        upstream = _named(source.job, jobs)
        return None if upstream is None else _config_of(upstream, jobs=jobs, model=model)
    if model is not None:
        return _read(model)
    return _cached(source.hub.repo, source.hub.revision) if source.hub is not None else None


def _named(reference: JobReference, jobs: Sequence[Job]) -> Job | None:
    wanted = (reference.kind, reference.name)
    return next((one for one in jobs if (one.kind, one.metadata.name) == wanted), None)


def _config_of(job: Job, *, jobs: Sequence[Job], model: Path | None) -> Mapping[str, Any] | None:
    """Of the model that a job leaves behind: the one it starts from, or the one it writes out."""
    if isinstance(job, PretrainJob) and job.spec.model.architecture is not None:
        return written_config(job.spec.model)
    return find_model_config(job, jobs=[one for one in jobs if one is not job], model=model)


def _read(path: Path) -> Mapping[str, Any]:
    file = path / "config.json" if path.is_dir() else path
    if not file.is_file():
        raise CommandError(f"--model {path}: there is no {file}.", code=ExitCode.NOT_FOUND)
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CommandError(f"--model {path}: {file} is no JSON: {error}.", code=ExitCode.INVALID) from error
    if not isinstance(config, dict):
        raise CommandError(f"--model {path}: {file} holds no object.", code=ExitCode.INVALID)
    return config


def _cached(repo: str, revision: str) -> Mapping[str, Any] | None:
    """From the hub's cache, where an earlier run or download left it."""
    home = Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface")
    hub = Path(os.environ.get("HF_HUB_CACHE") or home / "hub")
    folder = hub / f"models--{repo.replace('/', '--')}"
    reference = folder / "refs" / revision
    commit = reference.read_text().strip() if reference.is_file() else revision
    file = folder / "snapshots" / commit / "config.json"
    return _read(file) if file.is_file() else None
