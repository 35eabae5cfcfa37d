"""All that a task may touch. A kind that opens a socket or a file by itself is a defect."""

from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

from msgspec import Struct

from optimai.core.clock import Instant
from optimai.core.ids import BlobId, RowId
from optimai.core.rows import Row
from optimai.kinds.contract import Shard

REDIRECTS = frozenset({301, 302, 303, 307, 308})


class Page(Struct, frozen=True, kw_only=True):
    """What a server answered. Redirects are not followed: where one leads is for the kind to decide."""

    url: str
    status: int
    headers: Mapping[str, str]  # lower-case names, first value
    body: bytes
    at: Instant  # when the answer was complete

    @property
    def location(self) -> str:
        """Where a redirect leads, as its server wrote it; "" where this is none."""
        return self.headers.get("location", "") if self.status in REDIRECTS else ""


class Refused(Exception):
    """A page that was not fetched, and why.

    robots       the site's robots.txt says no
    forbidden    not http or https, another port than 80 and 443, a name or a password in the URL
    private      its address is not a public one
    too_large    more bytes than are taken
    timeout      it took too long
    broken       what came can't be read to its end
    unknown_host its name leads nowhere
    unreachable  no answer
    no_time      its turn comes after the lease
    """

    def __init__(self, why: str, detail: str = "") -> None:
        super().__init__(detail or why)
        self.why = why


class Asked(Struct, frozen=True):
    """A challenge as the node sees it."""

    id: int
    blob: BlobId
    start: int
    length: int
    nonce: bytes


class Kit(Protocol):
    until: Instant  # when the lease ends

    def row_id(self, *key: str) -> RowId: ...
    def now(self) -> Instant: ...
    async def rows(self, shard: Shard, *columns: str) -> list[dict[str, Any]]: ...
    async def write_rows(self, rows: Iterable[Row]) -> BlobId: ...
    async def read(self, blob: BlobId) -> bytes: ...
    async def write(self, data: bytes) -> BlobId: ...
    async def keep(self, blob: BlobId) -> Path: ...  # as a file of that name in the scratch folder
    async def fetch(self, url: str, *, delay_ms: int = 0) -> Page: ...  # so long after the last one there
    def scratch(self) -> Path: ...
    def progress(self, done: int, of: int) -> None: ...
    def challenges(self) -> AsyncIterator[Asked]: ...
    async def answer(self, asked: Asked, digest: str) -> None: ...
