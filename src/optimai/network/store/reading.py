"""What pages about the network read: nodes, datasets, accounts, epochs, and somebody's pay."""

from optimai.core.clock import Instant
from optimai.core.ids import EarningId, OwnerId
from optimai.core.ledger import Account
from optimai.core.money import Nano
from optimai.network.store.nodes import ALIVE
from optimai.network.store.sql import Record, Tx

LOOKED_AT = 2_000  # epochs at once


async def health(tx: Tx, now: Instant) -> Record:
    row = await tx.fetchrow(
        """
        select (select count(*) from node where seen > $1) as nodes,
               (select number from epoch where closed is null) as epoch,
               (select closes from epoch where closed is null) as closes
        """,
        now - ALIVE,
    )
    assert row is not None
    return row


_NODES = """
    select node.id, node.name, node.owner, node.hands, node.simulated, node.cores, node.memory_mb, node.kinds,
           node.joined, node.seen, node.seen > $1 as alive, node.serial > 0 as asked, total.*, tried.*
      from (select * from node where $2::text is null or $2 in (id, name)
             order by seen desc, name limit $3) as node
     cross join lateral (
           select coalesce(sum(held), 0)::bigint as accepted, coalesce(sum(checked), 0)::bigint as checked,
                  coalesce(sum(faults), 0)::bigint as faults, coalesce(sum(available), 0)::bigint as available,
                  coalesce(sum(pending), 0)::bigint as pending
             from tally where tally.node = node.id) as total
     cross join lateral (
           select count(*) filter (where state = 'lapsed') as lapsed,
                  count(*) filter (where state = 'offered') as in_hand
             from assignment where assignment.node = node.id and state in ('lapsed', 'offered')) as tried
     order by node.seen desc, node.name
"""


async def nodes(tx: Tx, now: Instant, named: str | None, most: int) -> list[Record]:
    """Those seen last, or the one of that name or id."""
    return await tx.fetch(_NODES, now - ALIVE, named, most)


async def earnings(tx: Tx, owner: OwnerId, after: EarningId, most: int) -> list[Record]:
    """Lines in the order in which they were written."""
    return await tx.fetch(_EARNINGS + "and earning.id > $2 order by earning.id limit $3", owner, after, most)


async def last_earnings(tx: Tx, node: str, most: int) -> list[Record]:
    """Of one node, the newest first."""
    return await tx.fetch(
        _EARNINGS + "and assignment.node = $2 order by earning.id desc limit $3",
        await tx.fetchval("select owner from node where id = $1", node),
        node,
        most,
    )


_EARNINGS = """
    select earning.id, earning.assignment, campaign.name as campaign, step.name as step, step.unit,
           task.id as task, node.name as node, assignment.role, assignment.price, assignment.quality,
           assignment.units, earning.fined, earning.kept,
           assignment.held, earning.amount, earning.state, earning.reason, earning.release_at, earning.at,
           campaign.private, campaign.requester, campaign.id as campaign_id
      from earning
      join assignment on assignment.id = earning.assignment
      join task on task.id = assignment.task
      join step on step.id = task.step
      join campaign on campaign.id = earning.campaign
      join node on node.id = assignment.node
     where earning.owner = $1
"""


async def datasets(tx: Tx, most: int) -> list[Record]:
    """The newest version of each name, and how many there are; `version` says which is the newest."""
    return await tx.fetch(
        """
        select last.name, last.number, last.rows, last.at, last.manifest, last.versions,
               campaign.name as campaign, campaign.id as campaign_id
          from (select distinct on (name) *, count(*) over (partition by name) as versions
                  from version order by name, campaign desc, number desc) as last
          join campaign on campaign.id = last.campaign
         order by last.at desc, last.name limit $1
        """,
        most,
    )


async def version(tx: Tx, name: str, number: int) -> Record | None:
    """Number 0 is the newest: the last of the last campaign that has any. One that was cancelled may be late."""
    return await tx.fetchrow(
        """
        select number, version.campaign, manifest, private, requester,
               (select number from version as newest where newest.name = version.name
                 order by campaign desc, number desc limit 1) as newest
          from version join campaign on campaign.id = version.campaign
         where version.name = $1 and ($2 = 0 or number = $2)
         order by version.campaign desc, number desc limit 1
        """,
        name,
        number,
    )


async def balance(tx: Tx, account: Account) -> Nano:
    return Nano(
        await tx.fetchval("select coalesce(sum(balance), 0)::bigint from account where name = $1", account)
    )


async def accounts(tx: Tx) -> list[Record]:
    return await tx.fetch(
        """
        select split_part(name, ':', 1) as sort, count(*) as accounts, sum(balance)::bigint as balance
          from account group by 1
        """
    )


async def chain(tx: Tx) -> Record:
    row = await tx.fetchrow(
        """
        select (select count(*) from transfer) as transfers,
               (select count(*) from transfer where batch is null) as unlinked,
               (select hash from batch order by id desc limit 1) as link
        """
    )
    assert row is not None
    return row


async def epochs(tx: Tx, most: int) -> list[Record]:
    """The newest first; those in a row in which nothing happened are one, from `first` to `number`.

    The seed of one that is not closed is nobody's business.
    """
    return await tx.fetch(
        """
        with seen as (
             select epoch.*, (select count(*) from verdict where verdict.epoch = epoch.number) as verdicts,
                    number in (select batch.epoch from batch) as paid
               from epoch order by number desc limit $2),
        told as (
             select *, closed is not null and verdicts = 0 and not paid as idle,
                    count(*) filter (where closed is null or verdicts > 0 or paid) over (order by number) as past
               from seen)
        select min(number) as first, max(number) as number, min(opened) as opened, max(closes) as closes,
               max(closed) as closed, sum(verdicts)::bigint as verdicts,
               (array_agg(head order by number desc))[1] as head,
               (array_agg(bundle order by number desc))[1] as bundle
          from told group by past, idle order by 2 desc limit $1
        """,
        most,
        LOOKED_AT,
    )
