"""Campaigns, their steps, inputs and versions."""

from datetime import timedelta
from typing import Any

import msgspec
from msgspec import Struct

from optimai.core.campaign import Campaign
from optimai.core.clock import Instant
from optimai.core.ids import CampaignId, OwnerId, StepId
from optimai.kinds.contract import Shard
from optimai.network.store.publishing import own
from optimai.network.store.sql import Tx


class NewStep(Struct, frozen=True, kw_only=True):
    campaign: CampaignId
    position: int
    name: str
    path: str
    kind: str
    kind_hash: str
    options: bytes
    source: int
    price: int
    unit: str
    audit: int
    chance: int
    shared: bool
    appeal: timedelta
    standing: bool


class Runs(Struct, frozen=True):
    """A campaign that runs."""

    number: CampaignId
    requester: OwnerId
    spec: bytes


class Ready(Struct, frozen=True):
    """A campaign whose dataset's step is sealed, and of which no version says what stands now."""

    name: str
    campaign: CampaignId
    spec: bytes
    step: StepId
    number: int  # of the version to make
    overturned: int  # the last verdict that replaced another
    cut_short: (
        bool  # the step was sealed because its campaign's time was over, and nothing of it is published
    )


async def add(
    tx: Tx, campaign: Campaign, requester: OwnerId, spec: bytes, ends: Instant, now: Instant
) -> CampaignId | None:
    """None where one of that name runs and is not cancelled."""
    found = await tx.fetchval(
        """
        insert into campaign (name, requester, spec, dataset, private, budget, state, created, ends)
        values ($1, $2, $3, $4, $5, $6, 'running', $7, $8)
        on conflict (name) where state = 'running' and not cancelled do nothing returning id
        """,
        campaign.name,
        requester,
        spec,
        campaign.dataset.source,
        campaign.rows_private,
        campaign.budget,
        now,
        ends,
    )
    return CampaignId(found) if found is not None else None


async def running(tx: Tx, name: str) -> Runs | None:
    """The last of that name, locked so that it does not end meanwhile: those before it were cancelled."""
    row = await tx.fetchrow(
        """
        select id, requester, spec from campaign where name = $1 and state = 'running'
         order by id desc limit 1 for update
        """,
        name,
    )
    return Runs(row["id"], row["requester"], row["spec"]) if row else None


async def cut_short(tx: Tx, campaign: CampaignId, now: Instant) -> bool:
    """Its time is over, and its name is free at once. False where that was so before."""
    found = await tx.fetchval(
        """
        update campaign set cancelled = true, ends = least(ends, $2) where id = $1 and not cancelled
        returning id
        """,
        campaign,
        now,
    )
    return found is not None


async def add_input(tx: Tx, campaign: CampaignId, name: str, path: str, shard: Shard, now: Instant) -> StepId:
    step: int = await tx.fetchval(
        """
        insert into step (campaign, position, name, path, options, price, unit, audit, appeal, state, finished, sealed,
                          version)
        values ($1, 0, $2, $3, '{}', 0, 'row', 0, interval '0', 'sealed', true, $4, $5) returning id
        """,
        campaign,
        name,
        path,
        now,
        msgspec.json.encode([shard]),
    )
    await tx.execute(
        "insert into shard (step, blob, rows, bytes, sealed) values ($1, $2, $3, $4, $5)",
        step,
        shard.blob,
        shard.rows,
        shard.bytes,
        now,
    )
    await own(tx, campaign, [shard], now)
    return StepId(step)


async def add_step(tx: Tx, new: NewStep) -> StepId:
    """The step, fed with whatever its source has sealed already."""
    step: int = await tx.fetchval(
        """
        insert into step (campaign, position, name, path, kind, kind_hash, options, source, price, unit, audit,
                          chance, shared, appeal, standing, state)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, 'running') returning id
        """,
        new.campaign,
        new.position,
        new.name,
        new.path,
        new.kind,
        new.kind_hash,
        new.options,
        new.source,
        new.price,
        new.unit,
        new.audit,
        new.chance,
        new.shared,
        new.appeal,
        new.standing,
    )
    await tx.execute(
        "insert into feed (step, shard) select $1, shard.id from shard where shard.step = $2",
        step,
        new.source,
    )
    return StepId(step)


async def inputs(tx: Tx, campaign: CampaignId) -> list[Shard]:
    rows = await tx.fetch(
        """
        select blob, rows, bytes from shard join step on step.id = shard.step
         where step.campaign = $1 and step.kind is null order by shard.id
        """,
        campaign,
    )
    return [Shard(row["blob"], row["rows"], row["bytes"]) for row in rows]


