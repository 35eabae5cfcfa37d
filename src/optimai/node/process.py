"""One worker process, from the agent's side: started when it is first needed, ended with its whole group."""

import asyncio
import logging
import os
import shutil
import signal
import sys
from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec import Raw, Struct

from optimai.core.ids import AssignmentId
from optimai.node import frames
from optimai.node.hands import Declined, Line
from optimai.node.kit import task_folder
from optimai.node.limits import environment
from optimai.wire.exchange import Offer

YIELD = 0.4  # seconds in which a task that is cancelled may end by itself

log = logging.getLogger(__name__)


class Died(Exception):
    """A worker process ended by itself. How, and the last that it said."""


class NeverBegan(Died):
    """It could not even load its work."""


class _Job(Struct):
    line: Line
    end: asyncio.Future[Raw | Declined]


class Process:
    def __init__(self, kind: str, setting: frames.Setting, threads: int) -> None:
        self._kind = kind
        self._setting = setting
        self._threads = threads
        self._scratch = Path(setting.scratch)
        self._scratch.mkdir(parents=True, exist_ok=True)
        self._jobs: dict[AssignmentId, _Job] = {}
        self._begun: asyncio.Task[asyncio.subprocess.Process] | None = None
        self._watch: asyncio.Task[None] | None = None
        self._last_words = b""
        self._ready = False
        self.count = 0  # tasks in hand
        self.ended = False

    async def do(self, offer: Offer, line: Line, *, ahead: float, cpu: int) -> Raw | Declined:
        """Raises Died. Cancelled, it has stopped the task when it returns, if need be with the process."""
        self.count += 1
        try:
            frame = frames.Do(offer=msgspec.json.encode(offer), ahead=ahead, cpu=cpu)
            return await self._do(offer, line, frame)
        finally:
            self.count -= 1
            shutil.rmtree(task_folder(self._scratch, offer.assignment), ignore_errors=True)

    async def end(self) -> None:
        """Kill the process and all that it started. Its tasks raise Died."""
        self.ended = True
        if self._begun:
            process = await self._begun
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        if self._watch:
            await asyncio.wait([self._watch])

    async def _do(self, offer: Offer, line: Line, frame: frames.Do) -> Raw | Declined:
        if self._begun is None:
            self._begun = asyncio.create_task(self._start())
        process = await asyncio.shield(self._begun)
        if self.ended:
            raise self._died(process)
        end = asyncio.get_running_loop().create_future()
        end.add_done_callback(asyncio.Future.exception)  # nobody may be waiting any more
        asking = asyncio.create_task(self._ask(offer.assignment, line))
        self._jobs[offer.assignment] = _Job(line, end)
        try:
            await self._say(frame)
            return await asyncio.shield(end)
        except asyncio.CancelledError:
            await self._stop(offer.assignment, end)
            raise
        finally:
            asking.cancel()
            self._jobs.pop(offer.assignment, None)

    async def _start(self) -> asyncio.subprocess.Process:
        scratch = self._scratch
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "optimai.node.worker", self._kind),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment(scratch, self._threads),
            cwd=scratch,
            start_new_session=True,
        )
        self._watch = asyncio.create_task(self._attend(process))
        assert process.stdin
        process.stdin.write(frames.write(self._setting))
        return process

    async def _say(self, frame: frames.ToWorker) -> None:
        assert self._begun
        stdin = self._begun.result().stdin
        assert stdin
        with suppress(ConnectionError):  # it has just died: whoever attends to it says so
            stdin.write(frames.write(frame))
            await stdin.drain()

    async def _stop(self, assignment: AssignmentId, end: asyncio.Future[Raw | Declined]) -> None:
        await self._say(frames.Cancel(assignment))
        # asyncio.timeout is deaf in a task that is being cancelled, before Python 3.11.3.
        await asyncio.wait([end], timeout=YIELD)
        if not end.done():
            await self.end()

    async def _ask(self, assignment: AssignmentId, line: Line) -> None:
        while True:
            await self._say(frames.Challenged(assignment, await line.asked()))

    async def _attend(self, process: asyncio.subprocess.Process) -> None:
        """Hears what the worker says, until it says no more; then whatever it had in hand has Died."""
        assert process.stdout
        assert process.stderr
        listening = asyncio.create_task(self._listen(process.stderr))
        try:
            while True:
                size = frames.length(await process.stdout.readexactly(4))
                await self._hear(frames.from_worker(await process.stdout.readexactly(size)))
        except asyncio.IncompleteReadError:
            with suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), YIELD)
        except Exception:
            log.exception("the worker of %s is not understood", self._kind)
        self.ended = True
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # what it started goes with it
        await process.wait()
        await listening
        assert process.stdin
        process.stdin.close()
        for job in self._jobs.values():
            if not job.end.done():
                job.end.set_exception(self._died(process))

    async def _hear(self, frame: frames.FromWorker) -> None:
        if isinstance(frame, frames.Ready):
            self._ready = True
            return
        job = self._jobs.get(frame.assignment)
        if job is None or job.end.done():
            return
        match frame:
            case frames.Did(_, result):
                job.end.set_result(Raw(result))
            case frames.CouldNot(_, why):
                job.end.set_result(Declined(why))
            case frames.Progress(_, done, of):
                job.line.progress(done, of)
            case frames.Answer(assignment, challenge, digest):
                await job.line.met(challenge, digest)
                await self._say(frames.Kept(assignment, challenge))

    async def _listen(self, stderr: asyncio.StreamReader) -> None:
        while said := await stderr.read(65_536):
            log.debug("%s: %s", self._kind, said.decode(errors="replace").rstrip())
            self._last_words = (self._last_words + said)[-2_000:]

    def _died(self, process: asyncio.subprocess.Process) -> Died:
        code = process.returncode
        how = f"ended with status {code}"
        if code and code < 0:
            how = f"was ended by {signal.Signals(-code).name}"
        last = self._last_words.decode(errors="replace").strip().splitlines()
        how += f": {last[-1][:200]}" if last else ""
        return Died(how) if self._ready else NeverBegan(how)
