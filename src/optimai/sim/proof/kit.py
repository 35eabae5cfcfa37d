"""A kit in memory: what a kind's work may touch, with nothing behind it.

Blobs are a dictionary, shards are Parquet bytes in it, the web is a dictionary of
pages and refusals, and it is always noon. A test or an example puts in what the work
will read, and looks afterwards at what it wrote, fetched and told.
"""

import io
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any
from weakref import finalize

import pyarrow as pa
import pyarrow.parquet as pq

from optimai.core import rows
from optimai.core.clock import Instant, instant
from optimai.core.errors import BadShard, NotFound
from optimai.core.ids import BlobId, RowId, blob_id
from optimai.core.rows import Row
from optimai.kinds.contract import Shard
from optimai.kinds.kit import Asked, Page, Refused

NOON = instant(2026, 1, 1, 12)
Web = dict[str, Page | Refused | Callable[[], Page | Refused]]


class MemoryKit:
    """Fits `kinds.kit.Kit`. A web entry that is a function is asked at each fetch: so pages can change."""

    def __init__(
        self,
        step: str = "test/step",
        *,
        web: Web | None = None,
        asked: Sequence[Asked] = (),
        blobs: dict[BlobId, bytes] | None = None,
        now: Instant = NOON,
        until: Instant = instant(2026, 1, 1, 13),
    ) -> None:
        self.step = step
        self.until = until
        self.blobs: dict[BlobId, bytes] = (
            {} if blobs is None else blobs
        )  # shared: one network, several owners
        self.web: Web = web or {}
        self.asked = list(asked)
        self.answered: dict[int, str] = {}  # challenge -> digest
        self.fetched: list[str] = []
        self.told: list[tuple[int, int]] = []
        self.time = now
        self._scratch: Path | None = None  # removed with the kit

    def row_id(self, *key: str) -> RowId:
        return rows.row_id(self.step, *key)

    def now(self) -> Instant:
        return self.time

    async def rows(self, shard: Shard, *columns: str) -> list[dict[str, Any]]:
        """Of these columns, or of all. What the shard lacks is None in each row."""
        table = pq.ParquetFile(pa.BufferReader(self.blobs[shard.blob])).read(use_threads=False)
        if table.num_rows != shard.rows:
            raise BadShard(shard.blob, f"it has {table.num_rows} rows and not {shard.rows}")
        listed: list[dict[str, Any]] = table.to_pylist()
        return [{name: row.get(name) for name in columns} for row in listed] if columns else listed

    async def write_rows(self, many: Iterable[Row]) -> BlobId:
        return self.put(rows.write(many))

    async def read(self, blob: BlobId) -> bytes:
        if blob not in self.blobs:
            raise NotFound("blob", blob, "Write it before you name it.")
        return self.blobs[blob]

    async def write(self, data: bytes) -> BlobId:
        return self.put(data)

    async def keep(self, blob: BlobId) -> Path:
        kept = self.scratch() / blob
        if not kept.exists():
            kept.write_bytes(await self.read(blob))
        return kept

    async def fetch(self, url: str, *, delay_ms: int = 0) -> Page:
        """The page of `web`; what is not there is unreachable."""
        self.fetched.append(url)
        found = self.web.get(url, Refused("unreachable", f"{url} is not in the kit's web"))
        if callable(found):
            found = found()
        if isinstance(found, Refused):
            raise found
        return found

    def scratch(self) -> Path:
        if self._scratch is None:
            self._scratch = Path(mkdtemp(prefix="kit-"))
            finalize(self, rmtree, self._scratch, ignore_errors=True)
        return self._scratch

    def progress(self, done: int, of: int) -> None:
        if not 0 <= done <= of:
            raise ValueError(f"progress({done}, {of}): it goes from 0 to all")
        self.told.append((done, of))

    async def challenges(self) -> AsyncIterator[Asked]:
        for one in self.asked:
            yield one

    async def answer(self, asked: Asked, digest: str) -> None:
        self.answered[asked.id] = digest

    # What a test does, a kind never.

    def put(self, data: bytes) -> BlobId:
        name = blob_id(data)
        self.blobs[name] = data
        return name

    def shard(self, many: Sequence[Row]) -> Shard:
        """Seal rows as publish does: Parquet, in the order of `_row`."""
        ordered = sorted(many, key=lambda row: row["_row"])
        names = sorted({name for row in ordered for name in row})
        table = pa.table({name: [row.get(name) for row in ordered] for name in names})
        sink = io.BytesIO()
        pq.write_table(table, sink, compression="zstd")
        return Shard(self.put(sink.getvalue()), len(ordered), sink.tell())

    def written(self, blob: BlobId) -> list[dict[str, Any]]:
        """The rows of a blob that `write_rows` made, refused unless they are canonical."""
        return rows.read(self.blobs[blob], most=1_000_000)


def page(
    url: str,
    body: bytes | str,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    at: Instant = NOON,
) -> Page:
    """A page as a server would answer it; HTML unless its headers say otherwise."""
    return Page(
        url=url,
        status=status,
        headers=headers if headers is not None else {"content-type": "text/html; charset=utf-8"},
        body=body.encode() if isinstance(body, str) else body,
        at=at,
    )
