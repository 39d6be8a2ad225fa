"""`python -m trivium_trainer.report RUN_DIRECTORY... -o report.html`: the report without the operator's CLI."""

import argparse
import sys
from pathlib import Path

from trivium_trainer.report import ReportTooLargeError, render_report


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0, or 66 (EX_NOINPUT) if a directory is none, 65 (EX_DATAERR) if the page would be too large."""
    parser = argparse.ArgumentParser(prog="python -m trivium_trainer.report", description=__doc__)
    parser.add_argument("run_directories", nargs="+", type=Path, metavar="RUN_DIRECTORY")
    parser.add_argument("-o", "--output", required=True, type=Path, help="the HTML file to write")
    options = parser.parse_args(arguments)
    try:
        html = render_report(options.run_directories)
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        return 66
    except ReportTooLargeError as error:
        print(error, file=sys.stderr)
        return 65
    options.output.write_text(html, encoding="utf-8")
    print(f"{options.output}: {len(html.encode()):,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
