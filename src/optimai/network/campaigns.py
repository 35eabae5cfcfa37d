"""Campaigns: taking one in, publishing its dataset, ending it and returning what is left.

The budget leaves the requester's account at once and lies in escrow; nothing is
offered that escrow can't pay. When its time is over nothing more is offered, what was
answered is judged and paid, and the dataset is published as far as it came. When every
step is sealed and every earning is free, the rest returns.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from optimai.core import campaign as written
from optimai.core import ledger
from optimai.core.campaign import Campaign, Dataset
from optimai.core.chance import Ppm
from optimai.core.clock import Instant
from optimai.core.errors import BadCampaign, NotFound, Taken
from optimai.core.ids import CampaignId, OwnerId, blob_id
from optimai.core.ledger import Transfer
from optimai.core.rows import row_id
from optimai.core.version import VERSION, Part, Version, split_of
from optimai.kinds import catalog, columns
from optimai.network import purse, shards, versions
from optimai.network.store import campaigns, money
from optimai.network.store.campaigns import NewStep, Ready
from optimai.network.store.sql import Tx
from optimai.wire import envelope


def check(campaign: Campaign) -> None:
    """What only the kinds know: their names, options, units and columns. Raises BadCampaign with the place."""
    for step in campaign.steps:
        try:
            kind = catalog.load(step.kind)
        except NotFound as fault:
            raise BadCampaign(
                f"steps.{step.name}.kind", f"there is no kind {step.kind}", str(fault)
            ) from None
        catalog.options_of(step.name, kind, step.options)
        if step.price and step.price.unit != kind.kind.unit:
            raise BadCampaign(
                f"steps.{step.name}.price",
                f"{step.kind} is paid by the {kind.kind.unit}, not by the {step.price.unit}",
                f"Write price: {step.price}".replace(f"/{step.price.unit}", f"/{kind.kind.unit}"),
            )
    columns.check(campaign)


async def submit(tx: Tx, now: Instant, raw: Mapping[str, Any], requester: OwnerId) -> CampaignId:
    """Take in a campaign. Raises BadCampaign, Taken where one of that name runs, NotEnough."""
    campaign = written.parse(raw)
    check(campaign)
    spec = msgspec.json.encode(raw)
    number = await campaigns.add(
        tx,
        campaign.name,
        requester,
        spec,
        campaign.dataset.source,
        campaign.budget,
        Instant(now + campaign.until),
        now,
    )
    if number is None:
        raise Taken("campaign", campaign.name, "Wait until it has ended, or give this one another name.")
    await money.post(
        tx,
        [
            ledger.move(
                "fund",
                f"campaign {number}",
                ledger.available(requester),
                ledger.escrow(number),
                campaign.budget,
            )
        ],
        now,
    )
    sources = {}
    for name, rows in campaign.inputs.items():
        sources[name] = await _add_input(tx, now, number, campaign.name, name, rows)
    for position, step in enumerate(campaign.steps, 1):
        kind = catalog.load(step.kind)
        options = catalog.options_of(step.name, kind, step.options)
        sources[step.name] = await campaigns.add_step(
            tx,
            NewStep(
                campaign=number,
                position=position,
                name=step.name,
                path=f"{campaign.name}/{step.name}",
                kind=step.kind,
                kind_hash=kind.hash,
                options=msgspec.json.encode(options),
                source=sources[step.source],
                price=step.price.nano if step.price else 0,
                unit=kind.kind.unit,
                audit=kind.kind.audit if step.audit is None else step.audit,
                appeal=step.appeal,
                standing=kind.kind.standing,
            ),
        )
    return number


async def _add_input(
    tx: Tx, now: Instant, number: CampaignId, campaign: str, name: str, given: Sequence[Mapping[str, Any]]
) -> int:
    path = f"{campaign}/{name}"
    rows = {}
    for one in given:
        key = row_id(path, *(f"{column}={one[column]}" for column in sorted(one)))
        rows[key] = {"_row": key} | dict(one)
    shard = await shards.write(tx, list(rows.values()))
    return await campaigns.add_input(tx, number, name, path, shard, now)


async def run(tx: Tx, now: Instant, limit: int) -> int:
    """Publish the datasets of at most `limit` campaigns whose step is sealed and not published as it stands."""
    ready = await campaigns.lock_ready(tx, limit)
    for one in ready:
        await _publish(tx, now, one)
    return len(ready)


async def _publish(tx: Tx, now: Instant, one: Ready) -> None:
    raw = msgspec.json.decode(one.spec)
    campaign = written.parse(raw)
    standing = await versions.standing(tx, one.step, one.campaign)
    rows = [row for shard in standing for row in await shards.read(tx, shard)]
    parts = await _parts(tx, one, rows, campaign.dataset, now)
    version = Version(
        network=tx.network.id,
        name=campaign.name,
        number=one.number,
        made=now,
        parts=tuple(parts),
        parents=tuple(f"input:{shard.blob}" for shard in await campaigns.inputs(tx, one.campaign)),
        spec=blob_id(one.spec),
        card=await _card(tx, one, campaign, len(rows)),
    )
    await tx.blobs.put(one.spec)
    signed = envelope.sign(VERSION, msgspec.json.encode(version), tx.network.key)
    await campaigns.add_version(tx, version.name, one, envelope.write(signed), len(rows), now)


async def _parts(
    tx: Tx, one: Ready, rows: Sequence[dict[str, Any]], dataset: Dataset, now: Instant
) -> list[Part]:
    """The dataset's own shards: one set for each split."""
    splits: dict[str, list[dict[str, Any]]] = {name: [] for name in dataset.split} or {"": []}
    shares: Mapping[str, Ppm] = dataset.split
    for row in rows:
        splits[split_of(shares, str(row.get(dataset.by)))].append(row)
    parts = []
    most = tx.network.seal_rows
    for name, members in splits.items():
        for start in range(0, len(members), most):
            shard = await shards.write(tx, members[start : start + most])
            await campaigns.own(tx, one.campaign, [shard], now)
            parts.append(Part(shard.blob, shard.rows, shard.bytes, name))
    return parts


async def _card(tx: Tx, one: Ready, campaign: Campaign, rows: int) -> dict[str, Any]:
    """What a reader should know before using it, from the database alone."""
    steps = await campaigns.facts(tx, one.campaign)
    return {
        "rows": rows,
        "terms": dict(campaign.terms),
        "people": campaign.people,
        "steps": steps,
        "checked_by_nobody_else": [step["name"] for step in steps if step["waived"]],
    }


async def end(tx: Tx, now: Instant, limit: int) -> int:
    """End at most `limit` campaigns that have nothing more to do; stop those whose time is over."""
    stopped = await campaigns.stop_over(tx, now)
    parked = await campaigns.parked(tx, now, limit)
    await purse.give_back(tx, parked, "its judge broke, so the task was never judged", now)
    over = await campaigns.lock_over(tx, limit)
    for number, requester, state in over:
        await money.post(tx, await _left(tx, number, requester), now)
        await campaigns.ended(tx, number, state, now)
    return max(len(over), len(parked), stopped > 0)


async def _left(tx: Tx, number: CampaignId, requester: OwnerId) -> list[Transfer]:
    """What returns to whoever paid, to the last nano."""
    escrow = ledger.escrow(number)
    left = (await money.balances(tx, [escrow]))[escrow]
    if not left:
        return []
    return [ledger.move("expire", f"campaign {number}", escrow, ledger.available(requester), left)]
