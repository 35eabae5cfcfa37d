"""Who used the processors: from /proc, so on Linux only. Elsewhere all is zero."""

import os
from pathlib import Path

from msgspec import Struct

_TICKS = os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")


class Used(Struct, frozen=True):
    """Seconds of one processor since the machine started."""

    processes: dict[int, float]
    parents: dict[int, int]
    machine: float


def now() -> Used:
    processes, parents = {}, {}
    for path in _PROC.glob("[0-9]*/stat"):
        try:
            words = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        processes[int(path.parent.name)] = (int(words[11]) + int(words[12])) / _TICKS
        parents[int(path.parent.name)] = int(words[1])
    busy = 0.0
    if (_PROC / "stat").exists():
        words = (_PROC / "stat").read_text().split("\n", 1)[0].split()[1:]
        busy = (sum(map(int, words)) - int(words[3]) - int(words[4])) / _TICKS
    return Used(processes, parents, busy)


def of(before: Used, after: Used, root: int) -> float:
    """What a process and all below it used in between; those that have ended are not seen."""
    tree = {root}
    while grown := {pid for pid, parent in after.parents.items() if parent in tree} - tree:
        tree |= grown
    return sum(after.processes.get(pid, 0.0) - before.processes.get(pid, 0.0) for pid in tree)
