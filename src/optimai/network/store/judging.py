"""What the judge reads and writes: answered tasks with all that came back, and verdicts."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta

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
from optimai.kinds.contract import More, Shard
from optimai.kinds.ruling import NO_RESULT, Draw, Record
from optimai.network.store.sql import Tx
from optimai.network.store.tries import MOST_FAILED
from optimai.wire import envelope
from optimai.wire.exchange import Signed


class Try(Struct, frozen=True, kw_only=True):
    """An assignment that came back, with its result."""

    id: AssignmentId
    owner: OwnerId
    node: NodeId
    role: Role
    price: int
    quality: Ppm
    rate: Ppm
    epoch: int  # in which it was offered,
    waited: int  # and for how long its task had stood open, ms
    name: ResultId  # "" where none came: of standing work the answers to challenges are enough,
    result: Raw  # and this is null
    judged: bool  # by an earlier verdict,
    held: int  # and what that found
    checked: int
    faults: int


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
    over: bool  # nobody is asked any more, its campaign's time is over or it was given up: decide with what there is
    always: bool  # audited, whatever chance says
    rate: Ppm  # of audits by chance
    draw: Draw | None  # None: it was not decided yet whether to audit
    audit: bytes | None  # what auditors are asked
    places: int  # that stand open
    believed: bytes | None  # by the verdict that stands, if there is one
    tries: tuple[Try, ...]


async def lock_answered(
    tx: Tx, now: Instant, code: Sequence[str], patience: timedelta | None, limit: int
) -> list[Answered]:
    """Open tasks that wait for nobody; with patience also those that have waited longer than that in vain.

    Of a task with open places nothing is looked at before: opinions that trickle in cost nothing. Only of
    steps that began with `code`, hashes of kinds: nobody is judged by other rules than those he worked under.
    """
    rows = await tx.fetch(
        """
        with candidate as (
             (select id from task
               where state = 'open' and places = 0
                 and not exists (select from assignment where assignment.task = task.id and state = 'offered')
                 and exists (select from step where step.id = task.step and kind_hash = any($5::text[]))
               order by id limit $2)
             union all
             (select id from task
               where state = 'open' and places > 0 and asked > 0 and wanted <= $1
                 and not exists (select from assignment where assignment.task = task.id and state = 'offered')
                 and exists (select from assignment where assignment.task = task.id and state = 'returned')
                 and exists (select from step where step.id = task.step and kind_hash = any($5::text[]))
               order by wanted limit $2))
        select task.*, step.path, step.options, step.campaign, step.audit as rate, verdict.believed as belief,
               campaign.ends <= $3 or task.failed >= $4 as over
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
        MOST_FAILED,
        code,
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
            draw=Draw(row["to_audit"], row["drawn"], row["drawn_in"], row["drawn_at"])
            if row["drawn"]
            else None,
            audit=row["audit"],
            places=row["places"],
            believed=row["belief"],
            tries=tuple(tries[row["id"]]),
        )
        for row in rows
    ]


async def _tries(tx: Tx, tasks: Sequence[TaskId]) -> dict[TaskId, list[Try]]:
    rows = await tx.fetch(
        """
        select id, task, owner, node, role, state, price, quality, rate, epoch, waited, envelope, place, held, checked,
               faults
          from assignment
         where task = any($1::bigint[]) and state in ('returned', 'accepted', 'rejected') order by id
        """,
        tasks,
    )
    signed = await _results(tx, sorted({row["envelope"] for row in rows if row["envelope"]}))
    found: dict[TaskId, list[Try]] = defaultdict(list)
    for row in rows:
        name = result_id(row["envelope"], row["place"]) if row["envelope"] else NO_RESULT
        found[row["task"]].append(
            Try(
                id=row["id"],
                owner=row["owner"],
                node=row["node"],
                role=Role(row["role"]),
                price=row["price"],
                quality=row["quality"],
                rate=row["rate"],
                epoch=row["epoch"],
                waited=row["waited"],
                name=name,
                result=signed[name] if name else Raw(b"null"),
                judged=row["state"] != State.RETURNED,
                held=row["held"],
                checked=row["checked"],
                faults=row["faults"],
            )
        )
    return found


