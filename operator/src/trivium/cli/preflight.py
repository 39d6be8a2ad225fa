"""What must be there before a run starts; said at once, and not by an attempt that fails in a minute."""

import importlib.util
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from trivium.api import JOB_KINDS
from trivium.cli.errors import CommandError
from trivium.cli.exit_codes import ExitCode
from trivium.cli.job_address import address_of
from trivium.local.state_folder import StateFolder
from trivium.ports import Manifest

_TRAINER_PACKAGES = ("ray", "torch", "deepspeed", "transformers", "trl", "peft")


def check_machine() -> None:
    """Raise CommandError where jobs cannot run at all."""
    if not sys.platform.startswith("linux"):
        raise CommandError(
            f"trivium run needs Linux: {sys.platform} cannot end every process of a job. Use a container."
        )
    missing = [name for name in _TRAINER_PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise CommandError(f"{', '.join(missing)}: not installed. Install them: pip install 'trivium[local,trainer]'.")


def bind_claims(folder: StateFolder, bindings: Iterable[str], *, namespace: str) -> None:
    """`NAME=FOLDER`: make the claim a link to the folder. Raises CommandError."""
    for binding in bindings:
        name, _, path = binding.partition("=")
        target = Path(path).expanduser().resolve()
        if not name or not path or "/" in name:
            raise CommandError(f"--claim {binding}: write NAME=FOLDER.", code=ExitCode.USAGE)
        if not target.is_dir():
            raise CommandError(f"--claim {binding}: {target} is no folder.", code=ExitCode.NOT_FOUND)
        claim = folder.claim(namespace, name)
        if claim.is_symlink():
            claim.unlink()
        elif claim.exists() and any(claim.iterdir()):
            raise CommandError(f"--claim {binding}: {claim} holds files already. Move them away first.")
        elif claim.exists():
            claim.rmdir()
        claim.parent.mkdir(parents=True, exist_ok=True)
        claim.symlink_to(target)


def check_references(manifests: Sequence[Manifest], known_jobs: Sequence[Manifest], folder: StateFolder) -> None:
    """Raise CommandError for a claim, ConfigMap, Secret or upstream job that jobs name and nobody has."""
    jobs = [manifest for manifest in manifests if manifest["kind"] in JOB_KINDS]
    there = {_identity(job) for job in [*known_jobs, *jobs]}
    problems = [problem for job in jobs for problem in _problems(job, there, manifests, folder)]
    if problems:
        raise CommandError("\n         ".join(problems), code=ExitCode.NOT_FOUND)


def _problems(
    job: Manifest, there: set[tuple[str, str, str]], manifests: Sequence[Manifest], folder: StateFolder
) -> Iterator[str]:
    namespace, spec = job["metadata"]["namespace"], job["spec"]
    called = address_of(job)
    upstream = (spec["model"].get("from") or {}).get("job")
    if upstream is not None and (upstream["kind"], namespace, upstream["name"]) not in there:
        name = f"{upstream['kind']} {upstream['name']}"
        there_is_none = f"there is no {name} in {folder.root}"
        yield f"{called}: spec.model.from.job: {there_is_none}. Name its file on the command line, too."
    given = {(one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"]) for one in manifests}
    for field, volume in _volumes(spec):
        claim = folder.claim(namespace, volume["claimName"])
        if not claim.is_dir():
            if ("PersistentVolumeClaim", namespace, volume["claimName"]) not in given:
                name = volume["claimName"]
                yield f"{called}: {field}.claimName: {name} has no folder here. Give it one: --claim {name}=FOLDER."
        elif not (claim / (volume.get("path") or "")).exists():
            yield f"{called}: {field}.path: {volume['path']} is not in {claim.resolve()}. Correct the path."
    for credential in spec.get("credentials") or []:
        secret = folder.secret(namespace, credential["secret"]) / credential["key"]
        if not secret.is_file():
            yield f"{called}: spec.credentials {credential['name']}: write its value into {secret} (mode 600)."


def _volumes(spec: Manifest) -> Iterator[tuple[str, dict[str, Any]]]:
    """(field, volume) of everything that is read from a claim."""
    model: dict[str, Any] = spec["model"]
    yield from _volume_of("spec.model.from", model.get("from"))
    yield from _volume_of("spec.model.tokenizer.from", (model.get("tokenizer") or {}).get("from"))
    for part in ("train", "evaluation"):
        for index, source in enumerate(spec["data"].get(part) or []):
            yield from _volume_of(f"spec.data.{part}[{index}].from", source.get("from"))


def _volume_of(field: str, source: dict[str, Any] | None) -> Iterator[tuple[str, dict[str, Any]]]:
    if source and source.get("volume"):
        yield f"{field}.volume", source["volume"]


def _identity(job: Manifest) -> tuple[str, str, str]:
    return job["kind"], job["metadata"]["namespace"], job["metadata"]["name"]
