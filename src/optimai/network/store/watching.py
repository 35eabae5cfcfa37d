"""What a page about one campaign reads, a few statements a look, however many tasks there are."""

from collections.abc import Sequence

from optimai.core.clock import Instant
from optimai.core.ids import CampaignId
from optimai.core.ledger import escrow
from optimai.network.store.sql import Record, Tx


async def campaign(tx: Tx, name: str) -> Record | None:
    """Of those that ever had this name the one that runs; else the last one."""
    return await tx.fetchrow(
        """
        select id, name, requester, spec, budget, state, created, ends, ended from campaign
         where name = $1 order by state = 'running' desc, id desc limit 1
        """,
        name,
    )


async def campaigns(tx: Tx, most: int) -> list[Record]:
    """The newest first."""
    return await tx.fetch(
        """
        select campaign.id, campaign.name, state, budget, created, ends, ended,
               (select coalesce(sum(amount), 0)::bigint from earning
                 where earning.campaign = campaign.id and earning.state in ('pending', 'available')) as spent,
               (select count(*) from step where step.campaign = campaign.id and kind is not null) as steps,
               (select count(*) from step
                 where step.campaign = campaign.id and kind is not null and step.state = 'sealed') as sealed,
               last.number as version, last.rows
          from (select * from campaign order by id desc limit $1) as campaign
          left join lateral (select number, rows from version where version.campaign = campaign.id
                              order by number desc limit 1) as last on true
         order by campaign.id desc
        """,
        most,
    )


async def steps(tx: Tx, campaign: CampaignId) -> list[Record]:
    """Inputs first, then the steps in their order, each with its tasks and shards counted."""
    return await tx.fetch(
        """
        select step.id, step.name, step.kind, step.unit, step.price, step.state, step.finished, step.standing,
               step.sealed, step.version, step.appeal, source.name as source, source.state as source_state,
               shards.rows, tasks.*
          from step
          left join step as source on source.id = step.source
         cross join lateral (
               select coalesce(sum(rows), 0)::bigint as rows from shard where shard.step = step.id) as shards
         cross join lateral (
               select count(*) filter (where task.state = 'open') as open,
                      count(*) filter (where task.state = 'closed') as closed,
                      count(*) filter (where task.state = 'parked') as parked,
                      coalesce(sum(units) filter (where task.state = 'closed'), 0)::bigint as done,
                      coalesce(sum(units) filter (where task.state <> 'parked'), 0)::bigint as asked_for,
                      coalesce(sum(units) filter (where task.state = 'closed' and not published), 0)::bigint
                          as unsealed,
                      count(draw) as drawn,
                      count(*) filter (where drawn.of ->> 'audit' = 'true') as audited,
                      count(*) filter (where drawn.of ->> 'why' = 'nobody else') as waived,
                      count(*) filter (where places > 0 and role = 'audit') as to_audit,
                      max(units * step.price) filter (where places > 0) as dearest,
                      array_agg(distinct task.kind) filter (where places > 0) as wanted
                 from task
                cross join lateral (select convert_from(draw, 'utf8')::jsonb as of) as drawn
                where task.step = step.id) as tasks
         where step.campaign = $1 order by step.position, step.id
        """,
        campaign,
    )


async def believed(tx: Tx, campaign: CampaignId, begin: Instant, parts: int, since: Instant) -> list[Record]:
    """Units whose verdict stands, for each step and part of the time; and of those how many `since`.

    The time is that from `begin` to the last verdict, of all standing or all other steps.
    """
    return await tx.fetch(
        """
        with believed as (
             select step.id as step, verdict.at, task.units,
                    extract(epoch from verdict.at - $2) as seconds,
                    extract(epoch from max(verdict.at) over (partition by step.standing) - $2) as whole
               from step join task on task.step = step.id join verdict on verdict.id = task.stands
              where step.campaign = $1 and task.state = 'closed' and verdict.believed <> 'null')
        select step, least($3 - 1, floor(seconds * $3 / greatest(whole, 1)))::integer as part,
               sum(units)::bigint as units, coalesce(sum(units) filter (where at > $4), 0)::bigint as recent
          from believed group by 1, 2
        """,
        campaign,
        begin,
        parts,
        since,
    )


async def tries(tx: Tx, campaign: CampaignId) -> list[Record]:
    """Of each step: results of tasks that have a verdict, and the units that held."""
    return await tx.fetch(
        """
        select task.step, count(*) as results, coalesce(sum(held), 0)::bigint as held
          from step join task on task.step = step.id and task.state = 'closed'
          join assignment on assignment.task = task.id and assignment.state in ('accepted', 'rejected')
         where step.campaign = $1 group by task.step
        """,
        campaign,
    )


async def in_hand(tx: Tx, campaign: CampaignId) -> list[Record]:
    """Tasks that are out with a node now."""
    return await tx.fetch(
        """
        select assignment.node, step.name as step, count(*) as tasks, sum(assignment.units)::bigint as units
          from assignment join task on task.id = assignment.task join step on step.id = task.step
         where assignment.state = 'offered' and step.campaign = $1
         group by assignment.node, step.id order by step.position
        """,
        campaign,
    )


