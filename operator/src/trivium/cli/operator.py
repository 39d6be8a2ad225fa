"""`trivium operator`: the process that the Helm chart runs."""

import asyncio
import os

import typer

from trivium.cli.errors import CommandError


def operator() -> None:
    """Reconcile the jobs of a cluster. Settings: TRIVIUM_... variables, see docs/reference/operator-settings.md."""
    try:
        from trivium.handlers.intake import CertificateError  # noqa: PLC0415 - as below
        from trivium.handlers.logs import set_up_logs  # noqa: PLC0415 - beside what is an extra
        from trivium.handlers.operator import run_operator  # noqa: PLC0415 - kopf and the client are heavy, and an extra
        from trivium.handlers.profiles_file import ProfilesFileError  # noqa: PLC0415 - as below
        from trivium.handlers.settings import SettingsError, read_settings  # noqa: PLC0415 - as above
        from trivium.ports import ClusterError  # noqa: PLC0415 - it knows the API's models
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in ("kopf", "kubernetes", "aiohttp", "prometheus_client"):
            raise
        raise CommandError(f"{error.name} is not installed. Install trivium[operator].") from error
    try:
        settings = read_settings(os.environ)
    except SettingsError as error:
        raise CommandError(str(error)) from None
    set_up_logs(level=settings.log_level, form=settings.log_format)
    try:
        code = asyncio.run(run_operator(settings))
    except (ClusterError, CertificateError, ProfilesFileError) as error:
        raise CommandError(str(error)) from None
    raise typer.Exit(code)
