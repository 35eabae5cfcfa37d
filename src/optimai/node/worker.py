"""One warm process that does the tasks of one kind, for as long as its agent lives.

    python -m optimai.node.worker KIND

It speaks in frames (see `frames`) over what was its standard input and output; whatever
a library prints goes to standard error. A thread reads, so that it notices at once when
the agent is gone, even in the middle of a long computation, and ends with all it started.
"""

import asyncio
import os
import signal
import sys
import threading
import traceback
from datetime import timedelta
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from optimai.core.clock import Instant
from optimai.core.errors import OptimaiError
from optimai.core.ids import AssignmentId
from optimai.kinds import catalog
from optimai.kinds.kit import Page, Refused
from optimai.node import frames
from optimai.node.cache import Cache
from optimai.node.clock import Clock
from optimai.node.depot import Depot
from optimai.node.kit import NodeKit
from optimai.node.limits import confine, more_cpu
from optimai.wire.exchange import Asked, Offer


class Worker:
    def __init__(self, kind: str, setting: frames.Setting, inlet: BinaryIO, outlet: BinaryIO) -> None:
        self._kind = catalog.load(kind)
        self._work = catalog.work(kind)
        self._setting = setting
        self._inlet = inlet
        self._outlet = outlet
        self._clock = Clock()
        cache = Cache(Path(setting.cache), setting.cache_mb << 20)
        self._depot = Depot(setting.url, cache, self._clock)
        self._fetcher: Any = None
        self._tasks: dict[AssignmentId, asyncio.Task[None]] = {}
        self._lines: dict[AssignmentId, _Line] = {}

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._listen, args=(loop,), daemon=True).start()
        self.say(frames.Ready())
        await loop.create_future()

    def say(self, frame: frames.FromWorker) -> None:
        self._outlet.write(frames.write(frame))
        self._outlet.flush()

    def _listen(self, loop: asyncio.AbstractEventLoop) -> None:
        while frame := _read(self._inlet):
            loop.call_soon_threadsafe(self._hear, frame)
        os.killpg(os.getpgrp(), signal.SIGKILL)

    def _hear(self, frame: frames.ToWorker) -> None:
        match frame:
            case frames.Do():
                offer = msgspec.json.decode(frame.offer, type=Offer)
                self._clock.ahead = timedelta(seconds=frame.ahead)
                more_cpu(frame.cpu)
                line = self._lines[offer.assignment] = _Line(self, offer.assignment)
                self._tasks[offer.assignment] = asyncio.create_task(self._do(offer, line))
            case frames.Cancel(assignment):
                if task := self._tasks.get(assignment):
                    task.cancel()
            case frames.Challenged(assignment, asked):
                if line_of := self._lines.get(assignment):
                    line_of.challenges.put_nowait(asked)
            case frames.Kept(assignment, challenge):
                if line_of := self._lines.get(assignment):
                    line_of.kept(challenge)
            case frames.Setting():
                raise ValueError("a worker is set up once")

    async def _do(self, offer: Offer, line: "_Line") -> None:
        kit = NodeKit(
            offer=offer,
            standing=self._kind.kind.standing,
            depot=self._depot,
            fetch=self._fetch,
            scratch=Path(self._setting.scratch),
            now=self._clock,
            line=line,
        )
        said: frames.FromWorker
        try:
            task = msgspec.json.decode(offer.task, type=self._kind.task)
            result = await self._work(task, kit)
            said = frames.Did(offer.assignment, msgspec.json.encode(result))
        except asyncio.CancelledError:
            said = frames.CouldNot(offer.assignment, "It was stopped.")
        except (OptimaiError, Refused) as fault:
            said = frames.CouldNot(offer.assignment, str(fault))
        except Exception as fault:
            traceback.print_exc()
            said = frames.CouldNot(offer.assignment, f"The work broke over it ({type(fault).__name__}).")
        finally:
            kit.close()
        del self._tasks[offer.assignment], self._lines[offer.assignment]
        self.say(said)

    async def _fetch(self, url: str, *, delay_ms: int = 0, until: Instant | None = None) -> Page:
        """What a fetcher needs is loaded only by kinds that fetch."""
        if self._fetcher is None:
            from optimai.node.fetch import Fetcher

            self._fetcher = Fetcher(self._setting.hosts, self._clock)
        page: Page = await self._fetcher.fetch(url, delay_ms=delay_ms, until=until)
        return page


class _Line:
    def __init__(self, worker: Worker, assignment: AssignmentId) -> None:
        self._worker = worker
        self._assignment = assignment
        self._waiting: dict[int, asyncio.Future[None]] = {}
        self.challenges: asyncio.Queue[Asked] = asyncio.Queue()

    async def asked(self) -> Asked:
        return await self.challenges.get()

    async def met(self, challenge: int, digest: str) -> None:
        kept = self._waiting[challenge] = asyncio.get_running_loop().create_future()
        self._worker.say(frames.Answer(self._assignment, challenge, digest))
        await kept

    def kept(self, challenge: int) -> None:
        if waiting := self._waiting.pop(challenge, None):
            waiting.set_result(None)

    def progress(self, done: int, of: int) -> None:
        self._worker.say(frames.Progress(self._assignment, done, of))


def _read(inlet: BinaryIO) -> frames.ToWorker | None:
    """The next frame; None at the end."""
    head = inlet.read(4)
    if len(head) < 4:
        return None
    size = frames.length(head)
    body = inlet.read(size)
    return frames.to_worker(body) if len(body) == size else None


def _take_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Standard input and output for ourselves; everybody else reads nothing and prints to standard error."""
    inlet, outlet = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return inlet, outlet


def main() -> None:
    inlet, outlet = _take_pipes()
    setting = _read(inlet)
    if not isinstance(setting, frames.Setting):
        return
    confine(setting.memory_mb, setting.parent)
    asyncio.run(Worker(sys.argv[1], setting, inlet, outlet).run())


if __name__ == "__main__":
    main()
