"""One GET of one URL, safe and bounded: what it reaches, how long it takes, how much it holds.

Public addresses and the ports 80 and 443, or what the operator has named (see
`addresses`). No redirect is followed, no cookie kept, no proxy asked.
"""

import zlib
from collections.abc import Mapping

import ada_url
from aiohttp import (
    ClientConnectorDNSError,
    ClientError,
    ClientPayloadError,
    ClientResponse,
    ClientResponseError,
    ClientSession,
    ClientTimeout,
    DummyCookieJar,
)
from aiohttp.abc import AbstractResolver
from msgspec import Struct
from yarl import URL

from optimai.kinds.kit import Refused
from optimai.node import addresses
from optimai.node.addresses import Private

PRODUCT = "OptimAI"  # as a robots.txt names us
HEADERS = {
    "User-Agent": f"{PRODUCT}/0.1 (+fetches pages for datasets; obeys robots.txt as {PRODUCT})",
    "Accept": "text/html,application/xhtml+xml,text/plain;q=0.9,*/*;q=0.5",
    "Accept-Encoding": "gzip",
}
PORTS = {"http:": 80, "https:": 443}
MOST_HEADER = 8190  # bytes


class Target(Struct, frozen=True):
    url: str
    origin: str
    host: str
    named: bool  # by the operator


class Answer(Struct, frozen=True):
    status: int
    headers: Mapping[str, str]
    body: bytes


class Getter:
    def __init__(self, hosts: Mapping[str, str], names: AbstractResolver | None = None) -> None:
        """`hosts`: private HOST:PORT that may be fetched, and the address of each. Raises BadValue."""
        self._places = addresses.allowed(hosts)
        self._names = names
        self._sessions: dict[bool, ClientSession] = {}

    async def close(self) -> None:
        for session in self._sessions.values():
            await session.close()
        self._sessions.clear()

    def target(self, url: str) -> Target:
        """Raises Refused where no node may fetch it, or this one may not."""
        try:
            parsed = ada_url.parse_url(url)
        except ValueError:
            raise Refused("forbidden", f"{url[:200]!r} is not a URL.") from None
        scheme, host = parsed["protocol"], parsed["hostname"].strip("[]")
        if scheme not in PORTS or parsed["username"] or parsed["password"]:
            raise Refused("forbidden", f"{url[:200]!r} is not plainly http or https.")
        port = int(parsed["port"] or PORTS[scheme])
        named = (host, port) in self._places
        if not named and port not in PORTS.values():
            raise Refused("forbidden", f"Port {port} of {host} is not a web site's.")
        origin = f"{scheme}//{parsed['host']}"
        return Target(f"{origin}{parsed['pathname']}{parsed['search']}", origin, host, named)

    async def get(self, target: Target, seconds: float, most: int, *, cut: bool = False) -> Answer:
        """Raises Refused. A body of more than `most` bytes is refused, or with `cut` ends there."""
        try:
            async with self._session(target.named).get(
                URL(target.url, encoded=True), allow_redirects=False, timeout=ClientTimeout(total=seconds)
            ) as answer:
                headers: dict[str, str] = {}
                for name, value in answer.headers.items():
                    headers.setdefault(name.lower(), value)
                return Answer(answer.status, headers, await read(answer, most, cut=cut))
        except TimeoutError:
            raise Refused("timeout", f"{target.url} took more than {seconds:.0f} seconds.") from None
        except (ClientPayloadError, ClientResponseError, zlib.error) as fault:
            raise Refused("broken", f"{target.url} can't be read to its end: {fault}.") from None
        except (ClientError, OSError, ValueError) as fault:
            if private := private_below(fault):
                raise Refused("private", f"{target.url} can't be fetched: {private}.") from None
            if isinstance(fault, ClientConnectorDNSError) and fault.os_error.errno in addresses.NO_SUCH_NAME:
                raise Refused("unknown_host", f"Nobody knows the host {target.host}.") from None
            raise Refused("unreachable", f"{target.url} can't be reached: {fault}.") from None

    def _session(self, named: bool) -> ClientSession:
        """Two worlds that never meet: what is public, and what the operator has named."""
        if named not in self._sessions:
            if named:
                connector = addresses.named_connector(self._places)
            else:
                connector = addresses.public_connector(self._names or addresses.System())
            self._sessions[named] = ClientSession(
                connector=connector,
                headers=HEADERS,
                cookie_jar=DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
                max_line_size=MOST_HEADER,
                max_field_size=MOST_HEADER,
            )
        return self._sessions[named]


async def read(answer: ClientResponse, most: int, *, cut: bool) -> bytes:
    """The body, unpacked. Packed or not, hardly more than `most` bytes are ever held."""
    coding = answer.headers.get("Content-Encoding", "").strip().lower()
    if coding not in {"", "identity", "gzip", "x-gzip"}:
        raise Refused("broken", f"{answer.url} is packed with {coding[:40]}, which was not asked for.")
    unpacker = zlib.decompressobj(wbits=31) if "gzip" in coding else None
    body = bytearray()
    came = 0
    async for chunk in answer.content.iter_any():
        came += len(chunk)
        if unpacker is None:
            body += chunk
        while unpacker and chunk and len(body) <= most:
            body += unpacker.decompress(chunk, most + 1 - len(body))
            chunk = unpacker.unused_data
            if chunk:
                unpacker = zlib.decompressobj(wbits=31)
        if max(len(body), came) > most:
            if cut:
                return bytes(body[:most])
            raise Refused("too_large", f"{answer.url} has more than {most:,} bytes.")
    if unpacker and came and not unpacker.eof:
        raise Refused("broken", f"{answer.url} ends in the middle.")
    return bytes(body)


def private_below(fault: BaseException | None) -> Private | None:
    """The refusal of a private address that led to this fault, if there is one."""
    while fault is not None and not isinstance(fault, Private):
        fault = fault.__cause__ or fault.__context__
    return fault
