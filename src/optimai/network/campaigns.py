"""Campaigns: taking one in, and cancelling one.

The budget leaves the requester's account at once and lies in escrow. Everything about a campaign is checked
before any money moves: what the file says by `core.campaign`, what only its kinds know here.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from optimai.core import campaign as written
from optimai.core import ledger
from optimai.core.campaign import Campaign
from optimai.core.clock import Instant
from optimai.core.errors import BadCampaign, NotAllowed, NotFound, Taken
from optimai.core.ids import CampaignId, OwnerId, StepId
from optimai.core.rows import row_id
from optimai.kinds import catalog, columns, hands
from optimai.network import shards
from optimai.network.store import campaigns, money
from optimai.network.store.campaigns import NewStep
from optimai.network.store.events import tell
from optimai.network.store.sql import Tx
from optimai.network.store.tokens import Bearer


async def _add_input(
    tx: Tx, now: Instant, number: CampaignId, campaign: str, name: str, given: Sequence[Mapping[str, Any]]
) -> StepId:
    """An input is a step that is sealed from the start. A row that is given twice is in it once."""
    path = f"{campaign}/{name}"
    rows = {}
    for one in given:
        key = row_id(path, *(f"{column}={one[column]}" for column in sorted(one)))
        rows[key] = {"_row": key} | dict(one)
    shard = await shards.write(tx, list(rows.values()))
    return await campaigns.add_input(tx, number, name, path, shard, now)


def _give_rows(campaign: Campaign) -> None:
    """Raises BadCampaign where the dataset, or a step, is to be made of a step whose kind gives no rows."""
    bare = {step.name: step.kind for step in campaign.steps if not catalog.load(step.kind).kind.gives}
    wanted = [("dataset.from", campaign.dataset.source)]
    wanted += [(f"steps.{step.name}.from", step.source) for step in campaign.steps]
    for where, name in wanted:
        if name in bare:
            others = ", ".join(step.name for step in campaign.steps if step.name not in bare)
            fix = f"Name one that does: {others}" if others else "Add a step that does"
            raise BadCampaign(where, f"{name} is of the kind {bare[name]}, which gives no rows", fix)


async def _same(tx: Tx, name: str, raw: Mapping[str, Any], requester: OwnerId) -> CampaignId:
    """The one that runs under that name, if it is the very same."""
    there = await campaigns.running(tx, name)
    if there is None or there.requester != requester or msgspec.json.decode(there.spec) != raw:
        raise Taken(
            "campaign",
            name,
            f"It runs, and its file was another. Wait until it has ended; or end it by "
            f"`{tx.network.commands(f'cancel {name}')}`, "
            f"which frees its name at once; or give this one another name.",
        )
    return there.number


async def cancel(tx: Tx, now: Instant, name: str, who: Bearer) -> None:
    """Its time is over now: nothing more is offered, what was answered is judged and paid, the rest returns.

    Its name is free at once; all that is under way goes by its number.

    Raises NotFound where none of that name runs, NotAllowed where it is somebody else's.
    """
    there = await campaigns.running(tx, name)
    if there is None:
        raise NotFound("running campaign", name, f"`{tx.network.commands('status')}` lists those there are.")
    if there.requester != who.owner and "admin" not in who.scopes:
        raise NotAllowed("admin")
    if await campaigns.cut_short(tx, there.number, now):
        why = "Nothing more is offered. What was answered is judged and paid; the rest of the budget returns."
        await tell(tx, "plain", "Cancelled", why, there.number, now)


async def submit(tx: Tx, now: Instant, raw: Mapping[str, Any], requester: OwnerId) -> CampaignId:
    """Take in a campaign; one that runs already, word for word the same, is that one.

    Raises BadCampaign, NotEnough, and Taken where another of that name runs.
    """
    campaign = written.parse(raw)
    options = {
        step.name: catalog.options_of(step.name, catalog.of_step(step), step.options)
        for step in campaign.steps
    }
    columns.check(campaign)
    _give_rows(campaign)
    hands.check(campaign)
    number = await campaigns.add(
        tx,
        campaign,
        requester,
        msgspec.json.encode(raw),
        Instant(now + campaign.until),
        now,
    )
    if number is None:
        return await _same(tx, campaign.name, raw, requester)
    paid, escrow = ledger.available(requester), ledger.escrow(number)
    await money.post(tx, [ledger.move("fund", f"campaign {number}", paid, escrow, campaign.budget)], now)
    sources = {}
    for name, rows in campaign.inputs.items():
        sources[name] = await _add_input(tx, now, number, campaign.name, name, rows)
    for position, step in enumerate(campaign.steps, 1):
        kind = catalog.load(step.kind)
        chosen = options[step.name]
        new = NewStep(
            campaign=number,
            position=position,
            name=step.name,
            path=f"{campaign.name}/{step.name}",
            kind=step.kind,
            kind_hash=kind.hash,
            options=msgspec.json.encode(chosen),
            source=sources[step.source],
            price=step.price.nano if step.price else 0,
            unit=kind.kind.unit,
            audit=kind.kind.audit if step.audit is None else step.audit,
            chance=kind.chance(chosen),
            shared=campaign.networks_shared,
            appeal=step.appeal,
            standing=kind.kind.standing,
        )
        sources[step.name] = await campaigns.add_step(tx, new)
    return number
