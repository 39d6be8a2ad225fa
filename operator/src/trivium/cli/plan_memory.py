"""The memory of one GPU as bars: a bar for each part, to the scale of the whole device."""

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from trivium.api.plan_status import MemoryPlan
from trivium.cli.plan_figures import gibibytes

_NAME_WIDTH, _SIZE_WIDTH, _MARGIN = 14, 10, 8
_MOST_CELLS = 60
_EIGHTHS = " ▏▎▍▌▋▊▉█"


def print_memory(memory: MemoryPlan, *, gpu: bool, console: Console) -> None:
    """A row for each part that takes any memory, largest first, and what is left."""
    cells = min(_MOST_CELLS, console.width - _NAME_WIDTH - _SIZE_WIDTH - _MARGIN)
    device = "a GPU" if gpu else "a worker"
    console.print(
        f"\n  Memory of {device}: {gibibytes(memory.needed)} of {gibibytes(memory.available)}"
        f" ({memory.needed / memory.available:.0%})"
    )
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(min_width=_NAME_WIDTH, no_wrap=True)
    table.add_column(min_width=_SIZE_WIDTH, justify="right", no_wrap=True)
    table.add_column(no_wrap=True)
    for name, size in sorted(memory.breakdown.items(), key=lambda part: -part[1]):
        table.add_row(name, gibibytes(size), Text(bar(size / memory.available, cells=cells), style="cyan"))
    free = max(0, memory.available - memory.needed)
    table.add_row("free", gibibytes(free), Text(bar(free / memory.available, cells=cells), style="dim"))
    console.print(Padding(table, (0, 0, 0, 2)))


def bar(share: float, *, cells: int) -> str:
    """A share of `cells` cells, to an eighth of a cell; something is never nothing."""
    eighths = min(8 * cells, max(1 if share > 0 else 0, round(share * 8 * cells)))
    whole, rest = divmod(eighths, 8)
    return _EIGHTHS[8] * whole + (_EIGHTHS[rest] if rest else "")
