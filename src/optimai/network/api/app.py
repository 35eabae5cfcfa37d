"""The coordinator's HTTP side, put together.

Everything is an ordinary Litestar app, but for the one path that every node calls all
the time: an exchange goes straight from the socket to the batcher.
"""

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec
from litestar import Litestar, Request, Response
from litestar.di import Provide
from litestar.exceptions import HTTPException, ValidationException
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.types import ControllerRouterHandler

from optimai.core.errors import BadMessage, Internal, OptimaiError, TooLarge
from optimai.network.api import machines, people
from optimai.network.batch import Batcher
from optimai.network.door import Door
from optimai.network.store.sql import Database
from optimai.wire.envelope import MOST_BYTES
from optimai.wire.exchange import Reply

log = logging.getLogger(__name__)

# As JSON alone: the pages that Litestar makes of it load their script from elsewhere.
DESCRIBED = OpenAPIConfig(
    title="OptimAI network",
    version="1",
    path="/api/openapi.json",
    render_plugins=[JsonRenderPlugin(path="/")],
    use_handler_docstrings=True,
)

_replies = msgspec.json.Encoder()
ASGI = Callable[[Any, Any, Any], Awaitable[None]]


def error(fault: OptimaiError) -> dict[str, Any]:
    return {"code": fault.code, "message": str(fault), "fault": fault.fault, "retry": fault.retry}


def make(database: Database, batcher: Batcher, pages: Sequence[ControllerRouterHandler] = ()) -> ASGI:
    """The app; `pages` are the web's handlers."""

    async def provide() -> Database:
        return database

    app = Litestar(
        [
            machines.network,
            machines.nodes,
            machines.put_blob,
            machines.get_blob,
            *people.HANDLERS,
            *pages,
        ],
        dependencies={"database": Provide(provide)},
        exception_handlers={OptimaiError: _refused, Exception: _broken},
        openapi_config=DESCRIBED,
        request_max_body_size=machines.MOST_BLOB + 1024,
        logging_config=None,
    )
    return _Front(Door(database), batcher, app)


class _Front:
    """Takes POST /exchange itself and hands everything else on."""

    def __init__(self, door: Door, batcher: Batcher, rest: ASGI) -> None:
        self._door = door
        self._batcher = batcher
        self._rest = rest

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["path"] != "/exchange":
            await self._rest(scope, receive, send)
            return
        try:
            if scope["method"] != "POST":
                raise BadMessage("an exchange is a POST")
            status, answer = 200, _replies.encode(await self._exchange(scope, receive))
        except OptimaiError as fault:
            status, answer = fault.status, _replies.encode(error(fault))
        except Exception as fault:
            log.error("an exchange failed", exc_info=fault)
            status, answer = Internal.status, _replies.encode(error(Internal("exchange")))
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    async def _exchange(self, scope: Any, receive: Any) -> Reply:
        address = scope["client"][0] if scope.get("client") else ""
        return await self._batcher.submit(await self._door.read(await _read(receive), address))


async def _read(receive: Any) -> bytes:
    message = await receive()
    data: bytes = message.get("body", b"")
    while message.get("more_body"):
        message = await receive()
        data += message.get("body", b"")
        if len(data) > MOST_BYTES:
            break
    if len(data) > MOST_BYTES:
        raise TooLarge("The exchange", MOST_BYTES)
    return data


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
