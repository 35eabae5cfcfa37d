"""What a step's rows are now: its shards, less what was overturned.

Each row names the verdict that believed it and those behind the rows it was made of.
Where any of them no longer stands, the row is left out; nothing is ever changed.
"""

from collections.abc import Set

from optimai.core.ids import CampaignId, StepId
from optimai.kinds.contract import Shard
from optimai.network import shards
from optimai.network.store import publishing
from optimai.network.store.sql import Tx


async def standing(tx: Tx, step: StepId, campaign: CampaignId) -> list[Shard]:
    """The shards of a step, without rows that no longer stand. Those that lose nothing stay as they are."""
    return [
        shard if len(good) == shard.rows else await _without(tx, shard, good)
        for shard, good in await _good(tx, step, campaign)
    ]


async def rows(tx: Tx, step: StepId, campaign: CampaignId) -> int:
    """How many rows of a step stand."""
    return sum(len(good) for _, good in await _good(tx, step, campaign))


async def _good(tx: Tx, step: StepId, campaign: CampaignId) -> list[tuple[Shard, Set[str]]]:
    """Its shards with those of their rows that stand. Where a row was published again, its last form counts."""
    overturned = await publishing.overturned(tx, campaign)
    found: list[tuple[Shard, Set[str]]] = []
    seen: set[str] = set()
    for shard in reversed(await publishing.shards_of(tx, step)):
        ancestry = await shards.ancestry(tx, [shard])
        good = {name for name, verdicts in ancestry.items() if not verdicts & overturned} - seen
        seen |= good
        if good:
            found.append((shard, good))
    return found[::-1]


async def _without(tx: Tx, shard: Shard, good: Set[str]) -> Shard:
    return await shards.write(tx, [row for row in await shards.read(tx, shard) if row["_row"] in good])
