"""Bring a version of a dataset onto this machine: its rows, its card, and its lineage.

    NAME@N/
      train-00000.parquet …   the shards as they were published (or .jsonl)
      card.json               what a reader should know before using it
      manifest.json           the signed version: every shard by hash, the campaign, the parents

Each row carries its lineage in columns of its own (`_row`, `_from`, `_result`,
`_verdict`, `_lineage`), so `optimai trace` works on what you have.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from optimai.client.network import Client
from optimai.core.errors import NotFound
from optimai.core.version import Part, Version

Form = Literal["parquet", "jsonl"]


def parse_name(text: str) -> tuple[str, int]:
    """`docs@3`, or `docs` for the newest (number 0)."""
    name, at, number = text.partition("@")
    if not name or (at and not number.isdecimal()):
        raise NotFound("version", text, "Write NAME@NUMBER, or NAME for the newest.")
    return name, int(number or 0)


async def get(
    network: Client,
    name: str,
    number: int,
    form: Form,
    folder: Path,
    tell: Callable[[int], None] = lambda rows: None,
) -> tuple[Version, Path]:
    """Write a version under `folder`; every shard is checked against its hash. `tell` hears rows as they come."""
    version = await network.version(name, number)
    home = folder / f"{version.name}@{version.number}"
    home.mkdir(parents=True, exist_ok=True)
    counts: dict[str, int] = {}
    for part in version.parts:
        data = await network.blob(part.blob)
        stem = f"{part.split or 'data'}-{counts.get(part.split, 0):05d}"
        counts[part.split] = counts.get(part.split, 0) + 1
        _write(home / stem, part, data, form)
        tell(part.rows)
    (home / "card.json").write_bytes(msgspec.json.format(msgspec.json.encode(version.card), indent=2) + b"\n")
    (home / "manifest.json").write_bytes(
        await network.call("GET", f"/v1/versions/{version.name}/{version.number}")
    )
    return version, home


async def first_row(network: Client, name: str, number: int) -> str:
    """The `_row` of one of its rows; "" where it has none."""
    for part in (await network.version(name, number)).parts:
        column = _table(await network.blob(part.blob), ["_row"])["_row"]
        if len(column):
            return str(column[0])
    return ""


def _write(stem: Path, part: Part, data: bytes, form: Form) -> None:
    if form == "parquet":
        stem.with_suffix(".parquet").write_bytes(data)
        return
    rows = _table(data).to_pylist()
    lines = b"".join(msgspec.json.encode(row) + b"\n" for row in rows)
    stem.with_suffix(".jsonl").write_bytes(lines)


def _table(data: bytes, columns: list[str] | None = None) -> pa.Table:
    """By this thread alone: one of Arrow's that is not done when Python ends aborts the process (its issue 34314)."""
    return pq.ParquetFile(pa.BufferReader(data)).read(columns=columns, use_threads=False)
