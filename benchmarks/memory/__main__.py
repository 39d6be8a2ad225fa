"""`python -m benchmarks.memory`: measure again; `--write`: write docs/planning-errors.md from what was measured."""

import argparse
from collections.abc import Iterator, Sequence

from benchmarks.machine import describe_machine
from benchmarks.memory import fake, page, process_group, resident, store
from benchmarks.memory.case import Case
from benchmarks.memory.cases import ENGINES, RESIDENT, SHAPES
from benchmarks.memory.store import Kind, Measurement

KINDS: tuple[Kind, ...] = ("engine", "shapes", "resident")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__)
    parser.add_argument("kinds", nargs="*", choices=[[], *KINDS], help="what to measure; all where none is named")
    parser.add_argument("--write", action="store_true", help="measure nothing; write the page")
    options = parser.parse_args(arguments)
    if not options.write:
        wanted = options.kinds or KINDS
        kept = [one for one in store.load() if one.kind not in wanted] if store.MEASUREMENTS.exists() else []
        new = [one for kind in wanted for one in measure(kind)]
        ordered = sorted([*kept, *new], key=lambda one: KINDS.index(one.kind))
        store.keep(ordered, machine=describe_machine())
    page.PAGE.write_text(page.render(store.load(), machine=store.machine()))


def measure(kind: Kind) -> Iterator[Measurement]:
    """All cases of a kind, with progress on the screen."""
    if kind == "engine":
        yield from _engines(ENGINES)
        return
    cases, how = (SHAPES, fake.measure) if kind == "shapes" else (RESIDENT, resident.measure)
    for case in cases:
        print(kind, case.model, case.name, flush=True)
        yield Measurement(kind=kind, case=case, windows=how(case))


def _engines(cases: Sequence[Case]) -> Iterator[Measurement]:
    for world_size in sorted({case.world_size for case in cases}):
        together = [case for case in cases if case.world_size == world_size]
        print(len(together), "cases on", world_size, "processes", flush=True)
        for case, reports in zip(together, process_group.measure(together), strict=True):
            windows = {name: max((one[name] for one in reports), key=lambda seen: seen["peak"]) for name in reports[0]}
            yield Measurement(kind="engine", case=case, windows=windows)


if __name__ == "__main__":
    main()
