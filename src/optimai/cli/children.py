"""Processes of one tree: each with its log, each gone when we are.

A child leads a process group of its own, so that what it started ends with it. It is
told to stop by SIGTERM and has a few seconds; killing it with -9 is what a demo does
to see what survives. Where we are killed, it ends by itself (see `child`).
"""

import asyncio
import os
import re
import signal
import sys
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from optimai.cli import child, settings
from optimai.core.errors import ChildEnded, OptimaiError, known, told

T = TypeVar("T")

PATIENCE = 8.0  # seconds until a child that was told to stop is killed
LAST = 5  # lines of its log that are shown of a child that ended by itself


def run(main: Coroutine[Any, Any, T]) -> T:
    """As asyncio.run, but only the first Ctrl-C or SIGTERM counts: what it stops is put away in peace."""
    told_to_stop = False

    async def whole() -> T | None:
        task = asyncio.ensure_future(main)

        def stop() -> None:
            nonlocal told_to_stop
            if not told_to_stop:
                told_to_stop = True
                task.cancel()

        for number in signal.SIGINT, signal.SIGTERM:
            asyncio.get_running_loop().add_signal_handler(number, stop)
        with suppress(asyncio.CancelledError):
            return await task
        return None

    result = asyncio.run(whole())
    if told_to_stop:
        raise KeyboardInterrupt
    return result  # type: ignore[return-value]  # None only where it was told to stop


class Child:
    def __init__(self, name: str, arguments: Sequence[str], logs: Path) -> None:
        """`arguments` follow `python -m`."""
        self.name = name
        self.arguments = list(arguments)
        self.log = logs / f"{name}.log"
        self._begin = 0  # where in its log it began: those before it wrote there too
        self._process: asyncio.subprocess.Process | None = None
        self._told = False  # to stop

    @property
    def pid(self) -> int:
        if self._process is None:
            raise ProcessLookupError(f"{self.name} was never started")
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    @property
    def failed(self) -> bool:
        return self._process is not None and self._process.returncode is not None and not self._told

    async def start(self) -> "Child":
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._begin = log.tell()
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",
                child.__file__,
                *self.arguments,
                stdin=asyncio.subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=settings.child_environment(),
                start_new_session=True,
            )
        return self

    async def stop(self) -> None:
        if self._process is None or self._process.returncode is not None:
            return
        self._told = True
        self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), PATIENCE)
        except TimeoutError:
            await self.kill()

    async def kill(self) -> None:
        """SIGKILL, to it and to all that it started."""
        if self._process is None or self._process.returncode is not None:
            return
        self._told = True
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        await self._process.wait()

    def freeze(self) -> None:
        """It and all that it started stand still, until they are killed or go on."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGCONT)

    async def says(self, lines: int, seconds: float = 30) -> list[str]:
        """Its first lines of output. Raises what it ended with before."""
        for _ in range(int(seconds * 20)):
            said = self._said()
            if len(said) >= lines and self.running and not _error(said):
                return said[:lines]
            if not self.running:
                break
            await asyncio.sleep(0.05)
        raise self.failure()

    def failure(self) -> OptimaiError:
        """Its own error, where it ended with one; else the last that it said."""
        said = self._said()
        if error := _error(said):
            return error
        last = "".join(f"\n  {line}" for line in said[-LAST:])
        return ChildEnded(self.name, last or "nothing", str(self.log))

    def _said(self) -> list[str]:
        """All whole lines that it has written since it began."""
        with self.log.open("rb") as log:
            log.seek(self._begin)
            text = log.read().decode("utf-8", "replace")
        return [line for line in text[: text.rfind("\n") + 1].splitlines() if line.strip()]


def _error(said: Sequence[str]) -> OptimaiError | None:
    """The last line that `optimai` ends with where something is wrong."""
    for line in reversed(said):
        code, _, message = line.partition(": ")
        if re.fullmatch("[a-z_]+", code) and known(code):
            return told(code, message)
    return None


class Children:
    """Started in order, stopped in the opposite order, whatever happens in between."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._all: list[Child] = []

    async def __aenter__(self) -> "Children":
        return self

    async def __aexit__(self, *_: object) -> None:
        for one in reversed(self._all):
            await one.stop()

    def look(self) -> None:
        """Raises what a child ended with that was not told to."""
        for one in self._all:
            if one.failed:
                raise one.failure()

    async def start(self, name: str, *arguments: str) -> Child:
        child = Child(name, arguments, self._logs)
        self._all.append(child)
        return await child.start()
