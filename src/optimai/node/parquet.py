"""Reads the rows of a shard. The only module of the node that loads pyarrow, and only a worker loads it."""

from typing import Any

import pyarrow as pa
from pyarrow import parquet

from optimai.core.errors import BadShard
from optimai.kinds.contract import Shard


def read(shard: Shard, data: bytes, columns: tuple[str, ...]) -> list[dict[str, Any]]:
    """The rows, with these columns only; with all where none are named. A column that is not there is None.

    Raises BadShard for what is no Parquet file, has other rows than the shard says, or has a
    column of a type that no row has (see core.rows).
    """
    try:
        file = parquet.ParquetFile(pa.BufferReader(data))
        there = [name for name in columns if name in file.schema_arrow.names]
        table = file.read(columns=there if columns else None, use_threads=False)
    except (pa.ArrowException, OSError) as fault:  # Arrow raises both for damaged bytes
        raise BadShard(shard.blob, str(fault)) from None
    if table.num_rows != shard.rows:
        raise BadShard(shard.blob, f"it has {table.num_rows} rows, not {shard.rows}")
    for field in table.schema:
        if not _of_a_row(field.type):
            raise BadShard(shard.blob, f"its column {field.name} has the type {field.type}")
    for name in columns:
        if name not in there:
            table = table.append_column(name, pa.nulls(shard.rows))
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def _of_a_row(kind: Any) -> bool:
    types = pa.types
    if types.is_list(kind) or types.is_large_list(kind):
        kind = kind.value_type
        return bool(types.is_string(kind) or types.is_large_string(kind))
    return any(
        is_it(kind)
        for is_it in (
            types.is_string,
            types.is_large_string,
            types.is_integer,
            types.is_floating,
            types.is_boolean,
            types.is_null,
        )
    )
