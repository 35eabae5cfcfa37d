"""Earnings and the ledger. Balances and the transfers that made them change together or not at all."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from optimai.core import ledger
from optimai.core.clock import Instant
from optimai.core.earning import Earning, State
from optimai.core.errors import NotEnough
from optimai.core.ids import AssignmentId, CampaignId, OwnerId
from optimai.core.ledger import Account, Transfer
from optimai.core.money import Nano, opi
from optimai.core.standing import PROBATION
from optimai.network.store.sql import Record, Tx


async def post(tx: Tx, transfers: Sequence[Transfer], now: Instant) -> None:
    """Move money. Raises NotEnough, and moves nothing, where an account would fall below zero."""
    changes = ledger.together(transfers)
    has = await balances(tx, list(changes))
    for account, change in changes.items():
        if has[account] + change < 0 and account != ledger.OUTSIDE:
            deposit = tx.network.commands("deposit AMOUNT --reference WORD")
            raise NotEnough(_told(account), opi(has[account]), opi(Nano(-change)), deposit)
    await write(tx, transfers, now)


def _told(account: Account) -> str:
    sort, _, name = account.partition(":")
    return f"The account of {name}" if sort == "available" else account


async def write(tx: Tx, transfers: Sequence[Transfer], now: Instant) -> None:
    """The same, for whoever has seen by `balances` that it will do: the database refuses what would not."""
    if transfers:
        await tx.execute(f"with {posting(1)} select", now, *columns(transfers))


def posting(first: int) -> str:
    """Expressions for a `with`, which move money. Their arguments: now, as $`first`, and `columns`."""
    now, names, changes, events, abouts, entries = (f"${number}" for number in range(first, first + 6))
    return f"""
        change as (
             select * from unnest({names}::text[], {changes}::bigint[]) as change (name, amount)),
        gained as (
             insert into account (name, balance) select name, amount from change where amount > 0
             on conflict (name) do update set balance = account.balance + excluded.balance),
        lost as (
             update account set balance = balance + amount from change
              where account.name = change.name and amount < 0),
        posted as (
             insert into transfer (event, about, entries, at)
             select event, about, entries::jsonb, {now}
               from unnest({events}::text[], {abouts}::text[], {entries}::text[]) as new (event, about, entries))
    """


def columns(transfers: Sequence[Transfer]) -> tuple[Sequence[str | int], ...]:
    changes = ledger.together(transfers)
    return (
        list(changes),
        list(changes.values()),
        [one.event for one in transfers],
        [one.about for one in transfers],
        [msgspec.json.encode(one.entries, order="sorted").decode() for one in transfers],
    )


async def balances(tx: Tx, accounts: Sequence[Account]) -> dict[Account, Nano]:
    """Locked, in the order of their names, so that no two transactions wait for each other."""
    if not accounts:
        return {}
    rows = await tx.fetch(
        "select name, balance from account where name = any($1::text[]) order by name for update", accounts
    )
    return {account: Nano(0) for account in accounts} | {row["name"]: Nano(row["balance"]) for row in rows}


def _earning(row: Record) -> Earning:
    return Earning(
        id=row["id"],
        assignment=row["assignment"],
        owner=row["owner"],
        amount=row["amount"],
        state=State(row["state"]),
        release_at=row["release_at"],
        reason=row["reason"],
    )


async def lock_of(
    tx: Tx, assignments: Sequence[AssignmentId]
) -> dict[AssignmentId, tuple[Earning, CampaignId]]:
    """The living earning of each of these assignments, where there is one."""
    rows = await tx.fetch(
        """
        select * from earning where assignment = any($1::bigint[]) and state <> 'void' order by id for update
        """,
        assignments,
    )
    return {row["assignment"]: (_earning(row), row["campaign"]) for row in rows}


async def due(tx: Tx, now: Instant, limit: int) -> list[tuple[Earning, CampaignId]]:
    """Pending earnings whose time to appeal is over and whose task is neither being judged again nor to be settled.

    A task that was parked then keeps the verdict that it had. A newcomer's pay also waits until all
    that he had handed in by that time is judged, and that of his audits until there is nothing more
    to come in their step: he may yet be found a liar, and to agree costs nothing.
    """
    rows = await tx.fetch(
        """
        select earning.* from earning
          join assignment on assignment.id = earning.assignment
          join task on task.id = assignment.task
          join step on step.id = task.step
         where earning.state = 'pending' and earning.release_at <= $1 and task.state <> 'open' and task.settled
           and (exists (select from standing
                         where standing.owner = earning.owner and checked >= $3
                           and standing.kind = split_part(task.kind, '+', 1))
                or (assignment.role = 'answer' or step.state = 'sealed') and not exists (
                    select from node
                      join assignment as other on other.node = node.id and other.state = 'returned'
                      join task as its on its.id = other.task and its.state = 'open'
                     where node.owner = earning.owner and other.returned <= earning.release_at
                       and split_part(its.kind, '+', 1) = split_part(task.kind, '+', 1)))
         order by earning.release_at limit $2 for update of earning skip locked
        """,
        now,
        limit,
        PROBATION,
    )
    return [(_earning(row), row["campaign"]) for row in rows]


async def save(tx: Tx, earnings: Sequence[Earning], now: Instant) -> None:
    await tx.execute(
        """
        update earning set state = new.state, amount = new.amount, release_at = new.release_at,
               reason = new.reason, at = $6
          from unnest($1::bigint[], $2::text[], $3::bigint[], $4::timestamptz[], $5::text[])
               as new (id, state, amount, release_at, reason)
         where earning.id = new.id
        """,
        [one.id for one in earnings],
        [one.state.value for one in earnings],
        [one.amount for one in earnings],
        [one.release_at for one in earnings],
        [one.reason for one in earnings],
        now,
    )


async def reserve(
    tx: Tx, assignment: AssignmentId, campaign: CampaignId, owner: OwnerId, amount: Nano, now: Instant
) -> Earning:
    """Set money aside for an assignment that has none (any more). The ledger is moved by whoever calls."""
    rows = await tx.fetch(
        """
        insert into earning (assignment, campaign, owner, amount, state, at)
        values ($1, $2, $3, $4, 'reserved', $5) returning *
        """,
        assignment,
        campaign,
        owner,
        amount,
        now,
    )
    return _earning(rows[0])


async def zero(tx: Tx, lines: Sequence[tuple[AssignmentId, CampaignId, OwnerId, str]], now: Instant) -> None:
    """A line that says why nothing was earned: (assignment, campaign, owner, reason). Once for each reason."""
    if not lines:
        return
    await tx.execute(
        """
        insert into earning (assignment, campaign, owner, amount, state, reason, at)
        select assignment, campaign, owner, 0, 'void', reason, $5
          from unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[])
               as new (assignment, campaign, owner, reason)
         where not exists (select from earning as line
                            where line.assignment = new.assignment and line.reason = new.reason)
        """,
        [one[0] for one in lines],
        [one[1] for one in lines],
        [one[2] for one in lines],
        [one[3] for one in lines],
        now,
    )


async def unlinked(tx: Tx, limit: int) -> list[tuple[int, Transfer]]:
    """Transfers not yet in the chain, oldest first."""
    rows = await tx.fetch(
        "select id, event, about, entries from transfer where batch is null order by id limit $1", limit
    )
    return [
        (row["id"], Transfer(row["event"], row["about"], msgspec.json.decode(row["entries"]))) for row in rows
    ]


async def last_link(tx: Tx) -> str:
    return str(await tx.fetchval("select hash from batch order by id desc limit 1") or "0" * 64)


async def link(tx: Tx, ids: Sequence[int], before: str, digest: str, epoch: int, now: Instant) -> None:
    batch = await tx.fetchval(
        "insert into batch (epoch, before, hash, at) values ($1, $2, $3, $4) returning id",
        epoch,
        before,
        digest,
        now,
    )
    await tx.execute("update transfer set batch = $2 where id = any($1::bigint[])", ids, batch)


async def last_earning(tx: Tx) -> int:
    """The highest number of an earning."""
    return int(await tx.fetchval("select coalesce(max(id), 0) from earning"))


async def sums(tx: Tx) -> Mapping[str, Any]:
    """What must hold at every moment, for whoever wants to look: all zero."""
    row = await tx.fetchrow(
        """
        select (select coalesce(sum(balance), 0) from account)::bigint as all_accounts,
               (select coalesce(sum(value::bigint), 0) from transfer, jsonb_each_text(entries))::bigint as transfers,
               (select count(*) from (select assignment from earning where state <> 'void'
                                       group by assignment having count(*) > 1) as twice)::bigint as double_paid,
               (select count(*) from account
                 where balance <> (select coalesce(sum(value::bigint), 0) from transfer, jsonb_each_text(entries)
                                    where key = account.name))::bigint as wrong_balances,
               (select count(*) from (
                    select 'reserved:' || campaign as name, sum(amount) as amount from earning
                     where state = 'reserved' group by campaign
                     union all
                    select 'pending:' || owner, sum(amount) from earning where state = 'pending' group by owner
                    ) as owed full join (select * from account where name like 'reserved:%' or name like 'pending:%')
                    as account using (name)
                 where coalesce(owed.amount, 0) <> coalesce(account.balance, 0))::bigint as wrong_states
        """
    )
    assert row is not None
    return dict(row)


async def posted(tx: Tx, event: str, about: str) -> bool:
    return bool(
        await tx.fetchval(
            "select exists (select from transfer where event = $1 and about = $2)", event, about
        )
    )
