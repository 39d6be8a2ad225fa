"""Every way in which a command can end, turned into a sentence and an exit code; the process ends here."""

import os
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path

from trivium.cli.errors import CommandError
from trivium.cli.exit_codes import ExitCode


def end_well(command_line: Callable[[], object]) -> None:
    """Run a command line. Does not return."""
    try:
        command_line()
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
