"""The `trivium` command: every subcommand registered, every ending turned into sentences and an exit code."""

import os
import sys
import tempfile
import traceback
from pathlib import Path

import typer

from trivium.cli.crds import crds
from trivium.cli.errors import CommandError
from trivium.cli.exit_codes import ExitCode
from trivium.cli.logs import logs
from trivium.cli.orders import delete, resume, suspend
from trivium.cli.plan import plan
from trivium.cli.report import report
from trivium.cli.run import run
from trivium.cli.status import status
from trivium.cli.validate import validate
from trivium.cli.version import version

application = typer.Typer(
    name="trivium",
    help="Pre-training, supervised fine-tuning and preference learning: from a manifest to a model.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (run, plan, validate, status, logs, report, suspend, resume, delete, crds, version):
    application.command()(command)


def run_application() -> None:
    """Run the command line; the process ends here."""
    try:
        application()
    except CommandError as error:
        print(f"trivium: {error}", file=sys.stderr)
        sys.exit(error.code)
    except KeyboardInterrupt:
        sys.exit(ExitCode.INTERRUPTED)
    except BrokenPipeError:
        # The reader (`| head`) has gone. Python would complain again when it flushes standard output at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception as error:  # noqa: BLE001 - the last resort: a person gets a sentence, and we get the traceback
        print(f"trivium: {_keep_traceback(error)}", file=sys.stderr)
        sys.exit(ExitCode.UNEXPECTED)


def _keep_traceback(error: Exception) -> str:
    descriptor, path = tempfile.mkstemp(prefix="trivium-error-", suffix=".txt")
    os.close(descriptor)
    Path(path).write_text("".join(traceback.format_exception(error)))
    return f"an error that we did not foresee: {type(error).__name__}: {error}. Please report it with {path}."
