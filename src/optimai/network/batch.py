"""One commit for all who wait.

While transactions are on their way to the disk, exchanges queue up; the next one takes
them all. So under load a commit is shared by dozens of nodes, and alone a node waits for
nobody. When as many wait as are under way, a second one starts, so that the database is
at work while we read what the next one needs. Of each node at most one exchange is
handled at a time.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence

from optimai.core.errors import Internal, OptimaiError
from optimai.core.ids import NodeId
from optimai.network import exchange
from optimai.network.exchange import Incoming
from optimai.network.store.sql import Database
from optimai.wire.exchange import Reply

MOST = 256  # exchanges in one transaction
AT_ONCE = 2  # transactions

Waiting = tuple[Incoming, asyncio.Future[Reply]]

log = logging.getLogger(__name__)


class Batcher:
    def __init__(self, database: Database, came_in: Callable[[], None] = lambda: None) -> None:
        """`came_in` is called after each commit that took in results."""
        self._database = database
        self._came_in = came_in
        self._waiting: list[Waiting] = []
        self._busy: set[NodeId] = set()
        self._arrived = asyncio.Event()

    def submit(self, one: Incoming) -> asyncio.Future[Reply]:
        """Its reply, durably committed, or what the exchange was refused with."""
        reply: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting.append((one, reply))
        self._arrived.set()
        return reply

    async def run(self) -> None:
        """For ever."""
        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(self._work())

    async def _work(self) -> None:
        while True:
            await self._arrived.wait()
            await self._quiet()
            batch = self._next() if len(self._waiting) >= len(self._busy) else []
            if batch:
                await self._commit(batch)
                self._busy -= {one.known.node for one, _ in batch}
                if self._waiting:
                    self._arrived.set()
            else:
                self._arrived.clear()

    async def _quiet(self) -> None:
        """Until the loop has read all that had come: while it is busy reading, a commit can only be too small."""
        seen = -1
        while seen < len(self._waiting) < MOST:
            seen = len(self._waiting)
            await asyncio.sleep(0)

    def _next(self) -> list[Waiting]:
        """The first that came of each node that is not in another batch."""
        batch: list[Waiting] = []
        later: list[Waiting] = []
        for one, reply in self._waiting:
            if reply.cancelled():
                continue
            if one.known.node in self._busy or len(batch) == MOST:
                later.append((one, reply))
            else:
                self._busy.add(one.known.node)
                batch.append((one, reply))
        self._waiting = later
        return batch

    async def _commit(self, batch: Sequence[Waiting]) -> None:
        """Where a batch fails, each is tried alone: nobody suffers for another's exchange."""
        try:
            async with self._database.begin() as (tx, now):
                outcomes = await exchange.handle(tx, now, [one for one, _ in batch])
        except Exception:
            log.exception("a batch of %d exchanges failed", len(batch))
            if len(batch) > 1:
                for single in batch:
                    await self._commit([single])
                return
            outcomes = [Internal("exchange")]
        if any(one.signed.results for one, _ in batch):
            self._came_in()
        for (_, reply), outcome in zip(batch, outcomes, strict=True):
            if reply.cancelled():
                continue
            if isinstance(outcome, OptimaiError):
                reply.set_exception(outcome)
            else:
                reply.set_result(outcome)
