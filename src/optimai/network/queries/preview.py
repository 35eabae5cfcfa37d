"""The first rows of a campaign, from the step nearest to its dataset that has any."""

from typing import Any

from msgspec import Struct

from optimai.core.errors import NotFound
from optimai.network import shards
from optimai.network.store import publishing, watching
from optimai.network.store.sql import Tx

MOST = 50


class Preview(Struct, frozen=True):
    step: str  # "" while no step has rows
    rows: tuple[dict[str, Any], ...]  # without the network's own columns


async def first(tx: Tx, name: str, most: int) -> Preview:
    campaign = await watching.campaign(tx, name)
    if campaign is None:
        raise NotFound("campaign", name, "`optimai status` lists those there are.")
    for step in reversed(await watching.steps(tx, campaign["id"])):
        sealed = await publishing.shards_of(tx, step["id"]) if step["kind"] else []
        if sealed:
            rows = await shards.read(tx, sealed[0])
            plain = [
                {key: value for key, value in row.items() if key[0] != "_"} for row in rows[: min(most, MOST)]
            ]
            return Preview(step["name"], tuple(plain))
    return Preview("", ())
