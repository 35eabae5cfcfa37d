"""Publish: what verdicts believe becomes rows in sealed shards, and steps end.

A shard is sealed when enough rows wait, when the first of them waits too long, or
when its step has nothing more to come. Sealing feeds the steps behind. A step is
sealed when its plan is finished and every task has its verdict; only then those who
read all of it begin. What was overturned in the meantime is left out of the version.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from optimai.core.clock import Instant
from optimai.core.rows import Row
from optimai.kinds import catalog
from optimai.kinds.catalog import Loaded
from optimai.network import intake, shards, versions
from optimai.network.store import publishing
from optimai.network.store.publishing import Believed, Ripe
from optimai.network.store.sql import Tx

MOST_TASKS = 500  # in one shard


def _published(
    row: Row, task: Believed, behind: Mapping[str, frozenset[int]], parents: Mapping[str, Row]
) -> dict[str, Any]:
    """A row with where it is from: its own columns before those that it carries on."""
    of = row.get("_from", ())
    lineage = frozenset[int]().union(*(behind[parent] for parent in of))
    carried = {
        name: value
        for parent in of
        for name, value in parents.get(parent, {}).items()
        if not name.startswith("_")
    }
    return (
        carried | dict(row) | {"_result": task.result, "_verdict": task.stands, "_lineage": sorted(lineage)}
    )


async def _rows(tx: Tx, kind: Loaded, step: Ripe, task: Believed) -> list[dict[str, Any]]:
    """The rows that a verdict believes."""
    believed = msgspec.json.decode(task.believed, type=kind.result | None)
    if believed is None:
        return []
    body = msgspec.json.decode(task.body, type=kind.task)
    return await intake.rows_of(tx, kind, step.path, body, believed)


async def _parents(tx: Tx, given: Sequence[tuple[Believed, Sequence[Row]]]) -> dict[str, Row]:
    """The rows that these were made of; each shard is read once."""
    wanted = {name for _, rows in given for row in rows for name in row.get("_from", ())}
    reads = {shard.blob: shard for task, _ in given for shard in task.reads}
    return {
        row["_row"]: row
        for shard in reads.values()
        for row in await shards.read(tx, shard)
        if row["_row"] in wanted
    }


async def _seal_shard(tx: Tx, now: Instant, step: Ripe) -> None:
    kind = catalog.load(step.kind)
    believed = await publishing.take_believed(tx, step.id, tx.network.seal_rows, MOST_TASKS)
    given = [(task, await _rows(tx, kind, step, task)) for task in believed]
    parents = await _parents(tx, given) if kind.kind.carries else {}
    rows: dict[str, dict[str, Any]] = {}
    for task, its in given:
        behind = await shards.ancestry(tx, task.reads) if its else {}
        rows |= {row["_row"]: _published(row, task, behind, parents) for row in its}
    if rows:
        shard = await shards.write(tx, list(rows.values()))
        await publishing.add_shard(tx, step.id, step.campaign, shard, now)


async def run(tx: Tx, now: Instant, limit: int) -> int:
    """Seal a shard for at most `limit` steps."""
    network, code = tx.network, catalog.there().hashes
    ripe = await publishing.lock_ripe(tx, now, code, network.seal_rows, network.seal_after, limit)
    for step in ripe:
        await _seal_shard(tx, now, step)
    return len(ripe)


async def seal(tx: Tx, now: Instant, limit: int) -> int:
    """Seal at most `limit` steps that have nothing more to come."""
    done = await publishing.lock_done(tx, limit)
    for step, campaign in done:
        await publishing.seal(tx, step, campaign, await versions.standing(tx, step, campaign), now)
    return len(done)
