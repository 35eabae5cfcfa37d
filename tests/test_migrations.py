"""Migrations: numbered, each applied once, whoever comes first."""

import asyncio
import re
from importlib.resources import files

import asyncpg
import pytest
from nacl.signing import SigningKey

from optimai.blobs.memory import MemoryBlobs
from optimai.kinds import catalog
from optimai.network.identity import Identity
from optimai.network.store.sql import Database

NETWORK = Identity(key=SigningKey(b"n" * 32), name="test", private=True)


def test_each_has_a_number_of_its_own():
    names = [
        one.name for one in files("optimai.network.store.migrations").iterdir() if one.name.endswith(".sql")
    ]
    assert all(re.fullmatch(r"\d{3}_[a-z_]+\.sql", name) for name in names)
    assert sorted(int(name[:3]) for name in names) == list(range(1, len(names) + 1))


async def test_coordinators_that_start_at_once_apply_each_once_and_later_ones_nothing(dsn: str):
    several = [await Database.connect(dsn, MemoryBlobs(), NETWORK) for _ in range(3)]
    applied = await asyncio.gather(*(one.migrate(catalog.tables()) for one in several))
    [whole] = [one for one in applied if one]
    assert whole[0] == "001_road.sql"
    assert "kind:crawl" in whole
    assert len(set(whole)) == len(whole)
    assert await several[0].migrate(catalog.tables()) == []
    async with several[1].begin() as (tx, _):
        assert {row["name"] for row in await tx.fetch("select name from migration")} == set(whole)
    for one in several:
        await one.close()


async def test_one_that_fails_leaves_nothing_behind(dsn: str):
    database = await Database.connect(dsn, MemoryBlobs(), NETWORK)
    with pytest.raises(asyncpg.DivisionByZeroError):
        await database.migrate([("broken", "create table half (id int); select 1 / 0")])
    async with database.begin() as (tx, _):
        assert await tx.fetchval("select count(*) from pg_tables where schemaname = 'public'") == 0
    assert "001_road.sql" in await database.migrate(catalog.tables())
    await database.close()
