"""The command line: `trivium run | validate | status | logs | report | suspend | resume | delete | crds | version`,
and `kubectl trivium status | why | logs | suspend | resume | report`.

Nothing heavy is imported here: `trivium --help` answers at once, and each command loads what it needs when it runs.
"""

import sys
from pathlib import Path


def main() -> None:
    """Entry point of `trivium` and `kubectl trivium`: one program, which goes by the name that it was called by."""
    from trivium.cli.ending_process import end_well  # noqa: PLC0415 - importing trivium.cli stays free

    if Path(sys.argv[0]).stem == "kubectl-trivium":
        from trivium.cli.plugin import plugin  # noqa: PLC0415 - one of the two is needed

        end_well(lambda: plugin(prog_name="kubectl trivium"))
    else:
        from trivium.cli.application import application  # noqa: PLC0415 - one of the two is needed

        end_well(application)
