"""The road from a node to its coordinator: three calls, over HTTP or over anything else.

What comes back is bytes; whoever asked decodes them with limits. An answer that is an
error is raised as that error; no answer at all is Unreachable.
"""

from email.utils import parsedate_to_datetime
from io import BytesIO
from typing import Protocol

import aiohttp
import msgspec
from msgspec import Struct

from optimai.core.clock import Instant
from optimai.core.errors import OptimaiError, TooLarge, Unreachable, told

MOST_BYTES = 8 << 20  # of an answer
PATIENCE = aiohttp.ClientTimeout(total=30, connect=5)


class Heard(Struct, frozen=True):
    body: bytes
    at: Instant | None  # what the coordinator's clock says, to the second


class Link(Protocol):
    async def network(self) -> bytes: ...  # an envelope of Network
    async def enrol(self, envelope: bytes) -> bytes: ...  # Enrolled
    async def exchange(self, request: bytes) -> Heard: ...  # Reply
    async def close(self) -> None: ...


class HttpLink:
    """Use it inside of a running loop; one connection is kept open and used again."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._session: aiohttp.ClientSession | None = None

    async def network(self) -> bytes:
        return (await self._call("GET", "/network", b"")).body

    async def enrol(self, envelope: bytes) -> bytes:
        return (await self._call("POST", "/enrol", envelope)).body

    async def exchange(self, request: bytes) -> Heard:
        return await self._call("POST", "/exchange", request)

    async def close(self) -> None:
        if self._session:
            await self._session.close()
            self._session = None

    async def _call(self, method: str, path: str, data: bytes) -> Heard:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=PATIENCE, trust_env=False)
        try:
            async with self._session.request(
                method,
                self.url + path,
                data=BytesIO(data) if data else None,
                headers={"Content-Type": "application/json"},
                allow_redirects=False,
            ) as answer:
                body = await read(answer, MOST_BYTES)
        except (aiohttp.ClientError, TimeoutError, TooLarge) as fault:
            raise Unreachable(f"The coordinator at {self.url}", why(fault)) from None
        if answer.status != 200:
            raise error(answer.status, body, f"The coordinator at {self.url}")
        return Heard(body, _clock(answer))


class _Problem(Struct):
    """How every error of the coordinator reads."""

    code: str
    message: str


async def read(answer: aiohttp.ClientResponse, most: int) -> bytes:
    """The body as it came. Raises TooLarge before more than `most` bytes are kept."""
    parts = []
    size = 0
    async for part in answer.content.iter_chunked(1 << 16):
        size += len(part)
        if size > most:
            raise TooLarge("The answer", most)
        parts.append(part)
    return b"".join(parts)


def error(status: int, body: bytes, whose: str) -> OptimaiError:
    """What an answer other than 2xx says. Without a code of ours, something between answered: Unreachable."""
    try:
        problem = msgspec.json.decode(body[:65_536], type=_Problem)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Unreachable(whose, f"it answers with HTTP status {status}")
    if status >= 500:
        return Unreachable(whose, problem.message)
    return told(problem.code, problem.message)


def why(fault: Exception) -> str:
    if isinstance(fault, TimeoutError):
        return "it does not answer in time"
    return str(fault) or type(fault).__name__


def _clock(answer: aiohttp.ClientResponse) -> Instant | None:
    try:
        return Instant(parsedate_to_datetime(answer.headers["Date"]))
    except (KeyError, ValueError):
        return None
