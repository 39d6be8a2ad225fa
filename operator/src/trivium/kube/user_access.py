"""A person's own way to a cluster: kubeconfig, context and namespace as kubectl finds them, and that person's rights.

Called by the command line alone. The operator connects by itself (`client.py`).
"""

import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.config import ConfigException, load_incluster_config
from kubernetes.aio.config.kube_config import ENV_KUBECONFIG_PATH_SEPARATOR, KubeConfigLoader, KubeConfigMerger

from trivium.ports import ClusterError

_SERVICE_ACCOUNT_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


class NoAccessError(ClusterError):
    """There is no way to a cluster: no kubeconfig, no such context, credentials that cannot be got."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserTarget:
    """Which cluster, as whom, where; None is what kubectl would take."""

    kubeconfig: Path | None = None
    context: str | None = None
    namespace: str | None = None
    impersonate: str | None = None
    """Another user's name, as `kubectl --as`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserAccess:
    """An open client and where it leads."""

    api: ApiClient
    server: str
    context: str
    """Empty inside a pod."""
    namespace: str


@asynccontextmanager
async def open_user_access(target: UserTarget) -> AsyncIterator[UserAccess]:
    """The client, closed at the end. Raises NoAccessError."""
    settings = type.__call__(Configuration)  # its metaclass would hand out a copy of a shared default
    files = _kubeconfig_files(target.kubeconfig)
    if files:
        context, namespace = await _load_files(files, target, settings)
    elif _is_in_pod() and target.context is None:
        context, namespace = "", _load_service_account(settings)
    else:
        looked = _explain_lookup(target.kubeconfig)
        raise NoAccessError(f"No cluster is configured: {looked}. Name a file with --kubeconfig or set KUBECONFIG.")
    api = ApiClient(configuration=settings)
    if target.impersonate is not None:
        api.set_default_header("Impersonate-User", target.impersonate)
    try:
        yield UserAccess(
            api=api, server=settings.host, context=context, namespace=target.namespace or namespace or "default"
        )
    finally:
        await api.close()


async def _load_files(files: list[str], target: UserTarget, settings: Configuration) -> tuple[str, str]:
    """Name and namespace of the context that was chosen."""
    said = _Said()
    logger = logging.getLogger("kubernetes.aio.config.kube_config")
    logger.addHandler(said)
    logger.propagate = False  # what it says is told below, as one sentence
    try:
        merged = KubeConfigMerger(ENV_KUBECONFIG_PATH_SEPARATOR.join(files)).config
        loader = KubeConfigLoader(config_dict=merged, active_context=target.context, config_base_path=None)
        await loader.load_and_set(settings)
    except (ConfigException, OSError, ValueError, TypeError, AttributeError) as error:
        # The last three: what the client library does about a file that is no kubeconfig.
        wanted = f", context {target.context}" if target.context else ""
        raise NoAccessError(
            f"{', '.join(files)}{wanted}: {error}. `kubectl config get-contexts` lists what there is."
        ) from error
    finally:
        logger.removeHandler(said)
        logger.propagate = True
    if said.errors and not settings.api_key and not settings.cert_file:
        # The library only logs that a credential plugin failed, and would go on as nobody.
        raise NoAccessError(f"Your credentials could not be got: {'; '.join(said.errors)}. Log in again.")
    current = loader.current_context
    return str(current["name"]), str((current.get("context") or {}).get("namespace") or "")


class _Said(logging.Handler):
    def __init__(self) -> None:
        super().__init__(level=logging.ERROR)
        self.errors: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.errors.append(record.getMessage())


def _kubeconfig_files(named: Path | None) -> list[str]:
    """The files that are there, of those that kubectl would read."""
    if named is not None:
        return [str(named)] if named.is_file() else []
    listed = os.environ.get("KUBECONFIG") or ""
    paths = [Path(one).expanduser() for one in listed.split(ENV_KUBECONFIG_PATH_SEPARATOR) if one]
    return [str(path) for path in paths or [Path.home() / ".kube" / "config"] if path.is_file()]


def _explain_lookup(named: Path | None) -> str:
    if named is not None:
        return f"{named}: no such file"
    listed = os.environ.get("KUBECONFIG")
    return f"KUBECONFIG names {listed}, which is no file" if listed else "there is no ~/.kube/config"


def _is_in_pod() -> bool:
    return bool(os.environ.get("KUBERNETES_SERVICE_HOST")) and _SERVICE_ACCOUNT_NAMESPACE.is_file()


def _load_service_account(settings: Configuration) -> str:
    try:
        load_incluster_config(client_configuration=settings)
    except ConfigException as error:
        raise NoAccessError(f"This pod's service account cannot be used: {error}.") from error
    return _SERVICE_ACCOUNT_NAMESPACE.read_text().strip()
