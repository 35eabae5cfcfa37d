"""Blobs as a task sees them: by hash, from this machine's cache or the coordinator, under the task's token.

Whatever comes in is hashed before it is used. Where the coordinator can't be reached
just now, it is asked again until the task's time is over: it may be starting anew.
"""

import asyncio
import os
from collections.abc import Callable
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import aiohttp
import zstandard

from optimai.core.clock import Instant
from optimai.core.errors import TooLarge, Unreachable, WrongBytes
from optimai.core.ids import BlobId, blob_id
from optimai.node.cache import Cache
from optimai.node.link import error, read, why

LARGEST = 256 << 20  # bytes of a blob
SMALL = 1_024  # not worth compressing
FIRST, LONGEST = 0.2, 5.0  # seconds between two tries
PATIENCE = aiohttp.ClientTimeout(total=300, connect=5, sock_read=30)

Coding = dict[str, str]  # the header that says how the bytes are, or may be, compressed


class Depot:
    """Use it inside of a running loop; close it in the same."""

    def __init__(self, url: str, cache: Cache, now: Callable[[], Instant]) -> None:
        self._url = url
        self._cache = cache
        self._now = now
        self._session: aiohttp.ClientSession | None = None

    async def get(self, blob: BlobId, token: str, until: Instant) -> bytes:
        """Raises WrongBytes, TooLarge, Unreachable, or what the coordinator answered."""
        if (kept := self._cache.get(blob)) is not None:
            return kept
        body, coding = await self._call("GET", blob, token, until, None, {"Accept-Encoding": "zstd"})
        data = _expand(body) if coding == "zstd" else body
        if blob_id(data) != blob:
            raise WrongBytes(blob)
        self._cache.put(blob, data)
        return data

    async def keep(self, blob: BlobId, token: str, until: Instant, path: Path) -> None:
        """As a file of its own there, whole or not at all. On the disk it lies once, where it is in the cache too."""
        data = await self.get(blob, token, until)
        if not self._cache.link(blob, path):
            part = path.with_name(f".{path.name}.{os.getpid()}")
            part.write_bytes(data)
            part.replace(path)

    async def put(self, data: bytes, token: str, until: Instant) -> BlobId:
        """Safe at the coordinator when this returns."""
        blob = blob_id(data)
        if len(data) > LARGEST:
            raise TooLarge("The blob", LARGEST)
        small = zstandard.compress(data) if len(data) > SMALL else data
        if len(small) * 10 < len(data) * 9:
            await self._call("PUT", blob, token, until, small, {"Content-Encoding": "zstd"})
        else:
            await self._call("PUT", blob, token, until, data, {})
        self._cache.put(blob, data)
        return blob

    async def close(self) -> None:
        if self._session:
            await self._session.close()
            self._session = None

    async def _call(
        self, method: str, blob: BlobId, token: str, until: Instant, data: bytes | None, coding: Coding
    ) -> tuple[bytes, str]:
        """Body as it came, and its coding."""
        pause = FIRST
        while True:
            try:
                return await self._once(method, blob, token, data, coding)
            except Unreachable:
                if self._now() + timedelta(seconds=pause) >= until:
                    raise
            await asyncio.sleep(pause)
            pause = min(LONGEST, pause * 2)

    async def _once(
        self, method: str, blob: BlobId, token: str, data: bytes | None, coding: Coding
    ) -> tuple[bytes, str]:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/octet-stream", **coding}
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=PATIENCE, auto_decompress=False, trust_env=False)
        try:
            async with self._session.request(
                method,
                f"{self._url}/blobs/{blob}",
                data=None if data is None else BytesIO(data),
                headers=headers,
                allow_redirects=False,
            ) as answer:
                body = await read(answer, LARGEST)
        except (aiohttp.ClientError, TimeoutError) as fault:
            raise Unreachable(f"The coordinator at {self._url}", why(fault)) from None
        if answer.status not in (200, 201, 204):
            raise error(answer.status, body, f"The coordinator at {self._url}")
        return body, answer.headers.get("Content-Encoding", "")


def _expand(body: bytes) -> bytes:
    """Stops at LARGEST, whatever the frame says of itself."""
    try:
        data = zstandard.ZstdDecompressor().stream_reader(body, read_across_frames=False).read(LARGEST + 1)
    except zstandard.ZstdError as fault:
        raise Unreachable("The blob", f"it came damaged ({fault})") from None
    if len(data) > LARGEST:
        raise TooLarge("The blob", LARGEST)
    return data
