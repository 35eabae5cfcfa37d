"""Puts a coordinator together: database, blobs, stages, HTTP; and takes it apart again in order."""

import asyncio
import errno
import logging
import socket  # noqa: TID251 - a coordinator listens
import sys
from contextlib import AsyncExitStack

import uvicorn
from msgspec.structs import replace

from optimai.blobs.disk import DiskBlobs
from optimai.cli import connect, running
from optimai.core.errors import BadValue, InUse
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

EVERYWHERE = ("0.0.0.0", "::")  # to listen at, and no address to reach

log = logging.getLogger(__name__)


def listen(host: str, port: int) -> socket.socket:
    """Before anything else is touched: whoever comes early waits a moment. Raises InUse, BadValue."""
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as fault:
        if fault.errno == errno.EADDRINUSE:
            fix = "Give another one with --port; --port 0 takes any that is free."
            raise InUse(f"Port {port} of {host}", "another program", fix) from None
        raise BadValue(
            f"an address to listen at here ({fault.strerror})",
            f"{host}:{port}",
            "--host 127.0.0.1 --port 8700",
        ) from None


async def serve(home: Home, numbers: Numbers, host: str, port: int, url: str, dsn: str) -> None:
    """Until SIGTERM or SIGINT. A coordinator that was killed left its database running: it is adopted."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(asctime)s %(name)s: %(message)s")
    async with AsyncExitStack() as stack:
        stack.enter_context(running.only(home.folder))
        listening = stack.enter_context(listen(host, port))
        hint = "" if url else reach(host)
        named = f"[{host}]" if ":" in host else host
        url = url or f"http://{named}:{listening.getsockname()[1]}"
        identity = home.identity(numbers)
        identity = replace(identity, commands=connect.commands(home.folder, url, identity.private))
        if not dsn:
            stack.callback(postgres.stop, home.postgres)
            dsn = await asyncio.to_thread(postgres.start, home.postgres)
        database = await Database.connect(dsn, DiskBlobs(home.blobs), identity)
        stack.push_async_callback(database.close)
        for folder, why in catalog.there().damaged.items():
            log.error("the kind in the folder %s is left out: %s", folder, why)
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
                log_level="warning",
                timeout_graceful_shutdown=3,
            )
        )
        work = [asyncio.create_task(batcher.run()), asyncio.create_task(driver.forever())]
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            while not (server.started or serving.done()):
                await asyncio.sleep(0.01)
            _announce(home, url, f"{url}#{identity.id}", hint)
            stack.callback(running.withdraw, home.folder)
            await serving
        finally:
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)


async def _say_back(home: Home, database: Database) -> None:
    """Where the last one did not end in order, say on the page that this one took over."""
    if running.last(home.folder) is None:
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


def reach(host: str) -> str:
    """What to say where an invite would lead nobody here."""
    if host not in EVERYWHERE:
        return ""
    return f"{host} is no address to reach from elsewhere: name one with --url http://ADDRESS:PORT."


def _announce(home: Home, url: str, invite: str, hint: str) -> None:
    running.announce(home.folder, url, invite)
    print(
        f"The network is up: {url}\nInvite a node:    optimai join {invite}",
        *([hint] if hint else []),
        sep="\n",
        flush=True,
    )
    if sys.stdout.isatty():
        print(f"Your token is in  {home.token}", flush=True)
