"""Where a result was measured: the machine, how busy it was, and the versions that matter."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

PACKAGES = ("torch", "deepspeed", "transformers", "trl", "accelerate", "ray", "trivium")


def describe_machine() -> dict[str, str]:
    """For the result file and the table."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processor": _processor(),
        "cores": _cores(),
        "memory": f"{memory:.0f} GiB",
        "kernel": platform.release(),
        # A busy machine spoils a measurement; the reader can see it.
        "loadBefore": f"{os.getloadavg()[0]:.2f}",
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
    }


def _cores() -> str:
    """Of the machine; where `taskset` leaves this process fewer, those are named."""
    own, all_of_them = len(os.sched_getaffinity(0)), os.cpu_count()
    return str(own) if own == all_of_them else f"{own} of {all_of_them}"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
