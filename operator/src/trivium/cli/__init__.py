"""The command line: `trivium run | validate | status | logs | report | suspend | resume | delete | crds | version`.

Nothing heavy is imported here: `trivium --help` answers at once, and each command loads what it needs when it runs.
"""


def main() -> None:
    """Entry point of `trivium` and `kubectl trivium`."""
    from trivium.cli.application import run_application  # noqa: PLC0415 - importing trivium.cli stays free

    run_application()
