"""Earnings and the ledger. Balances and the transfers that made them change together or not at all."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from optimai.core import ledger
from optimai.core.assignment import Role
from optimai.core.clock import Instant
from optimai.core.earning import Earning, State
from optimai.core.errors import NotEnough
from optimai.core.ids import AssignmentId, CampaignId, OwnerId, TaskId
from optimai.core.ledger import Account, Transfer
from optimai.core.money import Nano, opi
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
        fined=row["fined"],
        kept=row["kept"],
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


class Due(Struct, frozen=True, kw_only=True):
    """An earning that may be paid out, and for what it is."""

    earning: Earning
    kind: str
    role: Role
    price: int


async def due(tx: Tx, now: Instant, clear: int, limit: int) -> list[Due]:
    """Pending earnings whose time to appeal is over and whose task is neither being judged again nor to be settled.

    Of these the ones that were looked at, or after which `clear` audits of their owner in the same kind were clean, or
    at which nobody could look who was there; and all opinions of a step that is sealed. Of an auditor they are due when
    he has stood his probation, or the step is sealed: to agree costs nothing. A task that was parked keeps its verdict.
    """
    rows = await tx.fetch(
        """
        select earning.*, split_part(task.kind, '+', 1) as kind, assignment.role, assignment.price from earning
          join assignment on assignment.id = earning.assignment
          join task on task.id = assignment.task
          join step on step.id = task.step
         where earning.state = 'pending' and earning.release_at <= $1 and task.state <> 'open' and task.settled
           and (assignment.role = 'answer' and (assignment.checked > 0 or task.drawn = 'nobody else' or task.to_audit)
                or (assignment.role = 'audit' or task.drawn = 'opinions') and step.state = 'sealed'
                or exists (select from conduct
                            where conduct.owner = earning.owner and conduct.kind = split_part(task.kind, '+', 1)
                              and conduct.role = assignment.role
                              and case when assignment.role = 'audit' then conduct.state = 'standing'
                                       else conduct.clean >= assignment.clean_then + $3 end))
         order by earning.release_at, earning.id limit $2 for update of earning skip locked
        """,
        now,
        limit,
        clear,
    )
    return [
        Due(earning=_earning(row), kind=row["kind"], role=Role(row["role"]), price=row["price"])
        for row in rows
    ]


class Waiting(Struct, frozen=True):
    """Work that was paid for unlooked at, and waits for later audits that do not come."""

    owner: OwnerId
    kind: str
    tasks: tuple[TaskId, ...]


async def waiting(tx: Tx, now: Instant, clear: int, limit: int) -> list[Waiting]:
    """Of sealed steps and of who leaves, by owner and kind: those of which nothing is being looked at already."""
    rows = await tx.fetch(
        """
        select earning.owner, split_part(task.kind, '+', 1) as kind, array_agg(task.id order by task.id) as tasks
          from earning
          join assignment on assignment.id = earning.assignment
          join task on task.id = assignment.task
          join step on step.id = task.step
         where earning.state = 'pending' and earning.release_at <= $1 and task.settled and task.state = 'closed'
           and assignment.checked = 0 and assignment.role = 'answer' and not task.to_audit
           and task.drawn = 'chance'
           and (step.state = 'sealed' or exists (select from leaving where leaving.owner = earning.owner))
           and not exists (select from conduct
                            where conduct.owner = earning.owner and conduct.kind = split_part(task.kind, '+', 1)
                              and conduct.role = 'answer'
                              and conduct.clean >= assignment.clean_then + $2)
           and not exists (select from assignment as other join task as its on its.id = other.task
                            where other.owner = earning.owner and other.state in ('returned', 'accepted')
                              and its.state = 'open' and split_part(its.kind, '+', 1) = split_part(task.kind, '+', 1))
         group by earning.owner, split_part(task.kind, '+', 1) order by earning.owner, kind limit $3
        """,
        now,
        clear,
        limit,
    )
    return [Waiting(row["owner"], row["kind"], tuple(row["tasks"])) for row in rows]


async def save(tx: Tx, earnings: Sequence[Earning], now: Instant, freed: int | None = None) -> None:
    """`freed`, of those that become available: their number in the order of verdicts."""
    await tx.execute(
        """
        update earning set state = new.state, amount = new.amount, release_at = new.release_at,
               reason = new.reason, at = $6, fined = new.fined, kept = new.kept, freed = $9
          from unnest($1::bigint[], $2::text[], $3::bigint[], $4::timestamptz[], $5::text[], $7::bigint[],
                      $8::bigint[])
               as new (id, state, amount, release_at, reason, fined, kept)
         where earning.id = new.id
        """,
        [one.id for one in earnings],
        [one.state.value for one in earnings],
        [one.amount for one in earnings],
        [one.release_at for one in earnings],
        [one.reason for one in earnings],
        now,
        [one.fined for one in earnings],
        [one.kept for one in earnings],
        freed,
    )


async def number(tx: Tx) -> int:
    """The next in the order of verdicts, in which a stranger recomputes what happened."""
    return int(await tx.fetchval("select nextval('verdict_id_seq')"))


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
                 where coalesce(owed.amount, 0) <> coalesce(account.balance, 0))::bigint as wrong_states,
               (select count(*) from (select 'bond:' || owner as name, sum(bond) as amount from conduct group by owner)
                    as kept full join (select * from account where name like 'bond:%') as account using (name)
                 where coalesce(kept.amount, 0) <> coalesce(account.balance, 0))::bigint as wrong_bonds
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
