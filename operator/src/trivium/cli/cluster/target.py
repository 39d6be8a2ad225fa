"""Which cluster a command asks, as far as its options say. Light: no Kubernetes client is loaded to parse options."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from trivium.cli.errors import CommandError
from trivium.cli.exit_codes import ExitCode


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterTarget:
    """What was given; None is what kubectl would take."""

    kubeconfig: Path | None = None
    context: str | None = None
    namespace: str | None = None
    impersonate: str | None = None
    all_namespaces: bool = False

    def flags(self) -> str:
        """These options again, for a command that a message tells to run next; the namespace is said there."""
        given = {"--kubeconfig": self.kubeconfig, "--context": self.context, "--as": self.impersonate}
        return "".join(f" {flag} {value}" for flag, value in given.items() if value is not None)


def choose_target(
    *,
    cluster: bool,
    kubeconfig: Path | None,
    context: str | None,
    namespace: str | None,
    impersonate: str | None = None,
    all_namespaces: bool = False,
    others: Mapping[str, object] | None = None,
) -> ClusterTarget | None:
    """The cluster that `trivium` is to ask, or None for this machine: any option that names a cluster chooses it.

    `others` are the command's options that have a meaning on a cluster only, by flag. Raises CommandError where one of
    them is given and no cluster.
    """
    if not cluster and kubeconfig is None and context is None:
        given = {**(others or {}), "--as": impersonate, "--all-namespaces": all_namespaces}
        for flag, value in given.items():
            if value is not None and value is not False:  # a number may be 0
                message = f"{flag}: has a meaning on a cluster only. Add --cluster or --context."
                raise CommandError(message, code=ExitCode.USAGE)
        return None
    return ClusterTarget(
        kubeconfig=kubeconfig,
        context=context,
        namespace=namespace,
        impersonate=impersonate,
        all_namespaces=all_namespaces,
    )
