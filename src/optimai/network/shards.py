"""Sealed parts of datasets: Parquet in blobs. Only publish writes them; nodes and plans read them.

Beside its own columns each row says where it is from: `_result` names the signed
result, `_verdict` the verdict that believed it, `_lineage` the verdicts behind the
rows it was made of, all the way back. So a verdict that is overturned takes exactly
its rows along, and a row can be traced without a search.
"""

import asyncio
import io
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from optimai.core.ids import BlobId
from optimai.core.rows import Row
from optimai.kinds.contract import Shard
from optimai.network.store.sql import Tx

_OURS = {
    "_row": pa.string(),
    "_from": pa.list_(pa.string()),
    "_result": pa.string(),
    "_verdict": pa.int64(),
    "_lineage": pa.list_(pa.int64()),
}


async def write(tx: Tx, rows: Sequence[Row]) -> Shard:
    """A new shard, in the order of `_row`; its bytes are durable when this returns."""
    data = await asyncio.to_thread(_encode, sorted(rows, key=lambda row: row["_row"]))
    return Shard(await tx.blobs.put(data), len(rows), len(data))


async def read(tx: Tx, shard: Shard, columns: Sequence[str] | None = None) -> list[dict[str, Any]]:
    data = await tx.blobs.get(shard.blob)
    return await asyncio.to_thread(_decode, data, columns)


async def row_ids(tx: Tx, shards: Iterable[Shard]) -> AbstractSet[str]:
    """The names of all rows in these shards."""
    return set(await ancestry(tx, shards))


async def ancestry(tx: Tx, shards: Iterable[Shard]) -> Mapping[str, frozenset[int]]:
    """For each row in these shards the verdicts behind it, its own among them."""
    found: dict[str, frozenset[int]] = {}
    for shard in shards:
        known = _ancestries.get(shard.blob)
        if known is None:
            rows = await read(tx, shard, ["_row", "_verdict", "_lineage"])
            known = {row["_row"]: _behind(row) for row in rows}
            _remember(shard.blob, known)
        found |= known
    return found


def _behind(row: Row) -> frozenset[int]:
    own = row.get("_verdict")
    return frozenset(row.get("_lineage") or ()) | ({own} if own is not None else frozenset())


_ancestries: dict[BlobId, Mapping[str, frozenset[int]]] = {}  # of blobs: they never change
_MOST_REMEMBERED = 64


def _remember(blob: BlobId, known: Mapping[str, frozenset[int]]) -> None:
    if len(_ancestries) >= _MOST_REMEMBERED:
        _ancestries.pop(next(iter(_ancestries)))
    _ancestries[blob] = known


def _encode(rows: Sequence[Row]) -> bytes:
    names = sorted({name for row in rows for name in row} - set(_OURS))
    ours = {name: kind for name, kind in _OURS.items() if name == "_row" or any(name in row for row in rows)}
    table = pa.table(
        {name: pa.array([row.get(name) for row in rows], type=kind) for name, kind in ours.items()}
        | {name: _column(rows, name) for name in names}
    )
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()


def _column(rows: Sequence[Row], name: str) -> pa.Array:
    """Typed by its values; one that mixes types (or holds only nulls) becomes text."""
    values = [row.get(name) for row in rows]
    kinds = {type(value) for value in values if value is not None}
    if len(kinds) == 1:
        return pa.array(values)
    return pa.array([None if value is None else str(value) for value in values], type=pa.string())


def _decode(data: bytes, columns: Sequence[str] | None) -> list[dict[str, Any]]:
    file = pq.ParquetFile(pa.BufferReader(data))
    there = set(file.schema_arrow.names)
    wanted = list(columns) if columns is not None else file.schema_arrow.names
    table = file.read(columns=[name for name in wanted if name in there], use_threads=False)
    missing = dict.fromkeys(name for name in wanted if name not in there)
    return [missing | row for row in table.to_pylist()] if missing else table.to_pylist()
