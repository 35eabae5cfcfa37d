"""A server on loopback that does what a test says, and a fetcher that may fetch from it as docs.localhost."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from optimai.core.clock import Instant
from optimai.kinds.kit import Page, Refused
from optimai.node import addresses
from optimai.node.fetch import Fetcher, Limits
from optimai.sim.proof.kit import NOON

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
HOST = "http://docs.localhost"


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.at = NOON
        self.slept: list[float] = []

    def now(self) -> Instant:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.pass_(timedelta(seconds=seconds))

    def pass_(self, span: timedelta) -> None:
        self.at = Instant(self.at + span)


class Names(AbstractResolver):
    """What a name server says: `Names(docs_example="10.0.0.1")`."""

    def __init__(self, **hosts: str) -> None:
        self.hosts = {name.replace("_", "."): given for name, given in hosts.items()}

    async def resolve(self, host: str, port: int = 0, family: Any = 0) -> list[ResolveResult]:
        if host not in self.hosts:
            raise OSError(f"no such name {host}")
        return [addresses.result(host, self.hosts[host], port)]

    async def close(self) -> None: ...


class Served:
    """Where it listens, what it was asked, and fetchers on a clock of their own."""

    def __init__(self, port: int, hits: list[web.Request]) -> None:
        self.port = port
        self.hits = hits
        self.time = Time()
        self.fetcher = self.another()

    def another(
        self, hosts: Mapping[str, str] | None = None, names: AbstractResolver | None = None, **limits: Any
    ) -> Fetcher:
        named = {"docs.localhost:80": self.address, "other.localhost:80": self.address}
        return Fetcher(
            named if hosts is None else hosts,
            self.time.now,
            names=names or Names(),
            sleep=self.time.sleep,
            limits=Limits(**limits),
        )

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def paths(self) -> list[str]:
        return [hit.path for hit in self.hits if hit.path != "/robots.txt"]


@asynccontextmanager
async def serving(handler: Handler, robots: str | Handler | None = None) -> AsyncIterator[Served]:
    hits: list[web.Request] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        hits.append(request)
        if request.path != "/robots.txt":
            return await handler(request)
        if callable(robots):
            return await robots(request)
        return web.Response(status=404) if robots is None else web.Response(text=robots)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    served = Served(runner.addresses[0][1], hits)
    try:
        yield served
    finally:
        await served.fetcher.close()
        await runner.cleanup()


async def hello(request: web.Request) -> web.StreamResponse:
    return web.Response(text="hello", headers={"X-Twice": "first"})


def answering(body: bytes = b"", status: int = 200, **headers: str) -> Handler:
    async def handler(request: web.Request) -> web.StreamResponse:
        return web.Response(
            body=body, status=status, headers={k.replace("_", "-"): v for k, v in headers.items()}
        )

    return handler


async def why(fetched: Awaitable[Page]) -> str:
    with pytest.raises(Refused) as refused:
        await fetched
    return refused.value.why
