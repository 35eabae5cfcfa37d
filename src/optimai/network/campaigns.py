"""Campaigns: taking one in. Its budget leaves the requester's account at once and lies in escrow.

Everything about it is checked before any money moves: what the file says by `core.campaign`,
what only its kinds know here.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from optimai.core import campaign as written
from optimai.core import ledger
from optimai.core.campaign import Step
from optimai.core.clock import Instant
from optimai.core.errors import BadCampaign, NotFound, Taken
from optimai.core.ids import CampaignId, OwnerId, StepId
from optimai.core.rows import row_id
from optimai.kinds import catalog, columns
from optimai.network import shards
from optimai.network.store import campaigns, money
from optimai.network.store.campaigns import NewStep
from optimai.network.store.sql import Tx


def _options(step: Step) -> Any:
    """What its kind understands under a step. Raises BadCampaign with the place, for kind and unit too."""
    try:
        kind = catalog.load(step.kind)
    except NotFound as fault:
        raise BadCampaign(f"steps.{step.name}.kind", f"there is no kind {step.kind}", str(fault)) from None
    if step.price and step.price.unit != kind.kind.unit:
        raise BadCampaign(
            f"steps.{step.name}.price",
            f"{step.kind} is paid by the {kind.kind.unit}, not by the {step.price.unit}",
            f"Write price: {replace(step.price, unit=kind.kind.unit)}",
        )
    return catalog.options_of(step.name, kind, step.options)


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


async def submit(tx: Tx, now: Instant, raw: Mapping[str, Any], requester: OwnerId) -> CampaignId:
    """Take in a campaign. Raises BadCampaign, Taken where one of that name runs, NotEnough."""
    campaign = written.parse(raw)
    options = {step.name: _options(step) for step in campaign.steps}
    columns.check(campaign)
    number = await campaigns.add(
        tx,
        campaign.name,
        requester,
        msgspec.json.encode(raw),
        campaign.dataset.source,
        campaign.budget,
        Instant(now + campaign.until),
        now,
    )
    if number is None:
        raise Taken("campaign", campaign.name, "Wait until it has ended, or give this one another name.")
    paid, escrow = ledger.available(requester), ledger.escrow(number)
    await money.post(tx, [ledger.move("fund", f"campaign {number}", paid, escrow, campaign.budget)], now)
    sources = {}
    for name, rows in campaign.inputs.items():
        sources[name] = await _add_input(tx, now, number, campaign.name, name, rows)
    for position, step in enumerate(campaign.steps, 1):
        kind = catalog.load(step.kind)
        new = NewStep(
            campaign=number,
            position=position,
            name=step.name,
            path=f"{campaign.name}/{step.name}",
            kind=step.kind,
            kind_hash=kind.hash,
            options=msgspec.json.encode(options[step.name]),
            source=sources[step.source],
            price=step.price.nano if step.price else 0,
            unit=kind.kind.unit,
            audit=kind.kind.audit if step.audit is None else step.audit,
            appeal=step.appeal,
            standing=kind.kind.standing,
        )
        sources[step.name] = await campaigns.add_step(tx, new)
    return number
