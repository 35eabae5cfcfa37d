"""The simulated site answers: its pages, and the faults of the table.

All names share one port of 127.0.0.1; the Host header tells them apart. Under the bare address 127.0.0.1
it is no site but takes the orders of whoever started it: `POST /_control/change` with {"share", "now"},
and `GET /_control/hits`.
"""

import asyncio
import gzip
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

from aiohttp import web
from msgspec import DecodeError, Meta, Struct, json

from optimai.core.clock import Instant
from optimai.sim.site.faults import CUT_OFF, MOVED, ONCE, ROBOTS, TRICKLED
from optimai.sim.site.pages import publish
from optimai.sim.site.state import Edition, Hit, Site

PIECES = 20  # of a trickled answer
HTML = {"Content-Type": "text/html; charset=utf-8"}


class Change(Struct, frozen=True, forbid_unknown_fields=True):
    share: float
    now: Annotated[Instant, Meta(tz=True)]


@asynccontextmanager
async def serve(
    folder: Path,
    *,
    hosts: int = 8,
    port: int = 0,
    named: bool = False,
    steady: Collection[str] = (),
    clock: Callable[[], float] | None = None,
) -> AsyncIterator[Site]:
    """The site of the folder, until the block ends. Port 0 takes any; `steady` pages never change.

    `named`: its URLs carry no port, and whoever visits must be told where the names lead, as by the table of
    a node's operator; so a dataset of the site looks the same whatever the port. Without a clock, hits carry
    the event loop's seconds.
    """

    async def handle(request: web.Request) -> web.StreamResponse:
        return await answer(site, request, seconds())

    seconds = clock or asyncio.get_running_loop().time
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        listens = runner.addresses[0][1]
        site = Site(publish(folder, hosts, 80 if named else listens), steady, listens)
        yield site
    finally:
        await runner.cleanup()


async def answer(site: Site, request: web.Request, at: float) -> web.StreamResponse:
    name = request.url.host or ""
    if name == "127.0.0.1":
        return await obey(site, request)
    site.hits.append(Hit(at, request.host, request.path, request.headers.get("User-Agent", "")))
    hosts = {f"docs-{host}.localhost": host for host in range(1, site.pages.hosts + 1)}
    if name not in hosts:
        return web.Response(status=421)
    if request.method != "GET":
        return web.Response(status=405, headers={"Allow": "GET"})
    return await visit(site, request, hosts[name], request.path)


async def visit(site: Site, request: web.Request, host: int, path: str) -> web.StreamResponse:
    if path == "/robots.txt":
        return web.Response(text=ROBOTS[host]) if host in ROBOTS else web.Response(status=404)
    if path == "/":
        return redirect(301, site.start)
    if path in MOVED:
        return redirect(MOVED[path].status, site.pages.url(MOVED[path].to))
    if path not in site.editions:
        return web.Response(status=404, text="No such page.")
    if not site.pages.answers(host, path):
        return redirect(301, site.pages.url(path))
    if path in ONCE and path not in site.spent:
        site.spent.add(path)
        return web.Response(status=ONCE[path].status, headers=ONCE[path].headers)
    return await send(request, path, site.editions[path])


async def send(request: web.Request, path: str, edition: Edition) -> web.StreamResponse:
    if unchanged(request, edition):
        return dated(web.Response(status=304), edition)
    if path in CUT_OFF:
        return await cut_off(request, edition, CUT_OFF[path])
    if path in TRICKLED:
        return await trickle(request, edition, TRICKLED[path])
    return dated(web.Response(body=edition.body, headers=HTML), edition)


def unchanged(request: web.Request, edition: Edition) -> bool:
    """True where the visitor says that it has this edition. A tag says more than a date."""
    if request.if_none_match is not None:
        return any(tag.value in {edition.tag, "*"} for tag in request.if_none_match)
    since = request.if_modified_since
    return since is not None and edition.modified.replace(microsecond=0) <= since


async def cut_off(request: web.Request, edition: Edition, part: float) -> web.StreamResponse:
    packed = gzip.compress(edition.body, mtime=0)
    headers = {**HTML, "Content-Encoding": "gzip", "Content-Length": str(len(packed))}
    response = dated(web.StreamResponse(headers=headers), edition)
    await response.prepare(request)
    await response.write(packed[: int(len(packed) * part)])
    if request.transport:
        request.transport.close()
    return response


async def trickle(request: web.Request, edition: Edition, seconds: float) -> web.StreamResponse:
    response = dated(web.StreamResponse(headers=HTML), edition)
    await response.prepare(request)
    size = -(-len(edition.body) // PIECES)
    for at in range(0, len(edition.body), size):
        await asyncio.sleep(seconds / PIECES)
        await response.write(edition.body[at : at + size])
    return response


def dated(response: web.StreamResponse, edition: Edition) -> web.StreamResponse:
    response.etag = edition.tag
    response.last_modified = edition.modified
    return response


def redirect(status: int, url: str) -> web.Response:
    return web.Response(status=status, headers={"Location": url})


async def obey(site: Site, request: web.Request) -> web.Response:
    match request.method, request.path:
        case "POST", "/_control/change":
            try:
                order = json.decode(await request.read(), type=Change)
            except DecodeError as fault:
                return web.Response(status=400, text=str(fault))
            return in_json(site.change(order.share, order.now))
        case "GET", "/_control/hits":
            return in_json(site.hits)
        case _:
            return web.Response(status=404)


def in_json(value: object) -> web.Response:
    return web.Response(body=json.encode(value), content_type="application/json")
