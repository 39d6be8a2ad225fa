"""`trivium operator`: the process that the Helm chart runs."""

import asyncio
import logging
import os

import typer

from trivium.cli.errors import CommandError
from trivium.ports import ClusterError


def operator() -> None:
    """Reconcile the jobs of a cluster. Settings: TRIVIUM_... variables, see docs/reference/operator-settings.md."""
    try:
        from trivium.handlers.operator import run_operator  # noqa: PLC0415 - kopf and the client are heavy, and an extra
        from trivium.handlers.settings import SettingsError, read_settings  # noqa: PLC0415 - as above
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in ("kopf", "kubernetes", "aiohttp"):
            raise
        raise CommandError(f"{error.name} is not installed. Install trivium[operator].") from error
    try:
        settings = read_settings(os.environ)
    except SettingsError as error:
        raise CommandError(str(error)) from None
    logging.basicConfig(level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # Kopf tells of every object and of every retry of every stream; what matters of it shows in the probes and in ours.
    logging.getLogger("kopf").setLevel("WARNING")
    logging.getLogger("kopf._cogs.clients").setLevel("CRITICAL")
    try:
        code = asyncio.run(run_operator(settings))
    except ClusterError as error:
        raise CommandError(str(error)) from None
    raise typer.Exit(code)
