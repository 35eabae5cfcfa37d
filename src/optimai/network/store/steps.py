"""Steps, their tasks and their shards, as plan and publish read and write them."""

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from optimai.core.clock import Instant
from optimai.core.ids import CampaignId, NodeId, StepId
from optimai.kinds.contract import Shard
from optimai.network.store.nodes import ALIVE
from optimai.network.store.sql import Tx


class Due(Struct, frozen=True, kw_only=True):
    """A step to which something happened since its plan was last asked."""

    id: StepId
    campaign: CampaignId
    position: int
    path: str  # campaign/step
    kind: str
    options: bytes
    source: StepId
    source_sealed: bool
    ended_told: bool  # its plan knows that no input will come
    plan_state: bytes  # the kind's own bookmark


class NewTask(Struct, frozen=True, kw_only=True):
    """A piece as it is written down; the columns of `task` say what each is."""

    kind: str  # engine included
    body: bytes
    reads: bytes
    units: int
    rank: int
    pinned: NodeId | None
    audited: bool
    places: int
    challenges: int
    holds: bytes
    until: Instant | None


async def lock_due(tx: Tx, code: Sequence[str], limit: int) -> list[Due]:
    """Only steps that began with `code`, hashes of kinds."""
    rows = await tx.fetch(
        """
        select step.*, source.state = 'sealed' as source_sealed
          from step join step as source on source.id = step.source
          join campaign on campaign.id = step.campaign
         where step.state = 'running' and not step.finished and campaign.state = 'running'
           and step.kind_hash = any($2::text[])
           and (step.started is null
                or exists (select from task where step = step.id and state = 'closed' and not told)
                or exists (select from feed where feed.step = step.id)
                or (source.state = 'sealed' and not step.ended_told)
                or step.open_told > 0
                   and not exists (select from task where step = step.id and state = 'open')
                or step.standing and step.planned_in < (select number from epoch where closed is null))
         order by step.id limit $1 for update of step skip locked
        """,
        limit,
        code,
    )
    return [
        Due(
            id=row["id"],
            campaign=row["campaign"],
            position=row["position"],
            path=row["path"],
            kind=row["kind"],
            options=row["options"],
            source=row["source"],
            source_sealed=row["source_sealed"],
            ended_told=row["ended_told"],
            plan_state=row["plan_state"],
        )
        for row in rows
    ]


async def take_shards(tx: Tx, step: StepId) -> list[Shard]:
    """Sealed since the plan was last asked, in order; they are not given again."""
    rows = await tx.fetch(
        """
        with taken as (delete from feed where step = $1 returning shard)
        select shard.blob, shard.rows, shard.bytes from taken join shard on shard.id = taken.shard order by shard.id
        """,
        step,
    )
    return [Shard(row["blob"], row["rows"], row["bytes"]) for row in rows]


async def take_verdicts(tx: Tx, step: StepId) -> list[tuple[bytes, bytes]]:
    """Bodies of tasks with a verdict that the plan has not been told, and what is believed."""
    rows = await tx.fetch(
        """
        with taken as (
             update task set told = true where step = $1 and state = 'closed' and not told
             returning id, body, stands)
        select taken.body, verdict.believed from taken join verdict on verdict.id = taken.stands order by taken.id
        """,
        step,
    )
    return [(row["body"], row["believed"]) for row in rows]


async def open_tasks(tx: Tx, step: StepId) -> int:
    return int(await tx.fetchval("select count(*) from task where step = $1 and state = 'open'", step))


async def without_task(tx: Tx, step: StepId, kind: str, now: Instant) -> list[NodeId]:
    """Live nodes that can do this standing kind and have no task of the step in the running epoch."""
    rows = await tx.fetch(
        """
        select node.id from node
         where $2 = any(node.kinds) and node.seen > $3
           and not exists (select from task join epoch on epoch.closed is null
                            where task.step = $1 and task.pinned = node.id and task.until >= epoch.closes)
           and not exists (select from conduct where conduct.owner = node.owner and conduct.kind = $2
                              and conduct.role = 'answer' and suspended is not null)
         order by node.id
        """,
        step,
        kind,
        now - ALIVE,
    )
    return [row["id"] for row in rows]


async def add_tasks(tx: Tx, step: StepId, tasks: Sequence[NewTask], now: Instant) -> None:
    if not tasks:
        return
    await tx.execute(
        """
        insert into task (step, kind, body, reads, units, rank, pinned, audited, places, challenges, holds, until,
                          wanted)
        select $1, kind, body, reads, units, rank, pinned, audited, places, challenges, holds, until, $2
          from unnest($3::text[], $4::bytea[], $5::bytea[], $6::integer[], $7::smallint[], $8::text[],
                      $9::boolean[], $10::smallint[], $11::integer[], $12::bytea[], $13::timestamptz[])
               as new (kind, body, reads, units, rank, pinned, audited, places, challenges, holds, until)
        """,
        step,
        now,
        [one.kind for one in tasks],
        [one.body for one in tasks],
        [one.reads for one in tasks],
        [one.units for one in tasks],
        [one.rank for one in tasks],
        [one.pinned for one in tasks],
        [one.audited for one in tasks],
        [one.places for one in tasks],
        [one.challenges for one in tasks],
        [one.holds for one in tasks],
        [one.until for one in tasks],
    )


async def planned(
    tx: Tx, step: StepId, state: bytes, finished: bool, ended: bool, still_open: int, now: Instant
) -> None:
    await tx.execute(
        """
        update step set plan_state = $2, finished = $3, ended_told = $4, started = coalesce(started, $5),
               open_told = $6, planned_in = (select number from epoch where closed is null)
         where id = $1
        """,
        step,
        state,
        finished,
        ended,
        now,
        still_open,
    )


async def finish(tx: Tx, step: StepId) -> None:
    """Nothing more will be planned."""
    await tx.execute("update step set finished = true where id = $1", step)


async def version(tx: Tx, step: StepId) -> list[Shard]:
    """The shards of a sealed step without what was overturned."""
    return msgspec.json.decode(
        await tx.fetchval("select version from step where id = $1", step), type=list[Shard]
    )
