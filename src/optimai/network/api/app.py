"""The coordinator's HTTP side, put together: an ordinary Litestar app, and before it `front`, for exchanges."""

import asyncio
import logging
from collections.abc import Sequence
from functools import partial
from typing import Any, cast

import msgspec
import uvicorn
from litestar import Litestar, Request, Response
from litestar.di import Provide
from litestar.exceptions import HTTPException, ValidationException
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.types import ControllerRouterHandler

from optimai.core.errors import BadMessage, Internal, OptimaiError
from optimai.network.api import machines, people
from optimai.network.api.front import Front, error
from optimai.network.batch import Batcher
from optimai.network.store.sql import Database

log = logging.getLogger(__name__)

# As JSON alone: the pages that Litestar makes of it load their script from elsewhere.
DESCRIBED = OpenAPIConfig(
    title="OptimAI network",
    version="1",
    path="/api/openapi.json",
    render_plugins=[JsonRenderPlugin(path="/")],
    use_handler_docstrings=True,
)


def serving(
    database: Database, batcher: Batcher, pages: Sequence[ControllerRouterHandler] = (), **its: Any
) -> uvicorn.Config:
    """How to serve it all; `its` are uvicorn's options."""
    front = cast(type[asyncio.Protocol], partial(Front, batcher))
    return uvicorn.Config(make(database, pages), http=front, access_log=False, lifespan="off", **its)


class _App(Litestar):
    """What answers GET answers HEAD as well: the server sends no body after that."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["method"] == "HEAD":
            scope = scope | {"method": "GET"}
        await super().__call__(scope, receive, send)


def make(database: Database, pages: Sequence[ControllerRouterHandler] = ()) -> Litestar:
    """All but exchanges; `pages` are the web's handlers."""

    async def provide() -> Database:
        return database

    return _App(
        [
            machines.network,
            machines.nodes,
            machines.exchange,
            machines.put_blob,
            machines.get_blob,
            *people.HANDLERS,
            *pages,
        ],
        dependencies={"database": Provide(provide)},
        exception_handlers={OptimaiError: _refused, HTTPException: _broken, Exception: _broken},
        openapi_config=DESCRIBED,
        request_max_body_size=machines.MOST_BLOB + 1024,
        logging_config=None,
    )


def _refused(_: Request[Any, Any, Any], fault: OptimaiError) -> Response[dict[str, Any]]:
    return Response(error(fault), status_code=fault.status)


def _broken(_: Request[Any, Any, Any], fault: Exception) -> Response[dict[str, Any]]:
    if isinstance(fault, ValidationException):
        return _refused(_, BadMessage(f"{fault.detail} {fault.extra or ''}".strip()))
    if isinstance(fault, msgspec.DecodeError | UnicodeDecodeError):
        return _refused(_, BadMessage(str(fault)))
    if isinstance(fault, HTTPException):
        why = f"{fault.detail.rstrip('.')}. What there is to ask for stands at {DESCRIBED.path}."
        said = {"code": "http", "message": why, "fault": "theirs", "retry": False}
        return Response(said, status_code=fault.status_code)
    log.error("a request failed", exc_info=fault)
    return _refused(_, Internal("the API"))
