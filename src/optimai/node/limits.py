"""What a worker may use, and what it gets to see of the machine.

A worker is kept apart from the agent so that its crash is its own. That is no security:
it runs as the same user, and the kinds are ours. The limits catch what runs wild.

On Linux a worker's memory is bounded by RLIMIT_DATA. RLIMIT_AS would count what is only
mapped (pyarrow maps 800 MB and uses 200), so it would have to be so wide that it stops
nothing. Allocators reserve up to 230 MB of data that they never touch (measured: pyarrow,
Daft, numpy), hence HEADROOM. On macOS the kernel heeds neither: there only CPU time,
open files and core dumps are limited, and a worker dies with its agent only by noticing
that its standard input has ended.
"""

import ctypes
import os
import resource
import signal
import sys
from pathlib import Path

HEADROOM = 256 << 20
FILES = 1_024
PR_SET_PDEATHSIG = 1


def confine(memory_mb: int, parent: int) -> None:
    """Called by the worker itself, before it loads anything large."""
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_NOFILE, FILES)
    if sys.platform == "linux":
        _lower(resource.RLIMIT_DATA, (memory_mb << 20) + HEADROOM)
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before we asked to die with it
            os._exit(1)


def more_cpu(seconds: int) -> None:
    """From now on this process may use so many seconds more; then the kernel ends it."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    soft = _below(hard, int(used.ru_utime + used.ru_stime) + seconds)
    resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))


def environment(scratch: Path, threads: int) -> dict[str, str]:
    """All that a worker gets: nothing of the agent's own, and no library that phones home."""
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "DO_NOT_TRACK": "1",
        "SCARF_NO_ANALYTICS": "true",
    } | {
        f"{library}_THREADS": str(threads)
        for library in (
            "OMP_NUM", "OPENBLAS_NUM", "MKL_NUM", "NUMEXPR_MAX", "VECLIB_MAXIMUM", "POLARS_MAX", "RAYON_NUM"
        )
    }  # fmt: skip


def _lower(limit: int, to: int) -> None:
    _, hard = resource.getrlimit(limit)
    to = _below(hard, to)
    resource.setrlimit(limit, (to, to))


def _below(hard: int, wanted: int) -> int:
    return wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
