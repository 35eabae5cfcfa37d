"""Conduct: what became of owners in kinds of work, and what is looked at again because of it."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import msgspec
from msgspec import Struct

from optimai.core.assignment import Role
from optimai.core.clock import Instant
from optimai.core.conduct import Conduct, State
from optimai.core.ids import OwnerId
from optimai.core.money import Nano
from optimai.core.reputation import Reputation
from optimai.network.store.sql import Record, Tx
from optimai.network.store.tries import ROLES

Key = tuple[OwnerId, str, Role]  # an owner in a kind, as who answers or as who audits
_STATES = {state.value: state for state in State}
_Recent = tuple[tuple[int, bool], ...]


class Ended(Struct, frozen=True):
    """A conduct that ended: what of its bond is lost, and what its owner has back."""

    key: Key
    lost: Nano
    returned: Nano


def of_row(row: Mapping[str, Any] | Record) -> Conduct:
    return Conduct(
        state=State(row["state"]),
        reputation=Reputation(row["held"], row["fell"]),
        audits=row["audits"],
        clean=row["clean"],
        checked=row["checked"],
        faults=row["faults"],
        recent=msgspec.json.decode(row["recent"], type=_Recent),
        bond=Nano(row["bond"]),
        owed=Nano(row["owed"]),
    )


async def of(tx: Tx, owners: Sequence[OwnerId]) -> dict[Key, Conduct]:
    """Who has none is a newcomer."""
    rows = await tx.fetch("select * from conduct where owner = any($1::text[])", owners)
    return {(row["owner"], row["kind"], Role(row["role"])): of_row(row) for row in rows}


async def brief(tx: Tx, owners: Sequence[OwnerId], kinds: Sequence[str]) -> dict[Key, Conduct]:
    """State and reputation alone: what an offer has to know."""
    rows = await tx.fetch(
        """
        select owner, kind, role, state, held, fell from conduct
         where owner = any($1::text[]) and kind = any($2::text[])
        """,
        owners,
        kinds,
    )
    return {
        (row["owner"], row["kind"], ROLES[row["role"]]): Conduct(
            state=_STATES[row["state"]], reputation=Reputation(row["held"], row["fell"])
        )
        for row in rows
    }


async def all_of_them(tx: Tx) -> list[tuple[Key, Conduct]]:
    rows = await tx.fetch("select * from conduct order by owner, kind, role")
    return [((row["owner"], row["kind"], Role(row["role"])), of_row(row)) for row in rows]


async def save(tx: Tx, conducts: Mapping[Key, Conduct]) -> None:
    if not conducts:
        return
    each = list(conducts.values())
    await tx.execute(
        """
        insert into conduct (owner, kind, role, state, held, fell, audits, clean, checked, faults, recent, bond, owed)
        select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[],
                             $7::integer[], $8::integer[], $9::integer[], $10::integer[], $11::jsonb[],
                             $12::bigint[], $13::bigint[])
        on conflict (owner, kind, role) do update
           set state = excluded.state, held = excluded.held, fell = excluded.fell, audits = excluded.audits,
               clean = excluded.clean, checked = excluded.checked, faults = excluded.faults,
               recent = excluded.recent, bond = excluded.bond, owed = excluded.owed,
               suspended = case when excluded.state = 'suspended' then conduct.suspended end
        """,
        [owner for owner, _, _ in conducts],
        [kind for _, kind, _ in conducts],
        [role.value for _, _, role in conducts],
        [one.state.value for one in each],
        [one.reputation.held for one in each],
        [one.reputation.fell for one in each],
        [one.audits for one in each],
        [one.clean for one in each],
        [one.checked for one in each],
        [one.faults for one in each],
        [msgspec.json.encode(one.recent).decode() for one in each],
        [one.bond for one in each],
        [one.owed for one in each],
    )


_UNPAID = """
    (exists (select from earning where earning.assignment = assignment.id
                and earning.state in ('reserved', 'pending'))
     or price = 0 and exists (
        select from task as its join verdict on verdict.id = its.verdict
          join step on step.id = its.step join campaign on campaign.id = step.campaign
         where its.id = assignment.task and campaign.state = 'running' and verdict.at + step.appeal > $3))
