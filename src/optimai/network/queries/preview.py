"""The first rows of a campaign, from the step nearest to its dataset that has any."""

from typing import Any

from msgspec import Struct

from optimai.core.errors import NotFound
from optimai.network import shards
from optimai.network.queries.private import Who, require
from optimai.network.store import watching
from optimai.network.store.sql import Tx

MOST = 50


class Preview(Struct, frozen=True):
    step: str  # "" while no step has rows
    rows: tuple[dict[str, Any], ...]  # without the network's own columns


async def first(tx: Tx, name: str, most: int, who: Who) -> Preview:
    """Raises NotFound, Private."""
    campaign = await watching.campaign(tx, name)
    if campaign is None:
        raise NotFound("campaign", name, "`optimai status` lists those there are.")
    require(who, campaign, f"What {name} has made")
    found = await watching.first_shard(tx, campaign["id"])
    if found is None:
        return Preview("", ())
    step, shard = found
    rows = (await shards.read(tx, shard))[: min(most, MOST)]
    plain = [{key: value for key, value in row.items() if not key.startswith("_")} for row in rows]
    return Preview(step, tuple(plain))
