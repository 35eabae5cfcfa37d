"""Processor seconds of a process and all below it, ended ones too.

Whoever reaps a child keeps its account (`children_user`, `children_system`), so a process that has ended is
counted with its parent. Where the system keeps no such account (macOS), only those that live are counted.
"""

from collections.abc import Collection, Mapping

import psutil


def processes(root: int) -> Mapping[int, float]:
    """Of each process of the tree its seconds, user and system, with those of the children it reaped."""
    top = psutil.Process(root)
    seconds = {}
    for one in (top, *top.children(recursive=True)):
        try:
            seconds[one.pid] = sum(one.cpu_times()[:4])
        except psutil.NoSuchProcess:  # from now on it is in its parent's account
            continue
    return seconds


def used(root: int, *, without: Collection[int] = ()) -> float:
    return sum(seconds for pid, seconds in processes(root).items() if pid not in without)


def below(root: int) -> Mapping[int, float]:
    """The same without the root: of an agent, its workers. None of them ends within IDLE of node.workers."""
    return {pid: seconds for pid, seconds in processes(root).items() if pid != root}
