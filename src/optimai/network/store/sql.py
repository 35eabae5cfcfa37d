"""The network's only store is PostgreSQL, and this module is the only way to it.

A transaction (`Tx`) carries what a stage needs besides SQL: the blobs and the
network's identity. `now` is read once when it begins: from the database's own clock
in production, so that replicas agree; from a virtual one in the simulator.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from importlib.resources import files
from typing import Any, cast

import asyncpg

from optimai.blobs.port import Blobs
from optimai.core.clock import Instant
from optimai.network.identity import Identity
from optimai.network.store.clock import DatabaseClock

Record = asyncpg.Record
Clock = Callable[["Tx"], Awaitable[Instant]]

_PLANS = {  # are made once, while tables are still empty, and have to be good when those are large
    "plan_cache_mode": "force_generic_plan",  # and for whatever ids are asked for
    "random_page_cost": "1.1",  # with 4 they read all of a small table, over and over while it grows
}

MIGRATING = 7_001  # advisory lock keys, beside those of network.stages


class Conflict(Exception):
    """Another transaction was faster. Nothing of this one happened; the same again may well succeed."""


@contextmanager
def _conflicts() -> Iterator[None]:
    try:
        yield
    except (asyncpg.SerializationError, asyncpg.DeadlockDetectedError) as fault:
        raise Conflict(str(fault)) from fault


@asynccontextmanager
async def _locked(connection: Any, lock: int | None) -> AsyncIterator[None]:
    """From before the transaction, whose snapshot may be taken by its first question, until it is committed."""
    if lock is None:
        yield
        return
    try:
        await connection.execute("select pg_advisory_lock($1)", lock)
        yield
    finally:  # also where the wait was broken off: nobody could tell whether it had been given by then
        try:
            await connection.execute("select pg_advisory_unlock($1)", lock)
        except BaseException:
            connection.terminate()  # back in the pool it would hold the lock for ever
            raise


class Tx:
    """One transaction on one connection."""

    def __init__(self, connection: Any, blobs: Blobs, network: Identity) -> None:
        self.connection = connection
        self.blobs = blobs
        self.network = network

    async def fetch(self, sql: str, *args: Any) -> list[Record]:
        return cast(list[Record], await self.connection.fetch(sql, *args))

    async def fetchrow(self, sql: str, *args: Any) -> Record | None:
        return cast(Record | None, await self.connection.fetchrow(sql, *args))

    async def fetchval(self, sql: str, *args: Any) -> Any:
        return await self.connection.fetchval(sql, *args)

    async def execute(self, sql: str, *args: Any) -> str:
        return cast(str, await self.connection.execute(sql, *args))

    async def executemany(self, sql: str, args: Sequence[Sequence[Any]]) -> None:
        await self.connection.executemany(sql, args)

    @asynccontextmanager
    async def part(self) -> AsyncIterator[None]:
        """What is written inside is written whole or, where it raises, not at all; the rest goes on."""
        with _conflicts():
            async with self.connection.transaction():
                yield


async def _nothing(connection: Any) -> None:
    """To reset: a transaction leaves nothing behind on its connection."""


class Database:
    def __init__(self, pool: Any, blobs: Blobs, network: Identity, clock: Clock | None = None) -> None:
        self.pool = pool
        self.blobs = blobs
        self.network = network
        self.clock = clock or DatabaseClock()

    @classmethod
    async def connect(
        cls, dsn: str, blobs: Blobs, network: Identity, clock: Clock | None = None, most: int = 8
    ) -> "Database":
        pool = await asyncpg.create_pool(
            dsn,
            min_size=1,
            max_size=most,
            command_timeout=60,
            reset=_nothing,
            server_settings=_PLANS,
        )
        return cls(pool, blobs, network, clock)

    async def close(self) -> None:
        await self.pool.close()

    @asynccontextmanager
    async def begin(
        self, lock: int | None = None, *, snapshot: bool = False
    ) -> AsyncIterator[tuple[Tx, Instant]]:
        """A transaction and its `now`. Commits unless the block raises.

        It waits for the advisory lock `lock`, and sees all that was done under it before.
        With `snapshot` all its reads see one moment, and it can't write what somebody else has
        changed since. Raises Conflict for that, and where two wait for each other.
        """
        isolation = "repeatable_read" if snapshot else None
        with _conflicts():
            async with (
                self.pool.acquire() as connection,
                _locked(connection, lock),
                connection.transaction(isolation=isolation),
            ):
                tx = Tx(connection, self.blobs, self.network)
                yield tx, await self.clock(tx)

    async def migrate(self, kind_tables: Sequence[tuple[str, str]]) -> list[str]:
        """Apply what is missing, in order, under a lock; returns the names applied.

        `kind_tables` are (kind's schema, SQL) of kinds that keep state here.
        """
        ours = sorted(files("optimai.network.store.migrations").iterdir(), key=lambda file: file.name)
        wanted = [(file.name, file.read_text()) for file in ours if file.name.endswith(".sql")]
        wanted += [(f"kind:{name}", sql) for name, sql in kind_tables]
        applied = []
        async with self.pool.acquire() as connection, connection.transaction():
            await connection.execute("select pg_advisory_xact_lock($1)", MIGRATING)
            await connection.execute(
                "create table if not exists migration (name text primary key, at timestamptz not null default now())"
            )
            done = {row["name"] for row in await connection.fetch("select name from migration")}
            for name, sql in wanted:
                if name not in done:
                    await connection.execute(sql)
                    await connection.execute("insert into migration (name) values ($1)", name)
                    applied.append(name)
        return applied