async def money(tx: Tx, campaign: CampaignId) -> Record:
    """Where each coin of the budget is: by the earnings, the account, the transfer that returned the rest."""
    row = await tx.fetchrow(
        """
        select coalesce(sum(amount) filter (where state = 'available'), 0)::bigint as available,
               coalesce(sum(amount) filter (where state = 'pending'), 0)::bigint as pending,
               coalesce(sum(amount) filter (where state = 'reserved'), 0)::bigint as reserved,
               min(release_at) filter (where state = 'pending') as next_free,
               (select coalesce(sum(balance), 0)::bigint from account where name = $2) as escrow,
               (select coalesce(-sum((entries ->> $2)::bigint), 0)::bigint from transfer
                 where event = 'expire' and about = $3) as returned
          from earning where campaign = $1 and state in ('available', 'pending', 'reserved')
        """,
        campaign,
        escrow(campaign),
        f"campaign {campaign}",
    )
    assert row is not None
    return row


async def workers(tx: Tx, campaign: CampaignId) -> list[Record]:
    """Every node that was ever offered something of it."""
    return await tx.fetch(
        """
        select node.id, node.name, node.owner, node.hands, node.simulated, node.seen, tried.*,
               coalesce(paid.available, 0)::bigint as available, coalesce(paid.pending, 0)::bigint as pending
          from (select assignment.node, sum(held)::bigint as accepted, sum(checked)::bigint as checked,
                       sum(faults)::bigint as faults,
                       count(*) filter (where assignment.state = 'returned') as unjudged,
                       array_agg(distinct split_part(task.kind, '+', 1)) as kinds,
                       max(assignment.price) as dearest,
                       (array_agg(why order by assignment.id desc) filter (where why <> ''))[1] as why
                  from assignment join task on task.id = assignment.task join step on step.id = task.step
                 where step.campaign = $1 group by assignment.node) as tried
          join node on node.id = tried.node
          left join (select assignment.node,
                            sum(amount) filter (where earning.state = 'available') as available,
                            sum(amount) filter (where earning.state = 'pending') as pending
                       from earning join assignment on assignment.id = earning.assignment
                      where earning.campaign = $1 and earning.state in ('available', 'pending')
                      group by assignment.node) as paid on paid.node = node.id
         order by coalesce(paid.available, 0) + coalesce(paid.pending, 0) desc, accepted desc, node.name
        """,
        campaign,
    )


async def refused(tx: Tx, campaign: CampaignId, most: int) -> list[Record]:
    """Tries of which a verdict says that something is wrong, newest verdict first.

    `before` is what the verdict before that one had found of the same task, if there was one.
    """
    return await tx.fetch(
        """
        select assignment.id, assignment.role, assignment.units, held, faults, why, assignment.price,
               node.id as node, node.name, node.simulated, step.name as step, step.unit, verdict.at,
               node.simulated and node.hands = 'person' and not exists (
                   select from standing where standing.owner = node.owner and standing.kind = step.kind
                                          and suspended is not null) as crowd,
               (select convert_from(earlier.body, 'utf8')::jsonb #>> '{ruled,found}' from verdict as earlier
                 where earlier.task = task.id and earlier.id < task.verdict
                 order by earlier.id desc limit 1) as before,
               (select coalesce(sum(amount), 0)::bigint from earning
                 where earning.assignment = assignment.id and earning.state = 'available') as paid
          from step
          join task on task.step = step.id and task.state = 'closed'
          join verdict on verdict.id = task.verdict
          join assignment on assignment.task = task.id and (assignment.state = 'rejected' or faults > 0)
          join node on node.id = assignment.node
         where step.campaign = $1 order by verdict.id desc, assignment.id limit $2
        """,
        campaign,
        most,
    )


async def left(tx: Tx, campaign: CampaignId, most: int) -> list[Record]:
    """Tries that brought nothing, by node and reason, the latest first. `done`: by others, since."""
    return await tx.fetch(
        """
        select node.id as node, node.name, node.simulated, step.name as step, assignment.state, why,
               count(*) as tasks, count(*) filter (where task.state = 'closed') as done,
               max(coalesce((select max(at) from earning where earning.assignment = assignment.id),
                            assignment.offered)) as at
          from step join task on task.step = step.id
          join assignment on assignment.task = task.id and assignment.state in ('lapsed', 'declined')
          join node on node.id = assignment.node
         where step.campaign = $1
         group by node.id, step.id, assignment.state, why order by at desc limit $2
        """,
        campaign,
        most,
    )


async def events(tx: Tx, campaign: CampaignId, begin: Instant, end: Instant, most: int) -> list[Record]:
    """What was told about it, and in its time about the whole network."""
    return await tx.fetch(
        """
        select at, tone, title, why from event
         where (campaign = $1 or campaign is null) and at between $2 and $3 order by id desc limit $4
        """,
        campaign,
        begin,
        end,
        most,
    )


async def last_version(tx: Tx, campaign: CampaignId) -> Record | None:
    return await tx.fetchrow(
        "select name, number, rows, at from version where campaign = $1 order by number desc limit 1",
        campaign,
    )


async def standings(tx: Tx, owners: Sequence[str]) -> list[Record]:
    return await tx.fetch(
        """
        select owner, kind, checked, faults, suspended from standing where owner = any($1::text[])
         order by owner, kind
        """,
        owners,
    )
