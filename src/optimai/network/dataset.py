"""Dataset: a campaign's dataset becomes a signed version, and another one whenever its rows change.

It is made when the dataset's step is sealed, or as far as that came when the campaign's time
is over: where that is no row at all, there is no version. A verdict that is overturned later makes a new
version: an old one never changes.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from optimai.core import campaign as written
from optimai.core.campaign import Campaign, Dataset
from optimai.core.clock import Instant
from optimai.core.version import VERSION, Part, Version, split_of
from optimai.network import shards, versions
from optimai.network.store import campaigns, publishing
from optimai.network.store.campaigns import Ready
from optimai.network.store.sql import Tx
from optimai.wire import envelope


async def _parts(
    tx: Tx, now: Instant, one: Ready, dataset: Dataset, rows: Sequence[dict[str, Any]]
) -> list[Part]:
    """The dataset's own shards: one set for each split."""
    splits: dict[str, list[dict[str, Any]]] = {name: [] for name in dataset.split or [""]}
    for row in rows:
        splits[split_of(dataset.split, str(row.get(dataset.by)))].append(row)
    parts = []
    most = tx.network.seal_rows
    for name, members in splits.items():
        for start in range(0, len(members), most):
            shard = await shards.write(tx, members[start : start + most])
            await publishing.own(tx, one.campaign, [shard], now)
            parts.append(Part(shard.blob, shard.rows, shard.bytes, name))
    return parts


async def _card(tx: Tx, one: Ready, campaign: Campaign, rows: int) -> dict[str, Any]:
    """What a reader should know before using it: its terms, and how each step behind it came about.

    Of each step the rows that stand now. Steps that it was not made of are none of its business:
    they may well run after it.
    """
    steps = await campaigns.behind(tx, one.step)
    return {
        "rows": rows,
        "terms": dict(campaign.terms),
        "people": campaign.people,
        "steps": [{"rows": await versions.rows(tx, step, one.campaign)} | facts for step, facts in steps],
        "checked_by_nobody_else": [facts["name"] for _, facts in steps if facts["waived"]],
    }


async def _publish(tx: Tx, now: Instant, one: Ready) -> None:
    campaign = written.parse(msgspec.json.decode(one.spec))
    standing = await versions.standing(tx, one.step, one.campaign)
    rows = [row for shard in standing for row in await shards.read(tx, shard)]
    if not rows and one.cut_short:
        await campaigns.rowless(tx, one)
        return
    version = Version(
        network=tx.network.id,
        name=campaign.name,
        number=one.number,
        made=now,
        parts=tuple(await _parts(tx, now, one, campaign.dataset, rows)),
        parents=tuple(f"input:{shard.blob}" for shard in await campaigns.inputs(tx, one.campaign)),
        spec=await tx.blobs.put(one.spec),
        card=await _card(tx, one, campaign, len(rows)),
    )
    signed = envelope.sign(VERSION, msgspec.json.encode(version), tx.network.key)
    await campaigns.add_version(tx, version.name, one, envelope.write(signed), len(rows), now)


async def run(tx: Tx, now: Instant, limit: int) -> int:
    """Publish the datasets of at most `limit` campaigns that have no version of what stands now."""
    ready = await campaigns.lock_ready(tx, limit)
    for one in ready:
        await _publish(tx, now, one)
    return len(ready)
