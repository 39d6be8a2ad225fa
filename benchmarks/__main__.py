"""`python -m benchmarks [NAME...]`: measure; `python -m benchmarks --write`: put what was measured into README.md."""

import argparse
import tempfile
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import cast

from benchmarks import results, table
from benchmarks.comparison import Comparison, Settings, measure
from benchmarks.machine import describe_machine

NAMES = ("pretrain", "sft", "packing", "start", "idle")
README = Path(__file__).with_name("README.md")


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parse(arguments)
    if options.write:
        table.write(options.readme, load(NAMES), folder=options.results)
        return
    fields = ("pairs", "steps", "warmup", "parameters", "threads")
    settings = Settings(**{name: getattr(options, name) for name in fields})
    machine = describe_machine()
    for comparison in load(options.names or NAMES):
        with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
            result = measure(comparison, settings, Path(folder) / comparison.NAME, machine=machine)
        print(table.render([comparison], {comparison.NAME: result}), flush=True)
        if settings.counts:
            print(f"kept in {results.keep(result, options.results)}", flush=True)
        else:
            print("not kept: fewer pairs, steps or parameters than the goals ask for", flush=True)


def load(names: Sequence[str]) -> list[Comparison]:
    """The modules of these comparisons; importing one starts nothing."""
    return [cast("Comparison", import_module(f"benchmarks.{name}")) for name in names]


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}; all where none is named")
    parser.add_argument("--write", action="store_true", help="measure nothing; write the kept results into README.md")
    least = Settings()
    parser.add_argument("--pairs", type=int, default=least.pairs, help="rounds in which every side runs once")
    parser.add_argument("--steps", type=int, default=least.steps, help="optimizer steps in the window")
    parser.add_argument("--warmup", type=int, default=least.warmup, help="optimizer steps before it")
    parser.add_argument("--parameters", type=int, default=least.parameters, help="at least so many weights")
    parser.add_argument("--threads", type=int, default=least.threads, help="of torch, in each training side")
    parser.add_argument("--results", type=Path, default=results.RESULTS, help="folder of the result files")
    parser.add_argument("--readme", type=Path, default=README, help="file with the table, for --write")
    options = parser.parse_args(arguments)
    for name in options.names:
        if name not in NAMES:
            parser.error(f"{name}: no such comparison. Use one of {', '.join(NAMES)}.")
    return options


if __name__ == "__main__":
    main()
