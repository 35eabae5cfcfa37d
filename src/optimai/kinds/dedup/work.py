"""What a node does in each phase. Only the join needs the engine, so only there is Daft imported."""

import asyncio
from collections.abc import Iterable
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from runpy import run_path
from typing import Any, assert_never

import numpy as np
from msgspec import to_builtins

from optimai.core.errors import Missing, ReportsHome
from optimai.core.ids import BlobId, RowId
from optimai.core.rows import read as read_rows
from optimai.kinds.dedup import candidates, signatures
from optimai.kinds.dedup.candidates import Pair
from optimai.kinds.dedup.groups import fates
from optimai.kinds.dedup.tasks import (
    Chunk,
    Group,
    Grouped,
    Join,
    Joined,
    Keep,
    Kept,
    Result,
    Sign,
    Signed,
    Task,
    Verified,
    Verify,
)
from optimai.kinds.kit import Kit
from optimai.kinds.words import Shingles, jaccard, shingles, text_of, words


async def work(task: Task, kit: Kit) -> Result:
    match task:
        case Sign():
            return await _sign(task, kit)
        case Join():
            return await _join(task, kit)
        case Verify():
            return await _verify(task, kit)
        case Group():
            return await _group(task, kit)
        case Keep():
            return await _keep(task, kit)
        case _:
            assert_never(task)


async def _sign(task: Sign, kit: Kit) -> Signed:
    rows = await kit.rows(task.shard, "_row", task.column)
    texts = ((row["_row"], text_of(row[task.column])) for row in rows)
    records = []
    for record in signatures.sign(texts, task.ngram, task.bands):
        records.append(record)
        kit.progress(len(records), len(rows))
        await asyncio.sleep(0)  # so that a pause is heard
    return Signed(await kit.write(b"".join(records)))


async def _join(task: Join, kit: Kit) -> Joined:
    signed, places, unreadable = [], [], []
    for place, (shard, blob) in enumerate(zip(task.shards, task.signatures, strict=True)):
        records = signatures.read(await kit.read(blob), shard.rows, task.bands)
        if records is None:
            unreadable.append(place)
        else:
            signed.append(records)
            places += [place] * shard.rows
    if not signed:
        return Joined((), tuple(unreadable))

    records = np.concatenate(signed)
    pairs: dict[RowId, Pair] = {}
    for one, other in sorted(await asyncio.to_thread(_alike, records)):
        left, right = (RowId(records["row"][at].tobytes().hex()) for at in (one, other))
        pair = Pair(kit.row_id(left, right), left, right, places[one], places[other])
        pairs.setdefault(pair.row, pair)  # signatures may name a row twice: not all of them were checked
    chunks = []
    for chunk in candidates.chunks(pairs.values()):
        shards = sorted({place for pair in chunk for place in (pair.left_in, pair.right_in)})
        blob = await kit.write_rows(map(to_builtins, chunk))
        chunks.append(Chunk(blob, len(chunk), tuple(shards)))
    return Joined(tuple(chunks), tuple(unreadable))


def _alike(records: np.ndarray) -> set[tuple[int, int]]:
    """Pairs of places in `records` that may be alike. Of equal texts only the first looks for others."""
    equal = _meetings(np.arange(len(records)), records["words"])
    pairs = {(same[0], other) for same in equal for other in same[1:]}
    first = np.setdiff1d(np.arange(len(records)), [other for _, other in pairs])
    for band in records["bands"][first].T:  # one after the other: all at once take their number in memory
        for bucket in _meetings(first, band):
            pairs.update(candidates.pairs_of(bucket))
    return pairs


def _meetings(rows: np.ndarray, values: np.ndarray) -> Iterable[list[int]]:
    """The rows that have a value in common, in ascending order, for each such value."""
    daft = _daft()
    met = daft.functions.list_agg(daft.col("row")).alias("rows")
    frame = daft.from_pydict({"row": rows, "value": values}).groupby("value").agg(met)
    several = frame.where(daft.functions.list_count(daft.col("rows")) > 1)
    return map(sorted, several.to_pydict()["rows"])


def _daft() -> Any:
    """Daft, unless it would tell its makers that it is imported: its own switch is asked before.

    Raises Missing where it is not installed, and ReportsHome.
    """
    found = find_spec("daft")
    if found is None or found.origin is None:
        raise Missing("An engine", "engine")
    telemetry = run_path(str(Path(found.origin).with_name("scarf_telemetry.py")))
    if not telemetry["opted_out"]():
        raise ReportsHome("Daft", "DO_NOT_TRACK=1")
    import daft
    import daft.functions

    return daft


async def _verify(task: Verify, kit: Kit) -> Verified:
    pairs = candidates.read(await kit.read(task.pairs), task.count)
    wanted = {row for pair in pairs for row in (pair.left, pair.right)}
    texts: dict[RowId, str] = {}
    for shard in task.shards:
        rows = await kit.rows(shard, "_row", task.column)
        texts |= {row["_row"]: text_of(row[task.column]) for row in rows if row["_row"] in wanted}

    @lru_cache(maxsize=256)
    def of(row: RowId) -> Shingles:
        return shingles(words(texts[row]), task.ngram)

    similarity = {}
    for number, pair in enumerate(sorted(pairs, key=lambda pair: (pair.left, pair.right)), 1):
        there = pair.left in texts and pair.right in texts  # or a signature named a row that is not
        similarity[pair.row] = jaccard(of(pair.left), of(pair.right)) if there else 0
        kit.progress(number, len(pairs))
        await asyncio.sleep(0)
    return Verified(await kit.write(b"".join(similarity[pair.row].to_bytes(4, "little") for pair in pairs)))


async def _group(task: Group, kit: Kit) -> Grouped:
    alike: list[Pair] = []
    unreadable = 0
    for chunk in task.checked:
        pairs = candidates.read(await kit.read(chunk.pairs), chunk.count)
        told = np.frombuffer(await kit.read(chunk.similarities), np.uint8)
        if len(told) != 4 * len(pairs):
            unreadable += 1
            continue
        alike += [pair for pair, ppm in zip(pairs, told.view("<u4"), strict=True) if ppm >= task.threshold]
    place = {pair.left: pair.left_in for pair in alike} | {pair.right: pair.right_in for pair in alike}
    told_of: list[list[dict[str, Any]]] = [[] for _ in range(task.shards)]
    for row, fate in fates((pair.left, pair.right) for pair in alike).items():
        told_of[place[row]].append({"_row": row, "kept": fate.kept, "duplicates": fate.duplicates})
    blobs: list[BlobId | None] = [await kit.write_rows(rows) if rows else None for rows in told_of]
    return Grouped(tuple(blobs), unreadable)


async def _keep(task: Keep, kit: Kit) -> Kept:
    told = read_rows(await kit.read(task.fates), most=task.shard.rows) if task.fates else []
    fate = {row["_row"]: row for row in told}
    return Kept(
        await kit.write_rows(
            {
                "_row": kit.row_id(row["_row"]),
                "_from": [row["_row"]],
                "duplicates": fate[row["_row"]]["duplicates"] if row["_row"] in fate else 0,
            }
            for row in await kit.rows(task.shard, "_row")
            if row["_row"] not in fate or fate[row["_row"]]["kept"] == row["_row"]
        )
    )
