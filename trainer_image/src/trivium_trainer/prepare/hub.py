"""Repositories of the Hugging Face hub: a reference becomes a commit, and the commit's files come here.

Every refusal and every silence of the hub is turned into a failure with a class at this border.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    HTTPError,  # of the hub's own HTTP client (httpx2 in huggingface_hub 2.4), which this module must not name
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from trivium_trainer import layout
from trivium_trainer.config import HubSource
from trivium_trainer.failure import FailureClass, TrainingError
from trivium_trainer.prepare.problems import user_error

Result = TypeVar("Result")


def resolve_commit(source: HubSource, *, repo_type: str, field: str) -> tuple[str, list[str]]:
    """The commit that a branch, tag or commit names now, and the names of its files."""

    def ask() -> tuple[str, list[str]]:
        info = HfApi(token=_token(source)).repo_info(
            source.repo, repo_type=repo_type, revision=source.revision, timeout=30
        )
        return str(info.sha), [file.rfilename for file in info.siblings or []]

    return _translated(ask, source=source, field=field)


def download(source: HubSource, *, repo_type: str, commit: str, names: list[str], to: Path, field: str) -> None:
    """The named files of a commit below `to`; files that are there and whole are not fetched again."""

    def fetch() -> None:
        snapshot_download(
            source.repo,
            repo_type=repo_type,
            revision=commit,
            local_dir=to,
            allow_patterns=[_literal(name) for name in names],
            token=_token(source),
        )

    _translated(fetch, source=source, field=field)


def _literal(name: str) -> str:
    """A pattern that matches exactly this name under fnmatch."""
    return "".join(f"[{character}]" if character in "*?[" else character for character in name)


def _token(source: HubSource) -> str | bool:
    """The job's own token; False keeps huggingface_hub from looking for somebody else's on the machine."""
    if source.credential_file is None:
        return False
    return layout.mounted(source.credential_file).read_text().strip()


def _translated(call: Callable[[], Result], *, source: HubSource, field: str) -> Result:
    name = f"{field}.hub: {source.repo}@{source.revision}"
    try:
        return call()
    except GatedRepoError as error:
        raise user_error(
            "HubAccessDenied",
            f"{name} is gated and the credential has no access.",
            remedy="Accept its terms with the account of the token, and name the credential in hub.credential.",
        ) from error
    except RevisionNotFoundError as error:
        raise user_error(
            "HubRevisionNotFound", f"{name}: no such branch, tag or commit.", remedy="Correct hub.revision."
        ) from error
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise user_error(
            "HubRepositoryNotFound",
            f"{name} does not exist, or is private.",
            remedy="Correct hub.repo, or name a credential that may read it.",
        ) from error
    except (HfHubHTTPError, LocalEntryNotFoundError, HTTPError, ConnectionError, TimeoutError) as error:
        raise TrainingError(
            FailureClass.INFRASTRUCTURE,
            "HubUnreachable",
            f"{name} could not be read: the hub did not answer ({type(error).__name__}).",
            remedy="The job tries again; check the cluster's way to the hub (egress policy, proxy, HF_ENDPOINT), or "
            "put the files on a volume.",
        ) from error
