"""`python -m trivium.api.generate [--check] [ROOT]`: write the generated files, or say which are out of date."""

import argparse
import sys
from pathlib import Path

from trivium.api.generate.files import generated_files


def main() -> int:
    """Exit code 0: done, or up to date; 1: out of date."""
    parser = argparse.ArgumentParser(prog="python -m trivium.api.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file is out of date")
    parser.add_argument("root", nargs="?", type=Path, default=Path(), help="root of the repository")
    arguments = parser.parse_args()
    files = {arguments.root / path: text for path, text in generated_files().items()}
    stale = [path for path, text in files.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    # A kind that is no longer ours must not stay behind as a file.
    left = [path for path in (arguments.root / "crds").rglob("*") if path.is_file() and path not in files]
    if arguments.check:
        for path in [*stale, *left]:
            print(f"{path}: out of date. Run `make generate`.")
        return 1 if stale or left else 0
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(files[path], encoding="utf-8")
    for path in left:
        path.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
