"""Processes of one tree: each with its log, each gone when we are.

A child leads a process group of its own, so that what it started ends with it. It is
told to stop by SIGTERM and has a few seconds; killing it with -9 is what a demo does
to see what survives.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from optimai.cli import settings
from optimai.core.errors import Internal

PATIENCE = 8.0  # seconds until a child that was told to stop is killed


class Child:
    def __init__(self, name: str, arguments: Sequence[str], logs: Path) -> None:
        """`arguments` follow `python -m`."""
        self.name = name
        self.arguments = list(arguments)
        self.log = logs / f"{name}.log"
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        if self._process is None:
            raise ProcessLookupError(f"{self.name} was never started")
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def start(self) -> "Child":
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                *self.arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=settings.child_environment(),
                start_new_session=True,
            )
        return self

    async def stop(self) -> None:
        if self._process is None or self._process.returncode is not None:
            return
        self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), PATIENCE)
        except TimeoutError:
            await self.kill()

    async def kill(self) -> None:
        """SIGKILL, to it and to all that it started."""
        if self._process is None or self._process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        await self._process.wait()

    async def says(self, lines: int, seconds: float = 30) -> list[str]:
        """Its first lines of output. Raises Internal, naming its log, where it ends before."""
        for _ in range(int(seconds * 20)):
            said = self.log.read_text().splitlines() if self.log.exists() else []
            if len(said) >= lines:
                return said[:lines]
            if not self.running:
                break
            await asyncio.sleep(0.05)
        raise Internal(f"{self.name} (see {self.log})")


class Children:
    """Started in order, stopped in the opposite order, whatever happens in between."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._all: list[Child] = []

    async def __aenter__(self) -> "Children":
        return self

    async def __aexit__(self, *_: object) -> None:
        for child in reversed(self._all):
            await child.stop()

    async def start(self, name: str, *arguments: str) -> Child:
        child = Child(name, arguments, self._logs)
        self._all.append(child)
        return await child.start()
