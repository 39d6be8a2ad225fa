"""`sft/my-job`, `SFTJob/my-job`, kubectl's short names, or a unique name, resolved among the jobs that are there."""

from collections.abc import Iterable, Sequence

from trivium.api import JOB_KINDS
from trivium.cli.errors import CommandError
from trivium.cli.exit_codes import ExitCode
from trivium.ports import Manifest


def _word(kind: str) -> str:
    """`SFTJob` -> `sft`: what people say."""
    return kind.removesuffix("Job").lower()


_KINDS: dict[str, str] = {
    spelling.lower(): kind
    for kind, model in JOB_KINDS.items()
    for spelling in (_word(kind), kind, model.NAMES.plural, model.NAMES.singular, model.NAMES.short_name)
}


def address_of(manifest: Manifest) -> str:
    """How a job is called everywhere in the command line: `sft/my-job`."""
    return f"{_word(manifest['kind'])}/{manifest['metadata']['name']}"


def find_job(address: str, jobs: Iterable[Manifest], *, namespace: str, start: str = "trivium run FILE") -> Manifest:
    """The one job that is meant. Raises CommandError for none and for several; `start` is how one would come to be."""
    here = [job for job in jobs if job["metadata"]["namespace"] == namespace]
    kind, name = _parse(address)
    found = [job for job in here if job["metadata"]["name"] == name and kind in (None, job["kind"])]
    if len(found) == 1:
        return found[0]
    if found:
        raise CommandError(
            f"{address}: {len(found)} jobs have this name. Say which: {_listing(found)}.", code=ExitCode.USAGE
        )
    known = f"There are {_listing(here)}." if here else f"There is none yet: start one with `{start}`."
    raise CommandError(f"{address}: no such job in namespace {namespace}. {known}", code=ExitCode.NOT_FOUND)


def _parse(address: str) -> tuple[str | None, str]:
    prefix, slash, name = address.partition("/")
    if not slash:
        return None, prefix
    kind = _KINDS.get(prefix.lower())
    if kind is None:
        words = ", ".join(map(_word, JOB_KINDS))
        raise CommandError(f"{address}: {prefix} is no kind of job. Use one of {words}.", code=ExitCode.USAGE)
    return kind, name


def _listing(jobs: Sequence[Manifest]) -> str:
    return ", ".join(sorted(address_of(job) for job in jobs))
