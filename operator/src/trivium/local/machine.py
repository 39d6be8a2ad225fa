"""What this machine offers: cores, memory, and the one compute profile that is made of them."""

import os
from dataclasses import dataclass
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")
_MEMINFO = Path("/proc/meminfo")
_VMSTAT = Path("/proc/vmstat")


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Cores and memory that this process may use, its container's limits counted in."""

    cores: int
    memory_bytes: int


def this_machine() -> Machine:
    """Measured now."""
    return Machine(cores=_cores(), memory_bytes=_memory_bytes())


def _cores() -> int:
    """The scheduler's mask, cut by a cgroup v2 quota (`max` or `<quota> <period>` in microseconds)."""
    cores = len(os.sched_getaffinity(0))
    quota, _, period = _read(_CGROUP / "cpu.max").partition(" ")
    if quota.isdigit() and period.isdigit():
        cores = min(cores, int(quota) // int(period))
    return max(1, cores)


def _memory_bytes() -> int:
    lines = dict(line.split(":", 1) for line in _MEMINFO.read_text().splitlines())
    total = int(lines["MemTotal"].split()[0]) * 1024
    limit = _read(_CGROUP / "memory.max")
    return min(total, int(limit)) if limit.isdigit() else total


def oom_kills() -> int:
    """How often the kernel has killed for memory in this container (else on this machine), so far."""
    for path, name in ((_CGROUP / "memory.events", "oom_kill"), (_VMSTAT, "oom_kill")):
        counters = dict(line.split() for line in _read(path).splitlines())
        if name in counters:
            return int(counters[name])
    return 0


def _read(path: Path) -> str:
    """A file of the kernel, "" where this kernel or container has none."""
    try:
        return path.read_text().strip()
    except OSError:
        return ""
