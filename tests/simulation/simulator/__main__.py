"""The soak: `make soak`, or `python -m simulator --minutes 10`. Ends with 1 if any history failed."""

import argparse
import sys
import time
from pathlib import Path

from simulator.chance import write_script
from simulator.goodput import RATES, measure
from simulator.history import CONVERGENCE_SECONDS, play
from simulator.many import Tally, explain, play_many
from simulator.matrix import empty_cells, render_matrix, render_table
from simulator.script import dump, load


def main() -> int:
    arguments = _parse()
    if arguments.seed is not None or arguments.script is not None:
        script = load(arguments.script.read_text()) if arguments.script else write_script(arguments.seed)
        result = play(script)
        print(result if not result.failed else f"{result}\n\nshrunk:\n{explain(script)}", dump(script), sep="\n")
        return int(result.failed)
    tally, seconds = _soak(arguments)
    rate = tally.histories / seconds
    days = tally.simulated_seconds / 86_400
    print(f"{tally.histories:,} histories in {seconds:.0f} s: {rate:.1f} per second, {days:.1f} simulated days")
    print(render_table(tally))
    for rate in RATES:
        print(measure(rate, steps=60 * rate))
    for failure in tally.failures:
        print(f"\n{failure}")
    empty = empty_cells(tally)
    print(f"{len(tally.failed_seeds)} failed; {len(empty)} cells of the table are empty{_list(empty)}")
    if arguments.matrix is not None:
        last = arguments.first + tally.histories - 1
        text = render_matrix(tally, first=arguments.first, last=last, hours=CONVERGENCE_SECONDS / 3600)
        arguments.matrix.write_text(text)
    return int(bool(tally.failed_seeds))


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m simulator", description=__doc__)
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--minutes", type=float, default=5.0, help="how long to go on (default 5)")
    length.add_argument("--seeds", type=int, help="how many histories to play")
    parser.add_argument("--first", type=int, default=0, help="the first seed (default 0)")
    parser.add_argument("--seed", type=int, help="play this one history, and shrink it if it fails")
    parser.add_argument("--script", type=Path, help="play the script in this file")
    parser.add_argument("--matrix", type=Path, help="write the table of phases and faults there")
    return parser.parse_args()


def _soak(arguments: argparse.Namespace) -> tuple[Tally, float]:
    began, tally = time.monotonic(), Tally()
    count = arguments.seeds if arguments.seeds is not None else 1 << 40
    portion = min(count, 2000)
    for start in range(arguments.first, arguments.first + count, portion):
        for share in play_many(start, min(portion, arguments.first + count - start)):
            tally.add(share)
            if arguments.seeds is None and time.monotonic() - began > 60 * arguments.minutes:
                return tally, time.monotonic() - began
    return tally, time.monotonic() - began


def _list(cells: list[tuple[str, str]]) -> str:
    return "".join(f"\n  {fault} in {phase}" for phase, fault in cells)


if __name__ == "__main__":
    sys.exit(main())
