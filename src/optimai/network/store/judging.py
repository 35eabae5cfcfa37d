"""What the judge reads and writes: answered tasks with all that came back, verdicts, standings."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import msgspec
from msgspec import Raw, Struct

from optimai.core.assignment import Role, State
from optimai.core.chance import Ppm
from optimai.core.clock import Instant
from optimai.core.ids import (
    AssignmentId,
    CampaignId,
    EnvelopeId,
    NodeId,
    OwnerId,
    ResultId,
    TaskId,
    result_id,
)
from optimai.core.standing import Standing
from optimai.kinds.contract import Shard
from optimai.kinds.ruling import Draw
from optimai.network.store.sql import Tx
from optimai.wire import envelope
from optimai.wire.exchange import Signed


class Try(Struct, frozen=True, kw_only=True):
    """An assignment that came back, with its result."""

    id: AssignmentId
    owner: OwnerId
    node: NodeId
    role: Role
    state: State
    price: int
    envelope: EnvelopeId
    place: int
    result: Raw
    checked: int  # as an earlier verdict found
    faults: int

    @property
    def name(self) -> ResultId:
        return result_id(self.envelope, self.place)


class Answered(Struct, frozen=True, kw_only=True):
    """A task whose answers are all in."""

    id: TaskId
    kind: str  # without the engine
    able: str  # as nodes name it, engine included
    campaign: CampaignId
    step: str
    options: Raw
    body: Raw
    reads: tuple[Shard, ...]
    units: int
    over: bool  # its campaign's time is over: decide with what there is
    always: bool
    rate: Ppm
    draw: Draw | None
    audit: bytes | None
    places: int
    believed: bytes | None  # by the verdict that stands, if there was one
    stands: int | None
    tries: tuple[Try, ...]


async def lock_answered(tx: Tx, now: Instant, patience: timedelta | None, limit: int) -> list[Answered]:
    """Open tasks that wait for nobody; with patience also those that have waited longer than that in vain.

    Of a task with open places nothing is looked at before: opinions that trickle in cost nothing.
    """
    rows = await tx.fetch(
        """
        with candidate as (
             (select id from task
               where state = 'open' and places = 0
                 and not exists (select from assignment where assignment.task = task.id and state = 'offered')
               order by id limit $2)
             union all
             (select id from task
               where state = 'open' and places > 0 and asked > 0 and wanted <= $1
                 and not exists (select from assignment where assignment.task = task.id and state = 'offered')
                 and exists (select from assignment where assignment.task = task.id and state = 'returned')
               order by wanted limit $2))
        select task.*, step.path, step.options, step.campaign, step.audit as rate, verdict.believed,
               campaign.ends <= $3 as over
          from candidate
          join task on task.id = candidate.id
          join step on step.id = task.step
          join campaign on campaign.id = step.campaign
          left join verdict on verdict.id = task.stands
         order by task.id limit $2 for update of task skip locked
        """,
        now - patience if patience else None,
        limit,
        now,
    )
    tries = await _tries(tx, [row["id"] for row in rows])
    return [
        Answered(
            id=row["id"],
            kind=row["kind"].split("+")[0],
            able=row["kind"],
            campaign=row["campaign"],
            step=row["path"],
            options=Raw(row["options"]),
            body=Raw(row["body"]),
            reads=msgspec.json.decode(row["reads"], type=tuple[Shard, ...]),
            units=row["units"],
            over=row["over"],
            always=row["audited"],
            rate=row["rate"],
            draw=msgspec.json.decode(row["draw"], type=Draw) if row["draw"] else None,
            audit=row["audit"],
            places=row["places"],
            believed=row["believed"],
            stands=row["stands"],
            tries=tuple(tries.get(row["id"], ())),
        )
        for row in rows
    ]


async def _tries(tx: Tx, tasks: Sequence[TaskId]) -> dict[TaskId, list[Try]]:
    rows = await tx.fetch(
        """
        select id, task, owner, node, role, state, price, envelope, place, checked, faults from assignment
         where task = any($1::bigint[]) and state in ('returned', 'accepted', 'rejected') order by id
        """,
        tasks,
    )
    signed = await results(tx, sorted({row["envelope"] for row in rows}))
    found: dict[TaskId, list[Try]] = {}
    for row in rows:
        found.setdefault(row["task"], []).append(
            Try(
                id=row["id"],
                owner=row["owner"],
                node=row["node"],
                role=Role(row["role"]),
                state=State(row["state"]),
                price=row["price"],
                envelope=row["envelope"],
                place=row["place"],
                result=signed[row["envelope"]][row["place"]],
                checked=row["checked"],
                faults=row["faults"],
            )
        )
    return found


async def results(tx: Tx, envelopes: Sequence[EnvelopeId]) -> dict[EnvelopeId, list[Raw]]:
    """The results in these envelopes, by their index."""
    rows = await tx.fetch("select id, body from envelope where id = any($1::text[])", envelopes)
    decoded = {}
    for row in rows:
        signed = msgspec.json.decode(envelope.read(row["body"]).payload, type=Signed)
        decoded[row["id"]] = [done.result for done in signed.results]
    return decoded


async def standings(tx: Tx, owners: Sequence[OwnerId]) -> dict[tuple[OwnerId, str], tuple[Standing, bool]]:
    """By owner and kind: the standing, and whether it is suspended."""
    rows = await tx.fetch(
        "select owner, kind, checked, faults, suspended from standing where owner = any($1::text[])", owners
    )
    return {
        (row["owner"], row["kind"]): (Standing(row["checked"], row["faults"]), row["suspended"] is not None)
        for row in rows
    }


async def want(
    tx: Tx, task: TaskId, places: int, role: Role, audit: bytes | None, draw: Draw | None, now: Instant
) -> None:
    """Ask more owners, as what. Audits go before all other work: money waits for them."""
    await tx.execute(
        """
        update task set places = $2, role = $3, audit = coalesce($4, audit), draw = coalesce($5, draw),
               rank = case when $3 = 'audit' then 0 else rank end, wanted = $6
         where id = $1
        """,
        task,
        places,
        role.value,
        audit,
        msgspec.json.encode(draw) if draw else None,
        now,
    )


async def hope(tx: Tx, tasks: Sequence[TaskId], now: Instant) -> None:
    """Somebody is there who can take their places: be patient once more."""
    if tasks:
        await tx.execute("update task set wanted = $2 where id = any($1::bigint[])", tasks, now)


async def park(tx: Tx, task: TaskId) -> None:
    """Nobody is asked again; settle returns what was set aside for it."""
    await tx.execute(
        "update task set state = 'parked', places = 0, again = false, settled = false where id = $1", task
    )


async def close(
    tx: Tx,
    task: TaskId,
    *,
    epoch: int,
    believed: bytes,
    reason: str,
    result: str | None,
    body: bytes,
    stood: int | None,
    same: bool,
    draw: Draw | None,
    now: Instant,
) -> int:
    """Write a verdict. `same`: it believes what `stood` before did, so what was published stands."""
    number: int = await tx.fetchval(
        """
        insert into verdict (task, epoch, at, believed, reason, result, body)
        values ($1, $2, $3, $4, $5, $6, $7) returning id
        """,
        task,
        epoch,
        now,
        believed,
        reason,
        result,
        body,
    )
    await tx.execute(
        """
        update task set state = 'closed', places = 0, again = false, settled = false, verdict = $2,
               stands = case when $3 then stands else $2 end, published = published and $3, told = told and $3,
               draw = coalesce($4, draw)
         where id = $1
        """,
        task,
        number,
        same,
        msgspec.json.encode(draw) if draw else None,
    )
    if stood is not None and not same:
        await tx.execute(
            """
            update campaign set overturned = $2 from task join step on step.id = task.step
             where task.id = $1 and campaign.id = step.campaign
            """,
            task,
            number,
        )
    return number


async def judged(tx: Tx, found: Sequence[tuple[AssignmentId, State, int, int, int, str]]) -> None:
    """(assignment, state, units that hold, checked, faults, why) of each try."""
    columns: list[list[Any]] = [list(column) for column in zip(*found, strict=True)] or [[]] * 6
    await tx.execute(
        """
        update assignment set state = new.state, held = new.held, checked = new.checked, faults = new.faults,
               why = new.why
          from unnest($1::bigint[], $2::text[], $3::integer[], $4::integer[], $5::integer[], $6::text[])
               as new (id, state, held, checked, faults, why)
         where assignment.id = new.id
        """,
        *columns,
    )


async def stand(tx: Tx, now_standing: Mapping[tuple[OwnerId, str], Standing]) -> None:
    await tx.execute(
        """
        insert into standing (owner, kind, checked, faults)
        select * from unnest($1::text[], $2::text[], $3::integer[], $4::integer[])
        on conflict (owner, kind) do update set checked = excluded.checked, faults = excluded.faults
        """,
        [owner for owner, _ in now_standing],
        [kind for _, kind in now_standing],
        [one.checked for one in now_standing.values()],
        [one.faults for one in now_standing.values()],
    )


async def suspend(tx: Tx, owner: OwnerId, kind: str, now: Instant) -> list[TaskId]:
    """No more offers; whatever of theirs is judged and not yet free is to be judged again. Returns those tasks.

    Where nobody is paid, work is free when the time to appeal is over, all the same.
    """
    await tx.execute("update standing set suspended = $3 where owner = $1 and kind = $2", owner, kind, now)
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
    return [row["id"] for row in rows]


async def tell(tx: Tx, tone: str, title: str, why: str, campaign: CampaignId | None, now: Instant) -> None:
    await tx.execute(
        "insert into event (at, campaign, tone, title, why) values ($1, $2, $3, $4, $5)",
        now,
        campaign,
        tone,
        title,
        why,
    )
