"""How a command fails: one or two sentences on standard error and an exit code, never a traceback."""

from trivium.cli.exit_codes import ExitCode


class CommandError(Exception):
    """What went wrong, why, and the way out, in sentences for the person at the terminal."""

    def __init__(self, message: str, *, code: ExitCode = ExitCode.UNEXPECTED) -> None:
        super().__init__(message)
        self.code = code
