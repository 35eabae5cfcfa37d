"""Workers for a test: with a coordinator that keeps their blobs, and the kind `odd` (tests/odd) to do."""

import asyncio
import io
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pyarrow as pa
import pytest
from msgspec.structs import replace
from pyarrow import parquet

from optimai.core import rows
from optimai.core.ids import blob_id
from optimai.kinds import catalog
from optimai.kinds.catalog import Loaded
from optimai.node import limits, process
from optimai.node.clock import Clock
from optimai.node.frames import Setting
from optimai.node.hands import Declined, Unable
from optimai.node.workers import Workers
from optimai.wire.exchange import Asked, Offer
from tests.node_coordinator import FakeCoordinator, coordinating
from tests.processes import alive

ODD = Path(__file__).parent / "odd"


class Line:
    def __init__(self) -> None:
        self.challenges: asyncio.Queue[Asked] = asyncio.Queue()
        self.answers: list[tuple[int, str]] = []
        self.told: list[tuple[int, int]] = []

    async def asked(self) -> Asked:
        return await self.challenges.get()

    async def met(self, challenge: int, digest: str) -> None:
        self.answers.append((challenge, digest))

    def progress(self, done: int, of: int) -> None:
        self.told.append((done, of))


class Crew:
    """Workers, a coordinator that keeps their blobs, and a way to give them something to do."""

    def __init__(self, coordinator: FakeCoordinator, folder: Path, **fields: Any) -> None:
        self.coordinator = coordinator
        self.folder = folder
        self.clock = Clock()
        word_count = catalog.load("word_count")
        kind = replace(word_count.kind, **{"name": "odd", "reads": "nothing", "memory_mb": 200, **fields})
        self.kinds: dict[str, Loaded] = {"word_count": word_count, "odd": replace(word_count, kind=kind)}
        self.setting = Setting(
            url=coordinator.url,
            cache=str(folder / "cache"),
            cache_mb=10,
            scratch=str(folder / "scratch"),
            hosts={},
            memory_mb=200,
            parent=os.getpid(),
        )
        self.workers = Workers(self.setting, self.kinds, 2, self.clock)

    def offer(self, kind: str, task: object, lease: float = 30.0) -> Offer:
        self.coordinator.add(kind, task, lease)
        offer = self.coordinator.work.pop()
        self.coordinator.offered.append(offer)
        return offer

    async def do(self, do: str, argument: str = "", *, line: Line | None = None, lease: float = 30.0) -> str:
        """What the odd kind says; its decline in brackets."""
        offer = self.offer("odd", {"do": do, "argument": argument}, lease)
        outcome = await self.workers.do(offer, line or Line())
        if isinstance(outcome, Declined | Unable):
            return f"[{outcome.why}]"
        said: str = msgspec.json.decode(outcome)["said"]
        return said

    def processes(self) -> list[psutil.Process]:
        ours = psutil.Process().children(recursive=True)
        return [one for one in ours if alive(one)]


Hire = Callable[..., Crew]


@asynccontextmanager
async def hiring(folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Hire]:
    """Crews of workers that know the kind `odd`; they go home at the end."""
    real = limits.environment

    def with_odd(scratch: Path, threads: int) -> dict[str, str]:
        made = real(scratch, threads)
        return made | {"PYTHONPATH": f"{made['PYTHONPATH']}:{ODD}"}

    monkeypatch.setattr(process, "environment", with_odd)
    crews = []
    async with coordinating(FakeCoordinator()) as coordinator:

        def hire(**fields: Any) -> Crew:
            crews.append(Crew(coordinator, folder, **fields))
            return crews[-1]

        yield hire
        for crew in crews:
            await crew.workers.close()


def shard(coordinator: FakeCoordinator, *texts: str) -> dict[str, Any]:
    """A shard with these texts, at the coordinator."""
    table = pa.table(
        {
            "_row": [rows.row_id("c/before", text) for text in texts],
            "text": list(texts),
            "other": [1] * len(texts),
        }
    )
    parquet.write_table(table, file := io.BytesIO(), compression="zstd")
    data = file.getvalue()
    coordinator.blobs[blob_id(data)] = data
    return {"blob": blob_id(data), "rows": len(texts), "bytes": len(data)}
