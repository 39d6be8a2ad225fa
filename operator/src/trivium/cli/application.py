"""The `trivium` command: every subcommand registered."""

import typer

from trivium.cli.crds import crds
from trivium.cli.logs import logs
from trivium.cli.operator import operator
from trivium.cli.orders import delete, resume, suspend
from trivium.cli.plan import plan
from trivium.cli.report import report
from trivium.cli.run import run
from trivium.cli.status import status
from trivium.cli.validate import validate
from trivium.cli.version import version
from trivium.cli.why_command import why

application = typer.Typer(
    name="trivium",
    help="Pre-training, supervised fine-tuning and preference learning: from a manifest to a model.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (run, plan, validate, status, why, logs, report, suspend, resume, delete, crds, operator, version):
    application.command()(command)
