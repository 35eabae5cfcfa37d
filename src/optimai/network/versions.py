"""What a step's rows are now: its shards, less what was overturned.

Each row names the verdict that believed it and those behind the rows it was made of.
Where any of them no longer stands, the row is left out; nothing is ever changed.
"""

from optimai.core.ids import CampaignId, StepId
from optimai.kinds.contract import Shard
from optimai.network import shards
from optimai.network.store import publishing
from optimai.network.store.sql import Tx


async def standing(tx: Tx, step: StepId, campaign: CampaignId) -> list[Shard]:
    """The shards of a step, without rows whose verdict, or one behind them, no longer stands.

    Where a row was published again, its last form counts. Shards that lose nothing stay as they are.
    """
    overturned = await publishing.overturned(tx, campaign)
    kept: list[Shard] = []
    seen: set[str] = set()
    for shard in reversed(await publishing.shards_of(tx, step)):
        ancestry = await shards.ancestry(tx, [shard])
        good = {name for name, verdicts in ancestry.items() if not verdicts & overturned and name not in seen}
        seen |= good
        if len(good) == len(ancestry):
            kept.append(shard)
        elif good:
            kept.append(
                await shards.write(tx, [row for row in await shards.read(tx, shard) if row["_row"] in good])
            )
    return kept[::-1]
