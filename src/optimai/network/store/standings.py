"""Standings: how many of an owner's checked units in a kind were wrong, and who is suspended for it."""

from collections.abc import Mapping, Sequence

from optimai.core.clock import Instant
from optimai.core.ids import OwnerId
from optimai.core.standing import Standing
from optimai.network.store.sql import Tx


async def of(tx: Tx, owners: Sequence[OwnerId]) -> dict[tuple[OwnerId, str], tuple[Standing, bool]]:
    """By owner and kind: the standing, and whether it is suspended."""
    rows = await tx.fetch(
        "select owner, kind, checked, faults, suspended from standing where owner = any($1::text[])", owners
    )
    return {
        (row["owner"], row["kind"]): (Standing(row["checked"], row["faults"]), row["suspended"] is not None)
        for row in rows
    }


async def save(tx: Tx, standings: Mapping[tuple[OwnerId, str], Standing]) -> None:
    """By owner and kind."""
    await tx.execute(
        """
        insert into standing (owner, kind, checked, faults)
        select * from unnest($1::text[], $2::text[], $3::integer[], $4::integer[])
        on conflict (owner, kind) do update set checked = excluded.checked, faults = excluded.faults
        """,
        [owner for owner, _ in standings],
        [kind for _, kind in standings],
        [one.checked for one in standings.values()],
        [one.faults for one in standings.values()],
    )


async def suspend(tx: Tx, owner: OwnerId, kind: str, now: Instant) -> int:
    """No more offers; whatever of theirs is judged and not yet free is to be judged again. How many tasks are?

    Where nobody is paid, work is free when the time to appeal is over, all the same.
    """
    await tx.execute(
        """
        update standing set suspended = $3, then_checked = checked, then_faults = faults
         where owner = $1 and kind = $2
        """,
        owner,
        kind,
        now,
    )
    rows = await tx.fetch(
        """
        update task set state = 'open', again = true
         where state = 'closed' and split_part(kind, '+', 1) = $2 and id in (
               select assignment.task from assignment
                where node in (select id from node where owner = $1) and state = 'accepted'
                  and (exists (select from earning where earning.assignment = assignment.id
                                  and earning.state in ('reserved', 'pending'))
                       or price = 0 and exists (
                          select from task as its join verdict on verdict.id = its.verdict
                            join step on step.id = its.step join campaign on campaign.id = step.campaign
                           where its.id = assignment.task and campaign.state = 'running'
                             and verdict.at + step.appeal > $3)))
        returning id
        """,
        owner,
        kind,
        now,
    )
    return len(rows)