"""  # where nobody is paid, work is free when the time to appeal is over, all the same


async def suspend(tx: Tx, key: Key, now: Instant) -> int:
    """No more offers; whatever of theirs is judged and not yet free is to be judged again. How many tasks are?

    Who may answer no more may not audit either, so that his audits are judged again too.
    """
    owner, kind, role = key
    await tx.execute(
        """
        update conduct set suspended = $4, then_checked = checked, then_faults = faults
         where owner = $1 and kind = $2 and role = $3
        """,
        owner,
        kind,
        role.value,
        now,
    )
    return await _again(tx, owner, kind, now, f"{_UNPAID} and ($4 = 'answer' or role = $4)", role.value)


async def lift(tx: Tx, key: Key, now: Instant) -> int:
    """He is trusted again: what was judged without him is judged once more. How many tasks are?"""
    owner, kind, role = key
    where = """
        not trusted and ($4 = 'answer' or role = $4) and $3::timestamptz is not null
        and exists (select from task as its join step on step.id = its.step
                      join campaign on campaign.id = step.campaign
                     where its.id = assignment.task and campaign.state = 'running')
    """
    return await _again(tx, owner, kind, now, where, role.value, states=("accepted", "rejected"))


async def _again(
    tx: Tx,
    owner: OwnerId,
    kind: str,
    now: Instant,
    where: str,
    role: str,
    states: Iterable[str] = ("accepted",),
) -> int:
    rows = await tx.fetch(
        f"""
        update task set state = 'open', again = true
         where state = 'closed' and split_part(kind, '+', 1) = $2 and id in (
               select assignment.task from assignment
                where node in (select id from node where owner = $1) and state = any($5::text[]) and {where})
        returning id
        """,
        owner,
        kind,
        now,
        role,
        list(states),
    )
    return len(rows)


async def look(tx: Tx, owner: OwnerId, kind: str, epoch: int) -> int:
    """Something of his fell: all that is not paid yet and was not looked at is audited. How many tasks are?"""
    rows = await tx.fetch(
        """
        update task set state = 'open', again = true, drawn = 'fault', to_audit = true, drawn_in = $3,
               drawn_at = 1000000
         where state = 'closed' and split_part(kind, '+', 1) = $2 and drawn = 'chance' and audit is null and id in (
               select assignment.task from assignment join earning on earning.assignment = assignment.id
                where assignment.owner = $1 and assignment.role = 'answer' and assignment.state = 'accepted'
                  and checked = 0 and earning.state = 'pending')
        returning id
        """,
        owner,
        kind,
        epoch,
    )
    return len(rows)


async def over(tx: Tx, now: Instant, away: timedelta) -> list[Ended]:
    """Of suspensions that have lasted long enough."""
    rows = await tx.fetch(
        "select owner, kind, role, bond from conduct where suspended <= $1 order by owner, kind, role for update",
        now - away,
    )
    return [Ended((row["owner"], row["kind"], Role(row["role"])), Nano(row["bond"]), Nano(0)) for row in rows]


async def end(tx: Tx, which: Sequence[Ended], epoch: int, now: Instant) -> None:
    """Whose they are is a newcomer. What becomes of the bonds is written down, in the order of verdicts."""
    await tx.execute(
        """
        delete from conduct
         where (owner, kind, role) in (select * from unnest($1::text[], $2::text[], $3::text[]))
        """,
        [owner for owner, _, _ in (one.key for one in which)],
        [kind for _, kind, _ in (one.key for one in which)],
        [role.value for _, _, role in (one.key for one in which)],
    )
    await tx.execute(
        """
        insert into ended (number, epoch, owner, kind, role, lost, returned, at)
        select nextval('verdict_id_seq'), $6, owner, kind, role, lost, returned, $7
          from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[]) with ordinality
               as over (owner, kind, role, lost, returned, place) order by place
        """,
        [owner for owner, _, _ in (one.key for one in which)],
        [kind for _, kind, _ in (one.key for one in which)],
        [role.value for _, _, role in (one.key for one in which)],
        [one.lost for one in which],
        [one.returned for one in which],
        epoch,
        now,
    )


async def ended(tx: Tx, epoch: int) -> list[Record]:
    """In an epoch."""
    return await tx.fetch("select * from ended where epoch = $1 order by number", epoch)
