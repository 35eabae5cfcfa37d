"""The pages, by path.

    /                            campaigns
    /campaigns/NAME              one, live: the last of that name
    /campaigns/NAME/NUMBER       or another
    /nodes, /nodes/ID            who works, and what it earned, line by line
    /datasets, /datasets/NAME@N  the card, the first rows, how to get it
    /trace/NAME/N/ROW            a row back to the signed work behind it
    /ledger                      balance and epochs
    /api                         what a program may ask for

Each is one look at the network, and changes nothing.
"""

import logging
from typing import Any, cast

from litestar import Request, Response, Router, get
from litestar.di import NamedDependency, Provide
from litestar.exceptions import NotFoundException
from litestar.params import FromPath
from litestar.response import Redirect, ServerSentEvent
from litestar.response.base import ASGIResponse
from litestar.types import ControllerRouterHandler, Receive, Scope, Send

from optimai.core.errors import Internal, NotFound, OptimaiError
from optimai.network.queries import (
    Database,
    campaigns,
    datasets,
    evidence,
    health,
    ledger,
    look,
    nodes,
    trace,
)
from optimai.web import views
from optimai.web.live import Live

log = logging.getLogger(__name__)

Base = NamedDependency[Database]
Watched = NamedDependency[Live]
Word = FromPath[str]

FOR_EVER = {"cache-control": "public, max-age=31536000, immutable"}


def routes(database: Database) -> list[ControllerRouterHandler]:
    """All pages, as handlers of the server's app."""
    live = Live(database)

    async def provide_database() -> Database:
        return database

    async def provide_live() -> Live:
        return live

    def refused(_: Request[Any, Any, Any], fault: OptimaiError) -> Response[None]:
        return Refused(database, fault)

    def broken(_: Request[Any, Any, Any], fault: Exception) -> Response[None]:
        log.error("a page failed", exc_info=fault)
        return Refused(database, Internal("this page"))

    handlers = [
        home,
        campaign_list,
        campaign,
        campaign_live,
        node_list,
        node,
        dataset_list,
        dataset,
        row_trace,
        ledger_page,
        api,
        static,
        elsewhere,
    ]
    return [
        Router(
            path="/",
            route_handlers=handlers,
            dependencies={"database": Provide(provide_database), "live": Provide(provide_live)},
            exception_handlers={OptimaiError: refused, Exception: broken},
            include_in_schema=False,
        )
    ]


class Refused(Response[None]):
    """A page like all others. It is made when it is sent: whoever makes a refusal into an answer can't wait.

    Where the network can't even be looked at, it says nothing about that.
    """

    def __init__(self, database: Database, fault: OptimaiError) -> None:
        super().__init__(None, status_code=fault.status)
        self._database = database
        self._fault = fault

    def to_asgi_response(self, app: Any, request: Request[Any, Any, Any], **given: Any) -> ASGIResponse:
        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            try:
                async with look(self._database) as (tx, now):
                    page = views.error(self._fault, await health.health(tx, now))
            except Exception:
                log.exception("the network can't be looked at")
                page = views.error(self._fault, None)
            await page.to_asgi_response(app, request, **given)(scope, receive, send)

        return cast(ASGIResponse, answer)


@get("/")
async def home(database: Base) -> Response[str]:
    async with look(database) as (tx, now):
        found = await campaigns.listed(tx)
        return views.page("campaigns.html", await health.health(tx, now), campaigns=found)


@get("/campaigns")
async def campaign_list() -> Redirect:
    return Redirect("/")


@get(["/campaigns/{name:str}", "/campaigns/{name:str}/{run:str}"])
async def campaign(database: Base, name: Word, run: Word = "0") -> Response[str]:
    async with look(database) as (tx, now):
        found = await campaigns.named(tx, now, name, number=_run(run))
        return views.page("campaign.html", await health.health(tx, now), campaign=found)


@get("/campaigns/{name:str}/{run:str}/live")
async def campaign_live(live: Watched, name: Word, run: Word) -> ServerSentEvent:
    one = name, _run(run)
    await live.seen(one)
    return ServerSentEvent(live.follow(one), headers=views.HEADERS)


@get("/nodes")
async def node_list(database: Base) -> Response[str]:
    async with look(database) as (tx, now):
        return views.page("nodes.html", await health.health(tx, now), nodes=await nodes.listed(tx, now))


@get("/nodes/{name:str}")
async def node(database: Base, name: Word) -> Response[str]:
    async with look(database) as (tx, now):
        found = await nodes.named(tx, now, name)
        return views.page("node.html", await health.health(tx, now), node=found.node, lines=found.lines)


@get("/datasets")
async def dataset_list(database: Base) -> Response[str]:
    async with look(database) as (tx, now):
        return views.page("datasets.html", await health.health(tx, now), datasets=await datasets.listed(tx))


@get("/datasets/{version:str}")
async def dataset(database: Base, version: Word) -> Response[str] | Redirect:
    """`NAME@N`; NAME alone leads to its newest version."""
    name, at, number = version.partition("@")
    async with look(database) as (tx, now):
        if not at:
            return Redirect(f"/datasets/{name}@{await evidence.newest(tx, name)}")
        found = await datasets.version(tx, name, _number(number))
        return views.page("dataset.html", await health.health(tx, now), shown=found, version=found.version)


@get("/trace/{name:str}/{number:int}/{prefix:str}")
async def row_trace(database: Base, name: Word, number: FromPath[int], prefix: Word) -> Response[str]:
    async with look(database) as (tx, now):
        found = await trace.row(tx, name, number, prefix)
        return views.page("trace.html", await health.health(tx, now), trace=found)


@get("/ledger")
async def ledger_page(database: Base) -> Response[str]:
    async with look(database) as (tx, now):
        return views.page(
            "ledger.html",
            await health.health(tx, now),
            balance=await ledger.balance(tx),
            epochs=await ledger.epochs(tx),
        )


@get("/api")
async def api(request: Request[Any, Any, Any], database: Base) -> Response[str]:
    async with look(database) as (tx, now):
        asked = views.asked(request.app.openapi_schema)
        return views.page("api.html", await health.health(tx, now), asked=asked)


@get("/static/{version:str}/{name:str}")
async def static(version: Word, name: Word) -> Response[bytes]:
    if name not in views.ASSETS or views.asset(name) != f"/static/{version}/{name}":
        raise NotFound("file", name, "Load the page again: it names the files it needs.")
    return Response(views.contents[name], media_type=views.ASSETS[name], headers=views.HEADERS | FOR_EVER)


@get("/{path:path}")
async def elsewhere(request: Request[Any, Any, Any], path: FromPath[str]) -> Response[str]:
    """What nobody knows: told in the words of who asks, a page to a browser, else the API's error."""
    if "text/html" not in request.headers.get("accept", ""):
        raise NotFoundException
    raise NotFound("page", path, "What there is stands in the menu above.")


def _run(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 18:
        raise NotFound("campaign with the number", text, "The page of all campaigns leads to each.")
    return int(text)


def _number(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 9:
        raise NotFound("version", text, "Versions are numbered: write NAME@1.")
    return int(text)