async def lock_ready(tx: Tx, limit: int) -> list[Ready]:
    """Also those where a verdict was replaced after their last version: an overturn makes a new one.

    One of a name at a time, for its number: one that was cancelled may still end under the name of the next.
    """
    rows = await tx.fetch(
        """
        select campaign.name, campaign.id, campaign.spec, campaign.overturned, step.id as step,
               (select coalesce(max(number), 0) + 1 from version where version.name = campaign.name) as number,
               step.sealed >= campaign.ends
               and not exists (select from version where version.campaign = campaign.id) as cut_short
          from campaign
          join step on step.campaign = campaign.id and step.name = campaign.dataset
         where step.state = 'sealed' and campaign.rowless < campaign.overturned
           and not exists (select from task where task.step = step.id and state = 'closed' and not published)
           and not exists (select from version where version.campaign = campaign.id
                              and version.overturned >= campaign.overturned)
         order by campaign.id limit $1 for update of campaign skip locked
        """,
        limit,
    )
    first = {row["name"]: row for row in reversed(rows)}
    return [
        Ready(*(row[name] for name in ("name", "id", "spec", "step", "number", "overturned", "cut_short")))
        for row in sorted(first.values(), key=lambda row: int(row["id"]))
    ]


async def add_version(tx: Tx, name: str, ready: Ready, manifest: bytes, rows: int, now: Instant) -> None:
    await tx.execute(
        """
        insert into version (name, number, campaign, manifest, overturned, rows, at)
        values ($1, $2, $3, $4, $5, $6, $7)
        """,
        name,
        ready.number,
        ready.campaign,
        manifest,
        ready.overturned,
        rows,
        now,
    )


async def rowless(tx: Tx, ready: Ready) -> None:
    """There is nothing to publish of it, unless verdicts are replaced later."""
    await tx.execute("update campaign set rowless = $2 where id = $1", ready.campaign, ready.overturned)


async def behind(tx: Tx, step: StepId) -> list[tuple[StepId, dict[str, Any]]]:
    """A step and those that it was made of: what each did, who checked it, what was refused.

    `audited` are tasks that another owner checked, `waived` those that should have been, had there been one.
    """
    rows = await tx.fetch(
        """
        with recursive behind as (
             select * from step where id = $1
              union all
             select step.* from behind join step on step.id = behind.source)
        select behind.id, behind.name, behind.kind, behind.kind_hash, tasks.*,
               (select count(*) from assignment join task on task.id = assignment.task
                 where task.step = behind.id and assignment.state = 'rejected') as refused
          from behind
         cross join lateral (
               select count(*) filter (where task.state = 'closed') as tasks,
                      count(*) filter (where task.state = 'parked') as parked,
                      count(*) filter (where looked.checked) as audited,
                      count(*) filter (where drawn = 'nobody else' or to_audit and not looked.checked) as waived
                 from task
                 left join lateral (
                      select exists (select from assignment where assignment.task = task.id and role = 'audit'
                                        and assignment.state in ('accepted', 'rejected')) as checked
                      ) as looked on task.state = 'closed'
                where task.step = behind.id) as tasks
         where behind.kind is not null order by behind.position
        """,
        step,
    )
    return [(row["id"], {name: value for name, value in row.items() if name != "id"}) for row in rows]


async def lock_over(tx: Tx, limit: int) -> list[tuple[CampaignId, OwnerId, str]]:
    """Campaigns to end: all is sealed, published, settled and free. `cancelled` are those that their time cut short."""
    rows = await tx.fetch(
        """
        select id, requester,
               case when exists (select from step where step.campaign = campaign.id and step.sealed >= campaign.ends)
                    then 'cancelled' else 'done' end as state
          from campaign
         where state = 'running'
           and not exists (select from step where step.campaign = campaign.id and step.state <> 'sealed')
           and (rowless >= 0 or exists (select from version where version.campaign = campaign.id))
           and not exists (select from earning where earning.campaign = campaign.id
                              and earning.state in ('reserved', 'pending'))
           and not exists (select from task join step on step.id = task.step
                            where step.campaign = campaign.id and not settled)
         order by id limit $1 for update skip locked
        """,
        limit,
    )
    return [(row["id"], row["requester"], row["state"]) for row in rows]


async def ended(tx: Tx, campaign: CampaignId, state: str, now: Instant) -> None:
    """Nothing of it is offered any more."""
    await tx.execute("update campaign set state = $2, ended = $3 where id = $1", campaign, state, now)
    await tx.execute(
        """
        update task set state = 'parked', places = 0
          from step where step.id = task.step and step.campaign = $1 and task.state = 'open'
        """,
        campaign,
    )


async def stop_over(tx: Tx, now: Instant) -> int:
    """Of campaigns whose time is over nothing more is offered or planned; what was answered is judged and paid.

    The stage `expire` ends their standing tasks.
    """
    rows = await tx.fetch(
        """
        with over as (
             select step.id from step join campaign on campaign.id = step.campaign
              where campaign.state = 'running' and campaign.ends <= $1),
        finished as (
             update step set finished = true from over where step.id = over.id and not finished returning step.id),
        stopped as (
             update task set places = 0,
                    state = case when exists (select from assignment where assignment.task = task.id
                                                 and assignment.state in ('offered', 'returned', 'accepted'))
                                 then 'open' else 'parked' end
               from over
              where task.step = over.id and task.state = 'open' and task.places > 0 and task.pinned is null
             returning task.id)
        select id from finished union all select id from stopped
        """,
        now,
    )
    return len(rows)
