"""Honest hands: a warm worker process for each kind, started at its first task.

A process takes as many tasks at once as its kind says; where more run at once, there are
more processes. One that has been idle for IDLE ends, and its memory is free again.

A worker may die of a task: of too much memory, or of a fault in a library. Then its task
is tried once more, in a process of its own, so that it can't take others down again; one
such try at a time. Dies that one too, the task is handed back. A worker that can't even
begin, because of a library that is missing or damaged, makes the whole kind undoable here.
"""

import asyncio
import logging
from collections.abc import Mapping
from datetime import timedelta

from msgspec import Raw
from msgspec.structs import replace

from optimai.kinds.catalog import Loaded
from optimai.kinds.contract import Kind
from optimai.node import frames
from optimai.node.clock import Clock
from optimai.node.hands import Declined, Line, Outcome, Unable, kind_of
from optimai.node.process import Died, NeverBegan, Process
from optimai.wire.exchange import Offer

IDLE = 300.0  # seconds

log = logging.getLogger(__name__)


class Workers:
    def __init__(
        self, setting: frames.Setting, kinds: Mapping[str, Loaded], cores: int, clock: Clock
    ) -> None:
        """`setting` is for all workers; the memory is each kind's own."""
        self._setting = setting
        self._kinds = kinds
        self._cores = cores
        self._clock = clock
        self._processes: dict[str, list[Process]] = {}  # by kind; work on an engine has its own
        self._second = asyncio.Lock()
        self._alone: Process | None = None  # for the second try of a task
        self._idle: dict[Process, asyncio.TimerHandle] = {}
        self._ending: set[asyncio.Task[None]] = set()

    async def do(self, offer: Offer, line: Line) -> Outcome:
        kind = self._kinds[kind_of(offer)].kind
        process = self._warm(offer, kind)
        try:
            return await self._in(process, offer, line)
        except Died as fault:
            log.warning("the worker of assignment %s %s; it is tried once more", offer.assignment, fault)
        finally:
            self._rest(process)
        async with self._second:
            self._alone = self._new(offer, kind)
            try:
                return await self._in(self._alone, offer, line)
            except NeverBegan as fault:
                log.error("%s is not done here: its worker %s", kind.name, fault)
                return Unable(f"The worker of {kind.name} can't begin here.")
            except Died as fault:
                log.warning("the worker of assignment %s %s; it is given up", offer.assignment, fault)
                return Declined(f"The worker of {kind.name} died over it twice.")
            finally:
                await self._alone.end()
                self._alone = None

    async def close(self) -> None:
        processes = [process for some in self._processes.values() for process in some]
        processes += [self._alone] if self._alone else []
        for some in self._processes.values():
            some.clear()
        for timer in self._idle.values():
            timer.cancel()
        self._idle.clear()
        await asyncio.gather(*(process.end() for process in processes))

    async def _in(self, process: Process, offer: Offer, line: Line) -> Raw | Declined:
        lease = max(timedelta(seconds=1), offer.lease_until - self._clock())
        cpu = int(2 * lease.total_seconds() * self._cores) + 1
        return await process.do(offer, line, ahead=self._clock.ahead.total_seconds(), cpu=cpu)

    def _warm(self, offer: Offer, kind: Kind) -> Process:
        some = [one for one in self._processes.get(offer.kind, ()) if not one.ended]
        self._processes[offer.kind] = some
        for process in some:
            if process.count < kind.parallel:
                break
        else:
            process = self._new(offer, kind)
            some.append(process)
        if timer := self._idle.pop(process, None):
            timer.cancel()
        return process

    def _rest(self, process: Process) -> None:
        if not process.count and not process.ended:
            loop = asyncio.get_running_loop()
            self._idle[process] = loop.call_later(IDLE, self._let_go, process)

    def _let_go(self, process: Process) -> None:
        del self._idle[process]
        for some in self._processes.values():
            if process in some:
                some.remove(process)
        task = asyncio.create_task(process.end())
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    def _new(self, offer: Offer, kind: Kind) -> Process:
        """Work on an engine may use every core; other work one."""
        threads = self._cores if offer.kind.endswith("+engine") else 1
        return Process(kind.name, replace(self._setting, memory_mb=kind.memory_mb), threads)
