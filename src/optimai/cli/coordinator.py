"""Puts a coordinator together: database, blobs, stages, HTTP; and takes it apart again in order."""

import asyncio
import logging
import os
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec
import uvicorn
from msgspec import Struct

from optimai.blobs.disk import DiskBlobs
from optimai.kinds import catalog
from optimai.network import stages
from optimai.network.api import app
from optimai.network.batch import Batcher
from optimai.network.drive import Driver
from optimai.network.home import Home, Numbers
from optimai.network.store import postgres
from optimai.network.store.events import tell
from optimai.network.store.sql import Database
from optimai.web import pages

RUNNING = "coordinator.json"


class Running(Struct, frozen=True):
    """What a coordinator says of itself, in its folder, while it runs."""

    pid: int
    url: str
    invite: str


def running(folder: Path) -> Running | None:
    path = folder / RUNNING
    return msgspec.json.decode(path.read_bytes(), type=Running) if path.exists() else None


async def serve(home: Home, numbers: Numbers, host: str, port: int, url: str, dsn: str) -> None:
    """Until SIGTERM or SIGINT. A coordinator that was killed left its database running: it is adopted."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(asctime)s %(name)s: %(message)s")
    identity = home.identity(numbers)
    async with AsyncExitStack() as stack:
        if not dsn:
            stack.callback(postgres.stop, home.postgres)
            dsn = await asyncio.to_thread(postgres.start, home.postgres)
        database = await Database.connect(dsn, DiskBlobs(home.blobs), identity)
        stack.push_async_callback(database.close)
        await database.migrate(catalog.tables())
        await home.admin(database)
        await _say_back(home, database)
        driver = Driver(database)
        batcher = Batcher(database, lambda: driver.wake(stages.TAKEN_IN))
        server = uvicorn.Server(
            app.serving(
                database,
                batcher,
                pages.routes(database),
                host=host,
                port=port,
                log_level="warning",
                timeout_graceful_shutdown=3,
            )
        )
        socket = server.config.bind_socket()
        stack.callback(socket.close)
        url = url or f"http://{host}:{socket.getsockname()[1]}"
        work = [asyncio.create_task(batcher.run()), asyncio.create_task(driver.forever())]
        serving = asyncio.create_task(server.serve(sockets=[socket]))
        try:
            while not (server.started or serving.done()):
                await asyncio.sleep(0.01)
            _announce(home, url, f"{url}#{identity.id}")
            stack.callback((home.folder / RUNNING).unlink, missing_ok=True)
            await serving
        finally:
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)


async def _say_back(home: Home, database: Database) -> None:
    """Where the last one did not end in order, say on the page that this one took over."""
    if running(home.folder) is None:
        return
    async with database.begin() as (tx, now):
        await tell(
            tx,
            "good",
            "Survived: the coordinator is back",
            "It had been stopped without warning. What it had acknowledged is all there.",
            None,
            now,
        )


def _announce(home: Home, url: str, invite: str) -> None:

    part = home.folder / f"{RUNNING}.part"
    part.write_bytes(msgspec.json.encode(Running(os.getpid(), url, invite)))
    part.replace(home.folder / RUNNING)
    print(f"The network is up: {url}\nInvite a node:    optimai join {invite}", flush=True)
    if sys.stdout.isatty():
        print(f"Your token is in  {home.token}", flush=True)