async def _results(tx: Tx, envelopes: Sequence[EnvelopeId]) -> dict[ResultId, Raw]:
    """All results in these envelopes."""
    rows = await tx.fetch("select id, body from envelope where id = any($1::text[])", envelopes)
    return {
        result_id(row["id"], place): done.result
        for row in rows
        for place, done in enumerate(
            msgspec.json.decode(envelope.read(row["body"]).payload, type=Signed).results
        )
    }


async def want(
    tx: Tx, task: TaskId, more: More, audit: bytes | None, draw: Draw | None, now: Instant
) -> None:
    """Ask more owners, as what. Audits go before all other work: money waits for them."""
    await tx.execute(
        """
        update task set places = $2, role = $3, audit = coalesce($4, audit), drawn = coalesce($5, drawn),
               to_audit = coalesce($6, to_audit), drawn_in = coalesce($7, drawn_in), drawn_at = coalesce($8, drawn_at),
               rank = case when $3 = 'audit' then 0 else rank end, wanted = $9
         where id = $1
        """,
        task,
        more.owners,
        more.role.value,
        audit,
        *_columns(draw),
        now,
    )


def _columns(draw: Draw | None) -> tuple[str | None, bool | None, int | None, int | None]:
    return (draw.why, draw.audit, draw.epoch, draw.rate) if draw else (None, None, None, None)


async def hope(tx: Tx, tasks: Sequence[TaskId], now: Instant) -> None:
    """Somebody is there who can take their places: be patient once more."""
    if tasks:
        await tx.execute("update task set wanted = $2 where id = any($1::bigint[])", tasks, now)


async def look_again(tx: Tx, tasks: Sequence[TaskId], rate: Ppm, epoch: int) -> None:
    """They are to be audited after all; `rate` is the chance with which they were drawn."""
    await tx.execute(
        """
        update task set state = 'open', again = true, drawn = 'closing', to_audit = true, drawn_in = $3, drawn_at = $2
         where id = any($1::bigint[])
        """,
        tasks,
        rate,
        epoch,
    )


async def park(tx: Tx, task: TaskId) -> None:
    """Nobody is asked again; settle returns what was set aside for it."""
    await tx.execute(
        "update task set state = 'parked', places = 0, again = false, settled = false where id = $1", task
    )


async def close(tx: Tx, case: Answered, record: Record, epoch: int, now: Instant) -> None:
    """Write a verdict, and what it found of each try. What was published stands where it believes the same."""
    ruled = record.ruled
    believed = bytes(ruled.believed)
    good = {one.assignment for one in ruled.found if one.units}
    answers = [one.name for one in case.tries if one.id in good and one.role is Role.ANSWER and one.name]
    number: int = await tx.fetchval(
        """
        insert into verdict (task, epoch, at, believed, reason, result, body)
        values ($1, $2, $3, $4, $5, $6, $7) returning id
        """,
        case.id,
        epoch,
        now,
        believed,
        ruled.reason,
        min(answers, default=None),
        msgspec.json.encode(record),
    )
    same = case.believed == believed
    await tx.execute(
        """
        update task set state = 'closed', places = 0, again = false, settled = false, verdict = $2,
               stands = case when $3 then stands else $2 end, believed = case when $3 then believed else $4 end,
               published = published and $3, told = told and $3, drawn = $5, to_audit = $6, drawn_in = $7,
               drawn_at = $8
         where id = $1
        """,
        case.id,
        number,
        same,
        now if believed != b"null" else None,
        *_columns(record.draw),
    )
    if case.believed is not None and not same:
        await tx.execute(
            "update campaign set overturned = $2 where id = $1",
            case.campaign,
            number,
        )
    await tx.execute(
        """
        update assignment set state = new.state, held = new.held, checked = new.checked, faults = new.faults,
               why = new.why, trusted = new.trusted,
               clean_then = coalesce(assignment.clean_then, (
                   select clean from conduct where conduct.owner = assignment.owner and conduct.kind = $8
                                               and conduct.role = assignment.role), 0)
          from unnest($1::bigint[], $2::text[], $3::integer[], $4::integer[], $5::integer[], $6::text[], $7::boolean[])
               as new (id, state, held, checked, faults, why, trusted)
         where assignment.id = new.id
        """,
        [one.assignment for one in ruled.found],
        [(State.ACCEPTED if one.units else State.REJECTED).value for one in ruled.found],
        [one.units for one in ruled.found],
        [one.checked for one in ruled.found],
        [one.faults for one in ruled.found],
        [one.why for one in ruled.found],
        [one.trusted for one in record.asked.given],
        case.kind,
    )
