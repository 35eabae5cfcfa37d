"""One commit for all who wait.

While transactions are on their way to the disk, exchanges queue up; the next one takes
them all. So under load a commit is shared by dozens of nodes, and alone a node waits for
nobody. To check a signature takes long: one is checked in each turn of the loop, so that
in between it is heard what the database says, and its transactions do not stand still.
Of each node at most one exchange is handled at a time.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence

from optimai.core.errors import Internal, OptimaiError, UnknownNode
from optimai.core.ids import NodeId
from optimai.network import exchange
from optimai.network.door import Door
from optimai.network.exchange import Incoming
from optimai.network.store.sql import Database
from optimai.wire.exchange import Reply

MOST = 256  # exchanges in one transaction
ENOUGH = 33  # of them are worth a transaction while more are still being read
AT_ONCE = 3  # transactions

Waiting = tuple[Incoming, asyncio.Future[Reply]]

log = logging.getLogger(__name__)


class Batcher:
    def __init__(self, database: Database, came_in: Callable[[], None] = lambda: None) -> None:
        """`came_in` is called after each commit that took in results."""
        self._database = database
        self._door = Door(database)
        self._came_in = came_in
        self._unread: deque[tuple[bytes, str, asyncio.Future[Reply]]] = deque()
        self._waiting: list[Waiting] = []
        self._busy: set[NodeId] = set()
        self._knocked = asyncio.Event()
        self._reading = False
        self._arrived = asyncio.Event()

    def submit(self, data: bytes, address: str = "") -> asyncio.Future[Reply]:
        """The reply to an exchange, durably committed, or what is wrong with it."""
        reply: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._unread.append((data, address, reply))
        self._knocked.set()
        return reply

    async def run(self) -> None:
        """For ever."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._read(group))
            for _ in range(AT_ONCE):
                group.create_task(self._work())

    async def _read(self, group: asyncio.TaskGroup) -> None:
        while True:
            await self._knocked.wait()
            self._knocked.clear()
            self._reading = True
            for _ in range(
                len(self._unread)
            ):  # who comes meanwhile is of the next round: a flood delays nobody
                data, address, reply = self._unread.popleft()
                try:
                    self._wait(self._door.check(data, address), reply)
                except UnknownNode:
                    group.create_task(self._meet(data, address, reply))
                except Exception as fault:
                    _refuse(reply, fault)
                await asyncio.sleep(0)
            self._reading = False
            self._arrived.set()
            await asyncio.sleep(0)

    async def _meet(self, data: bytes, address: str, reply: asyncio.Future[Reply]) -> None:
        try:
            self._wait(await self._door.read(data, address), reply)
        except Exception as fault:
            _refuse(reply, fault)
        else:
            self._arrived.set()

    def _wait(self, one: Incoming, reply: asyncio.Future[Reply]) -> None:
        self._waiting.append((one, reply))
        if len(self._waiting) == ENOUGH:
            self._arrived.set()

    async def _work(self) -> None:
        while True:
            await self._arrived.wait()
            batch = self._next() if self._enough() else []
            if batch:
                await self._commit(batch)
                self._busy -= {one.known.node for one, _ in batch}
                if self._waiting:
                    self._arrived.set()
            else:
                self._arrived.clear()

    def _enough(self) -> bool:
        """Fewer go at once where nobody else is on his way; a transaction for few beside one for many is waste."""
        return len(self._waiting) >= ENOUGH or (
            not self._reading and 2 * len(self._waiting) >= len(self._busy)
        )

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


def _refuse(reply: asyncio.Future[Reply], fault: Exception) -> None:
    if not reply.cancelled():
        reply.set_exception(fault)
