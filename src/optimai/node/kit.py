"""The kit of a machine: what `kinds.kit.Kit` promises, on this node.

Made for one task, in a worker or, for hands that are simulated, in the agent's own
process. Its scratch folder goes with the task; only that of standing work stays, for
the step's next task on this node, until the step had none for KEPT.
"""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

from blake3 import blake3

from optimai.core import rows
from optimai.core.clock import Instant
from optimai.core.ids import AssignmentId, BlobId, RowId
from optimai.core.rows import Row, row_id
from optimai.kinds.contract import Shard
from optimai.kinds.kit import Asked, Page
from optimai.node.cache import file_name
from optimai.node.depot import Depot
from optimai.node.hands import Line
from optimai.wire.exchange import Offer

KEPT = timedelta(days=2)


class Fetch(Protocol):
    """See `node.fetch.Fetcher.fetch`."""

    async def __call__(self, url: str, *, delay_ms: int = 0, until: Instant | None = None) -> Page: ...


class NodeKit:
    def __init__(
        self,
        *,
        offer: Offer,
        standing: bool,
        depot: Depot,
        fetch: Fetch,
        scratch: Path,
        now: Callable[[], Instant],
        line: Line,
    ) -> None:
        """`scratch` is the folder for the folders of all tasks. Close the kit when the task has ended."""
        self.step = offer.step
        self.until = offer.lease_until
        self.now = now
        self.progress = line.progress
        self._token = offer.token
        self._depot = depot
        self._fetch = fetch
        self._line = line
        self._stays = standing
        ours = step_folder(scratch, offer.step) if standing else task_folder(scratch, offer.assignment)
        self._scratch = ours

    def row_id(self, *key: str) -> RowId:
        return row_id(self.step, *key)

    async def rows(self, shard: Shard, *columns: str) -> list[dict[str, Any]]:
        from optimai.node import parquet

        return parquet.read(shard, await self.read(shard.blob), columns)

    async def write_rows(self, written: Iterable[Row]) -> BlobId:
        return await self.write(rows.write(written))

    async def read(self, blob: BlobId) -> bytes:
        return await self._depot.get(blob, self._token, self.until)

    async def write(self, data: bytes) -> BlobId:
        return await self._depot.put(data, self._token, self.until)

    async def keep(self, blob: BlobId) -> Path:
        kept = self.scratch() / file_name(blob)
        if not kept.exists():
            await self._depot.keep(blob, self._token, self.until, kept)
        return kept

    async def fetch(self, url: str, *, delay_ms: int = 0) -> Page:
        return await self._fetch(url, delay_ms=delay_ms, until=self.until)

    def scratch(self) -> Path:
        self._scratch.mkdir(parents=True, exist_ok=True)
        self._scratch.touch()  # it is still used
        return self._scratch

    async def challenges(self) -> AsyncIterator[Asked]:
        """As they come, until the lease ends."""
        while (left := (self.until - self.now()).total_seconds()) > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    asked = await self._line.asked()
                yield Asked(asked.id, BlobId(asked.blob), asked.start, asked.length, asked.nonce)

    async def answer(self, asked: Asked, digest: str) -> None:
        await self._line.met(asked.id, digest)

    def close(self) -> None:
        if not self._stays:
            shutil.rmtree(self._scratch, ignore_errors=True)


def task_folder(scratch: Path, assignment: AssignmentId) -> Path:
    return scratch / f"task-{assignment}"


def step_folder(scratch: Path, step: str) -> Path:
    return scratch / f"step-{blake3(step.encode()).hexdigest()[:16]}"


def sweep(scratch: Path, now: Instant) -> None:
    """Removes what dead workers left, and what standing work has not come back to. While nothing runs."""
    for folder in scratch.glob("*"):
        idle = now.timestamp() - folder.stat().st_mtime
        if not folder.name.startswith("step-") or idle > KEPT.total_seconds():
            shutil.rmtree(folder, ignore_errors=True)
