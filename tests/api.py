"""The coordinator's whole HTTP side on a socket of its own, and a client without manners."""

import asyncio
import io
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import uvicorn

from optimai.blobs.disk import DiskBlobs
from optimai.network.api import app
from optimai.network.batch import Batcher
from optimai.network.store.sql import Database
from tests.road import Road


@asynccontextmanager
async def serving(database: Database) -> AsyncIterator[str]:
    """The whole app on a socket of its own; the address."""
    batcher = Batcher(database)
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(app.serving(database, batcher, log_config=None))
    work = [asyncio.create_task(batcher.run()), asyncio.create_task(server.serve(sockets=[listening]))]
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        await work[1]
        work[0].cancel()
        await asyncio.gather(*work, return_exceptions=True)


class Api:
    """A client without manners, and the road behind it."""

    def __init__(self, road: Road, url: str, session: aiohttp.ClientSession) -> None:
        self.road = road
        self.url = url
        self.session = session

    async def ask(
        self, method: str, path: str, data: bytes | None = None, token: str = "", **headers: str
    ) -> tuple[int, bytes, Any]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        bearer = {"Authorization": f"Bearer {token}"} if token else {}
        body = io.BytesIO(data) if data is not None else None
        async with self.session.request(method, self.url + path, data=body, headers=named | bearer) as answer:
            return answer.status, await answer.read(), answer.headers

    async def code(self, *args: Any, **more: Any) -> str:
        """Of an error; each is JSON with all that a client needs."""
        status, body, headers = await self.ask(*args, **more)
        told = json.loads(body)
        assert status >= 400
        assert headers["Content-Type"] == "application/json"
        assert set(told) == {"code", "message", "fault", "retry"}
        assert told["message"].endswith(".")
        return f"{status} {told['code']}"

    async def token(self) -> str:
        """Of an assignment whose lease runs."""
        await self.road.begin()
        [offer] = await self.road.offered(await self.road.join("ann"))
        return offer.token


@asynccontextmanager
async def opened(database: Database, folder: Path) -> AsyncIterator[Api]:
    database.blobs = DiskBlobs(folder)
    async with serving(database) as url, aiohttp.ClientSession(auto_decompress=False) as session:
        yield Api(Road(database), url, session)
