"""What a page about one campaign reads, a few statements a look, however many tasks there are."""

from collections.abc import Sequence

from optimai.core.clock import Instant
from optimai.core.ids import CampaignId, StepId
from optimai.core.ledger import escrow, reserved
from optimai.kinds.contract import Shard
from optimai.network.store.sql import Record, Tx


async def campaign(tx: Tx, name: str, number: int = 0) -> Record | None:
    """Of those that ever had this name the one with that number; 0: the last."""
    return await tx.fetchrow(
        """
        select id, name, requester, private, spec, budget, state, created, ends, ended,
               (select max(id) from campaign where name = $1) as newest
          from campaign where name = $1 and ($2 = 0 or id = $2) order by id desc limit 1
        """,
        name,
        number,
    )


async def campaigns(tx: Tx, most: int) -> list[Record]:
    """The newest first."""
    return await tx.fetch(
        """
        select campaign.id, campaign.name, state, budget, created, ends, ended,
               (select coalesce(sum(pending + available + fined), 0)::bigint
                  from tally join step on step.id = tally.step where step.campaign = campaign.id) as spent,
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
    """Inputs first, then the steps in their order, each with its tasks and shards counted, and what was done in it."""
    return await tx.fetch(
        """
        select step.id, step.name, step.kind, step.kind_hash, step.unit, step.price, step.state, step.finished,
               step.standing, step.sealed, step.version, source.name as source, source.state as source_state,
               shards.rows, tasks.*, tried.*
          from step
          left join step as source on source.id = step.source
         cross join lateral (
               select coalesce(sum(rows), 0)::bigint as rows from shard where shard.step = step.id) as shards
         cross join lateral (
               select count(*) filter (where task.state = 'open') as open,
                      count(*) filter (where task.state = 'closed') as closed,
                      count(*) filter (where task.state = 'parked') as parked,
                      count(*) filter (where task.state = 'parked' and pinned is not null and not exists (
                          select from assignment where assignment.task = task.id and assignment.state = 'returned'))
                          as unproved,
                      coalesce(sum(units) filter (where task.state = 'closed'), 0)::bigint as done,
                      coalesce(sum(units) filter (where task.state <> 'parked'), 0)::bigint as asked_for,
                      coalesce(sum(units) filter (where task.state = 'closed' and not published), 0)::bigint
                          as unsealed,
                      max(task.believed) filter (where task.state = 'closed') as last_believed,
                      count(drawn) as drawn,
                      count(*) filter (where task.to_audit) as audited,
                      count(*) filter (where drawn = 'nobody else') as waived,
                      count(*) filter (where places > 0 and role = 'audit') as wants_audit,
                      max(units * step.price) filter (where places > 0) as dearest,
                      array(select distinct kind from task
                             where task.step = step.id and state = 'open' and places > 0) as wanted
                 from task where task.step = step.id) as tasks
         cross join lateral (
               select coalesce(sum(results), 0)::bigint as results, coalesce(sum(held), 0)::bigint as held
                 from tally where tally.step = step.id) as tried
         where step.campaign = $1 order by step.position, step.id
        """,
        campaign,
    )


async def believed(
    tx: Tx, campaign: CampaignId, edges: Sequence[Instant], standing: Sequence[Instant], since: Instant
) -> list[Record]:
    """Units whose verdict stands, for each step and part of the time; and of those how many `since`.

    Parts are numbered from 0 and end at `edges`, those of standing steps at `standing`.
    """
    return await tx.fetch(
        """
        select task.step,
               width_bucket(task.believed, case when step.standing then $3::timestamptz[]
                                                else $2::timestamptz[] end) as part,
               sum(task.units)::bigint as units,
               coalesce(sum(task.units) filter (where task.believed > $4), 0)::bigint as recent
          from step join task on task.step = step.id
         where step.campaign = $1 and task.state = 'closed' and task.believed is not null group by 1, 2
        """,
        campaign,
        edges,
        standing,
        since,
    )


async def in_hand(tx: Tx, campaign: CampaignId) -> list[Record]:
    """Tasks that are out with a node now."""
    return await tx.fetch(
        """
        select assignment.node, step.name as step, count(*) as tasks
          from assignment join task on task.id = assignment.task join step on step.id = task.step
         where assignment.state = 'offered' and step.campaign = $1
         group by assignment.node, step.id order by step.position
        """,
        campaign,
    )


async def money(tx: Tx, campaign: CampaignId) -> Record:
    """Where each coin of the budget is: by the tally, the accounts, the transfer that returned the rest."""
    row = await tx.fetchrow(
        """
        select earned.*,
               (select min(release_at) from earning where campaign = $1 and state = 'pending') as next_free,
               (select coalesce(sum(balance), 0)::bigint from account where name = $2) as escrow,
               (select coalesce(sum(balance), 0)::bigint from account where name = $3) as reserved,
               (select coalesce(-sum((entries ->> $2)::bigint), 0)::bigint from transfer
                 where event = 'expire' and about = $4) as returned
          from (select coalesce(sum(available + fined), 0)::bigint as available,
                       coalesce(sum(pending), 0)::bigint as pending
                  from tally join step on step.id = tally.step where step.campaign = $1) as earned
        """,
        campaign,
        escrow(campaign),
        reserved(campaign),
        f"campaign {campaign}",
    )
    assert row is not None
    return row


async def workers(tx: Tx, campaign: CampaignId) -> list[Record]:
    """Every node that was ever offered something of it. `why`: of its last try, where it has earned nothing."""
    return await tx.fetch(
        """
        with tried as (
             select tally.node, tally.step, held, checked, faults, pending, available, 0 as unjudged
               from step join tally on tally.step = step.id where step.campaign = $1
              union all
             select assignment.node, task.step, 0, 0, 0, 0, 0, (assignment.state = 'returned')::integer
               from step join task on task.step = step.id and task.state = 'open'
               join assignment on assignment.task = task.id where step.campaign = $1
              union all
             select assignment.node, task.step, 0, 0, 0, 0, 0, 0
               from step join task on task.step = step.id
               join assignment on assignment.task = task.id and assignment.state in ('declined', 'lapsed')
              where step.campaign = $1)
        select node.id, node.name, node.owner, node.hands, node.simulated, node.seen, total.*,
               case when total.available + total.pending = 0 then (
                    select why from assignment join task on task.id = assignment.task
                      join step on step.id = task.step
                     where assignment.node = node.id and why <> '' and step.campaign = $1
                     order by assignment.id desc limit 1) end as why
          from (select tried.node, sum(held)::bigint as accepted, sum(checked)::bigint as checked,
                       sum(faults)::bigint as faults, sum(unjudged)::bigint as unjudged,
                       sum(available)::bigint as available, sum(pending)::bigint as pending,
                       array_agg(distinct step.kind) as kinds, max(step.price) as dearest
                  from tried join step on step.id = tried.step group by tried.node) as total
          join node on node.id = total.node
         order by total.available + total.pending desc, accepted desc, node.name
        """,
        campaign,
    )


async def refused(tx: Tx, campaign: CampaignId, most: int) -> list[Record]:
    """Tries of which a verdict says that something is wrong, newest verdict first.

    `before` is what the verdict before that one had found of the same task, if there was one.
    """
    return await tx.fetch(
        """
        select assignment.id, assignment.role, assignment.units, held, faults, why, trusted, assignment.price,
               node.id as node, node.name, node.simulated, step.name as step, step.unit, verdict.at,
               node.simulated and node.hands = 'person' and not exists (
                   select from conduct where conduct.owner = node.owner and conduct.kind = step.kind
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
        select at, tone, title, why, campaign from event
         where (campaign = $1 or campaign is null) and at between $2 and $3 order by id desc limit $4
        """,
        campaign,
        begin,
        end,
        most,
    )


async def first_shard(tx: Tx, campaign: CampaignId) -> tuple[str, Shard] | None:
    """Of the step nearest to the dataset that has any, and that step's name."""
    row = await tx.fetchrow(
        """
        select step.name, blob, shard.rows, bytes from step join shard on shard.step = step.id
         where campaign = $1 and kind is not null order by step.position desc, shard.id limit 1
        """,
        campaign,
    )
    return (row["name"], Shard(row["blob"], row["rows"], row["bytes"])) if row else None


async def last_version(tx: Tx, campaign: CampaignId) -> Record | None:
    return await tx.fetchrow(
        "select name, number, rows, at from version where campaign = $1 order by number desc limit 1",
        campaign,
    )


async def commonest_why(tx: Tx, step: StepId) -> str:
    """What verdicts told most tries of a step; "" where they said nothing."""
    return str(
        await tx.fetchval(
            """
            select why from assignment join task on task.id = assignment.task
             where task.step = $1 and task.state = 'closed' and why <> ''
             group by why order by count(*) desc, why limit 1
            """,
            step,
        )
        or ""
    )


async def conducts(tx: Tx, owners: Sequence[str]) -> list[Record]:
    return await tx.fetch(
        """
        select * from conduct where owner = any($1::text[]) order by owner, kind, role
        """,
        owners,
    )
