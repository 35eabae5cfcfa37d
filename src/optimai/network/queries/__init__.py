"""All that the API and the web read. They ask here, never the stores.

A query is a function of one look, `async with look(database) as (tx, now)`: everything
in a look is of the same moment, so what a page adds up does add up. What it returns
are frozen structs, fit for JSON and for a template. Nothing here changes anything.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from optimai.core.clock import Instant
from optimai.network.store.sql import Database, Tx

__all__ = ["Database", "Tx", "look"]


@asynccontextmanager
async def look(database: Database) -> AsyncIterator[tuple[Tx, Instant]]:
    async with database.begin(snapshot=True) as (tx, now):
        yield tx, now
