"""What became of the processes that a test has seen."""

import psutil


def alive(process: psutil.Process | int) -> bool:
    """A zombie is not: its end waits for a parent to ask, and where the orphans' parent never asks, it stays."""
    try:
        one = psutil.Process(process) if isinstance(process, int) else process
        return bool(one.is_running() and one.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
