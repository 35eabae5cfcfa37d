"""What a simulated node does with an offer: the real work of its kind, or a lie.

The work itself is the kind's own `work`, done at once in this process; how long it
took is only said. So a world's rows and hashes are as real as a network's.
"""

from collections.abc import AsyncIterator, Callable, Iterable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
from blake3 import blake3
from msgspec import Raw, json

from optimai.blobs.port import Blobs
from optimai.core import rows
from optimai.core.clock import Instant
from optimai.core.ids import AssignmentId, BlobId, RowId, blob_id
from optimai.core.rows import Row
from optimai.kinds import catalog
from optimai.kinds.contract import Shard
from optimai.kinds.hold import spec as hold
from optimai.kinds.kit import Asked, Page, Refused
from optimai.network import access
from optimai.wire.exchange import Asked as AskedOnTheWire
from optimai.wire.exchange import Done, Offer

if TYPE_CHECKING:
    from optimai.sim.world import World

Web = Callable[[str], Page | Refused]


class Doing:
    """Honest. `seconds` for each unit, give or take half; `web` answers what its tasks fetch."""

    patience = timedelta(hours=1)  # between two asks while there is no work and nobody calls

    def __init__(
        self,
        *kinds: str,
        seconds: float = 0.5,
        engine: bool = False,
        web: Web | None = None,
        keeps: bool = True,
    ) -> None:
        self.kinds = kinds
        self.seconds = seconds
        self.engine = engine
        self.web = web
        self.keeps = keeps  # the bytes that it is paid for holding

    async def do(self, offer: Offer, world: "World") -> tuple[timedelta, Done]:
        """How long it took, and what came of it."""
        kind = catalog.load(offer.kind)
        took = timedelta(milliseconds=1 + world.chance(int(offer.units * self.seconds * 1000) + 1000))
        task = json.decode(offer.task, type=kind.task)
        if isinstance(task, hold.Task):  # its work would wait for the epoch to end; challenges are met below
            return task.until - world.now, Done(
                offer.assignment, Raw(json.encode(hold.Result(len(task.shards))))
            )
        result = await catalog.work(offer.kind)(task, WorldKit(offer, world, self.web))
        return took, Done(offer.assignment, Raw(json.encode(result)))

    async def meet(self, asked: AskedOnTheWire, blobs: Blobs) -> str | None:
        """The answer to a challenge; None where it does not have the bytes."""
        if not self.keeps:
            return None
        held = await blobs.get(BlobId(asked.blob), asked.start, asked.length)
        return blake3(asked.nonce + held).hexdigest()


class Wrong(Doing):
    """A liar that any exact kind exposes: what it names as its rows was never asked for."""

    async def do(self, offer: Offer, world: "World") -> tuple[timedelta, Done]:
        blob = await WorldKit(offer, world, None).write(f"{self.kinds} {offer.assignment}\n".encode())
        return timedelta(milliseconds=20), Done(offer.assignment, Raw(json.encode({"rows": blob})))


class WorldKit:
    """Fits `kinds.kit.Kit`, over the world's own blobs and clock."""

    def __init__(self, offer: Offer, world: "World", web: Web | None) -> None:
        self.step = offer.step
        self._assignment = offer.assignment
        self.until = offer.lease_until
        self._world = world
        self._web = web

    def row_id(self, *key: str) -> RowId:
        return rows.row_id(self.step, *key)

    def now(self) -> Instant:
        return self._world.now

    async def rows(self, shard: Shard, *columns: str) -> list[dict[str, Any]]:
        table: pa.Table = pq.ParquetFile(pa.BufferReader(await self.read(shard.blob))).read(use_threads=False)
        listed: list[dict[str, Any]] = table.to_pylist()
        return [{name: row.get(name) for name in columns} for row in listed] if columns else listed

    async def write_rows(self, many: Iterable[Row]) -> BlobId:
        return await self.write(rows.write(many))

    async def read(self, blob: BlobId) -> bytes:
        return await self._world.database.blobs.get(blob)

    async def write(self, data: bytes) -> BlobId:
        database = self._world.database
        async with database.begin() as (tx, now):
            await access.bring(tx, AssignmentId(self._assignment), data, now)
        return blob_id(data)

    async def keep(self, blob: BlobId) -> Path:
        return self.scratch() / blob

    async def fetch(self, url: str, *, delay_ms: int = 0) -> Page:
        found = self._web(url) if self._web else Refused("unreachable", "this world has no web")
        if isinstance(found, Refused):
            raise found
        return found

    def scratch(self) -> Path:
        raise ValueError("nothing in a world has a folder")

    def progress(self, done: int, of: int) -> None: ...

    async def challenges(self) -> AsyncIterator[Asked]:
        """Met by the world at each exchange, not by the work."""
        nothing: tuple[Asked, ...] = ()
        for asked in nothing:
            yield asked

    async def answer(self, asked: Asked, digest: str) -> None: ...
