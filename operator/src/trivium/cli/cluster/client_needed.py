"""Whether this installation can talk to a cluster; asked before anything that needs the client is loaded."""

import importlib.util

from trivium.cli.errors import CommandError
from trivium.cli.exit_codes import ExitCode


def require_client() -> None:
    """Raises CommandError where the Kubernetes client is not installed, as with the extra `local` alone."""
    if any(importlib.util.find_spec(name) is None for name in ("kubernetes", "aiohttp")):
        raise CommandError(
            "the Kubernetes client is not installed here. Install it: pip install 'trivium[operator]'.",
            code=ExitCode.NO_ACCESS,
        )
