"""Where every node knocks all the time: POST /exchange goes from the socket to the batcher and back.

Everything else is an ordinary ASGI app's. A scope, a task and three calls for each exchange would cost as much as
the rest of it, so this one path is taken where uvicorn's parser tells of a request, and answered there too.
"""

import asyncio
import logging
from functools import partial
from typing import Any, cast

import msgspec
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from optimai.core.errors import Internal, OptimaiError, TooLarge
from optimai.network.batch import Batcher
from optimai.wire.envelope import MOST_BYTES
from optimai.wire.exchange import Reply

log = logging.getLogger(__name__)

_json = msgspec.json.Encoder()


def error(fault: OptimaiError) -> dict[str, Any]:
    return {"code": fault.code, "message": str(fault), "fault": fault.fault, "retry": fault.retry}


class _Turn(RequestResponseCycle):
    """An exchange under way, as uvicorn sees it: requests behind it on the same connection wait."""

    message_event = asyncio.Event()  # nobody waits for it

    def __init__(self, keep_alive: bool) -> None:
        self.keep_alive = keep_alive
        self.body = bytearray()
        self.disconnected = False
        self.response_complete = False


class Front(HttpToolsProtocol):
    """One connection."""

    def __init__(self, batcher: Batcher, **its: Any) -> None:
        super().__init__(**its)
        self._batcher = batcher

    def on_headers_complete(self) -> None:
        before = cast(RequestResponseCycle | None, self.cycle)
        waits = before is not None and not before.response_complete
        if waits or self.url != b"/exchange" or self.parser.get_method() != b"POST":
            super().on_headers_complete()
            return
        self.cycle = _Turn(self.parser.get_http_version() != "1.0" and self.parser.should_keep_alive())
        if self.expect_100_continue:
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        turn = self.cycle
        if not isinstance(turn, _Turn):
            super().on_body(body)
        elif not turn.response_complete:
            turn.body += body
            if len(turn.body) > MOST_BYTES:
                self._refuse(turn, TooLarge("The exchange", MOST_BYTES))

    def on_message_complete(self) -> None:
        turn = self.cycle
        if not isinstance(turn, _Turn):
            super().on_message_complete()
        elif not turn.response_complete:
            address = self.client[0] if self.client else ""
            reply = self._batcher.submit(bytes(turn.body), address)
            reply.add_done_callback(partial(self._replied, turn))

    def _replied(self, turn: _Turn, reply: asyncio.Future[Reply]) -> None:
        fault = reply.exception()
        if fault:
            self._refuse(turn, fault)
        else:
            self._answer(turn, 200, _json.encode(reply.result()))

    def _refuse(self, turn: _Turn, fault: BaseException) -> None:
        if not isinstance(fault, OptimaiError):
            log.error("an exchange failed", exc_info=fault)
            fault = Internal("exchange")
        self._answer(turn, fault.status, _json.encode(error(fault)))

    def _answer(self, turn: _Turn, status: int, body: bytes) -> None:
        turn.response_complete = True
        if self.transport.is_closing():
            return
        head = [b"%s: %s\r\n" % header for header in self.server_state.default_headers]
        if not turn.keep_alive:
            head.append(b"connection: close\r\n")
        self.transport.write(
            b"%scontent-type: application/json\r\n%scontent-length: %d\r\n\r\n%s"
            % (STATUS_LINE[status], b"".join(head), len(body), body)
        )
        if not turn.keep_alive:
            self.transport.close()
        self.on_response_complete()
