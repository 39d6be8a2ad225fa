"""`kubectl trivium`: the commands that ask a cluster, installed as a kubectl plugin."""

from typing import Any

import typer

from trivium.cli.logs import cluster_logs
from trivium.cli.options import AsOption, ContextOption, KubeconfigOption, NamespaceOrContexts
from trivium.cli.orders import cluster_resume, cluster_suspend
from trivium.cli.report import cluster_report
from trivium.cli.status import cluster_status
from trivium.cli.version import version
from trivium.cli.why_command import why

plugin = typer.Typer(
    name="kubectl trivium",
    help="What Trivium's jobs do on the cluster of your kubeconfig context, and what you can do about it.",
    no_args_is_help=True,
    add_completion=False,  # kubectl completes plugins by programs of its own
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for name, command in (
    ("status", cluster_status),
    ("why", why),
    ("logs", cluster_logs),
    ("report", cluster_report),
    ("suspend", cluster_suspend),
    ("resume", cluster_resume),
    ("version", version),
):
    plugin.command(name)(command)


@plugin.callback()
def keep_options(
    context: typer.Context,
    *,
    namespace: NamespaceOrContexts = None,
    kubeconfig: KubeconfigOption = None,
    kubeconfig_context: ContextOption = None,
    impersonate: AsOption = None,
) -> None:
    """Hand options that stand before the command on to it: `kubectl trivium -n team status`, as people type."""
    given: dict[str, Any] = {
        "namespace": namespace,
        "kubeconfig": kubeconfig,
        "context": kubeconfig_context,
        "impersonate": impersonate,
    }
    given = {name: value for name, value in given.items() if value is not None}
    names = [one.name for one in plugin.registered_commands if one.name is not None]
    context.default_map = dict.fromkeys(names, given)
