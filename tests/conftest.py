"""One real PostgreSQL for a test session, a fresh database for each test that asks for one."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import pytest
from hypothesis import settings
from nacl.signing import SigningKey

from optimai import kinds
from optimai.blobs.memory import MemoryBlobs
from optimai.kinds import catalog
from optimai.network.identity import Identity
from optimai.network.store import postgres
from optimai.network.store.sql import Database

if TYPE_CHECKING:
    from tests.api import Api

# A busy machine is slow and not wrong: how long one example takes decides nothing.
settings.register_profile("optimai", deadline=None)
settings.load_profile("optimai")


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    folder = Path(tempfile.mkdtemp(prefix="optimai-pg-"))
    try:
        yield postgres.start(folder)
    finally:
        postgres.stop(folder)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
async def dsn(server: str) -> AsyncIterator[str]:
    """Of an empty database."""
    admin = await asyncpg.connect(server)
    name = f"test_{await admin.fetchval('select count(*) from pg_database')}_{id(admin)}"
    await admin.execute(f"create database {name}")
    await admin.execute(f"alter database {name} set synchronous_commit = off")  # no test pulls the plug
    base, _, query = server.partition("?")
    yield f"{base.rsplit('/', 1)[0]}/{name}?{query}"
    await admin.execute(f"drop database {name} with (force)")
    await admin.close()


@pytest.fixture
async def database(dsn: str) -> AsyncIterator[Database]:
    """A private network, migrated, with blobs in memory."""
    network = Identity(key=SigningKey(b"n" * 32), name="test", private=True, silence=timedelta(hours=2))
    database = await Database.connect(dsn, MemoryBlobs(), network)
    await database.migrate(catalog.tables())
    yield database
    await database.close()


@pytest.fixture
def trial() -> Iterator[None]:
    """The kind `trial` is known, for as long as a test lasts."""
    home = str(Path(__file__).parent / "kinds")
    kinds.__path__.append(home)
    catalog.there.cache_clear()
    yield
    kinds.__path__.remove(home)
    catalog.there.cache_clear()


@pytest.fixture
async def api(database: Database, tmp_path: Path) -> AsyncIterator["Api"]:
    """The coordinator over HTTP, with blobs on disk."""
    from tests.api import opened

    async with opened(database, tmp_path) as api:
        yield api
