"""What publish reads and writes: believed results not yet in a shard, shards, the end of a step."""

from collections.abc import Sequence
from datetime import timedelta

import msgspec
from msgspec import Struct

from optimai.core.clock import Instant
from optimai.core.ids import CampaignId, ResultId, StepId
from optimai.kinds.contract import Shard
from optimai.network.store.sql import Tx


class Ripe(Struct, frozen=True):
    """A step in which enough waits for a shard."""

    id: StepId
    campaign: CampaignId
    path: str
    kind: str


class Believed(Struct, frozen=True):
    """A task whose rows are to be published."""

    body: bytes
    reads: tuple[Shard, ...]
    believed: bytes
    result: ResultId | None
    stands: int  # the verdict that believes it


async def lock_ripe(
    tx: Tx, now: Instant, code: Sequence[str], rows: int, after: timedelta, limit: int
) -> list[Ripe]:
    """Steps in which `rows` units wait, or one has waited `after`, or nothing more will come.

    Only those that began with `code`, hashes of kinds.
    """
    found = await tx.fetch(
        """
        select step.id, step.campaign, step.path, step.kind from step
          join lateral (select sum(task.units) as units, min(verdict.at) as since
                          from task join verdict on verdict.id = task.stands
                         where task.step = step.id and task.state = 'closed' and not task.published) as waiting
            on waiting.units is not null
         where step.kind_hash = any($4::text[])
           and (waiting.units >= $1 or waiting.since <= $2 or step.state = 'sealed'
                or (step.finished and not exists (select from task where task.step = step.id and state = 'open')))
         order by step.id limit $3 for update of step skip locked
        """,
        rows,
        now - after,
        limit,
        code,
    )
    return [Ripe(row["id"], row["campaign"], row["path"], row["kind"]) for row in found]


async def take_believed(tx: Tx, step: StepId, units: int, tasks: int) -> list[Believed]:
    """Oldest verdicts first, until `units` or `tasks` are reached; they count as published from here on."""
    rows = await tx.fetch(
        """
        with waiting as (
             select id, stands, sum(units) over (order by stands) - units as before from task
              where step = $1 and state = 'closed' and not published order by stands limit $3),
        taken as (
             update task set published = true from waiting
              where task.id = waiting.id and waiting.before < $2
             returning task.body, task.reads, task.stands)
        select taken.*, verdict.believed, verdict.result from taken join verdict on verdict.id = taken.stands
         order by taken.stands
        """,
        step,
        units,
        tasks,
    )
    return [
        Believed(
            row["body"],
            msgspec.json.decode(row["reads"], type=tuple[Shard, ...]),
            row["believed"],
            row["result"],
            row["stands"],
        )
        for row in rows
    ]


async def add_shard(tx: Tx, step: StepId, campaign: CampaignId, shard: Shard, now: Instant) -> None:
    """Seal it, and feed the steps that read this one."""
    await tx.execute(
        """
        with new as (
             insert into shard (step, blob, rows, bytes, sealed) values ($1, $2, $3, $4, $5) returning id)
        insert into feed (step, shard) select step.id, new.id from step, new where step.source = $1
        """,
        step,
        shard.blob,
        shard.rows,
        shard.bytes,
        now,
    )
    await own(tx, campaign, [shard], now)


async def own(tx: Tx, campaign: CampaignId, shards: Sequence[Shard], now: Instant) -> None:
    """Whoever works for the campaign may read these."""
    await tx.execute(
        """
        insert into blob (campaign, id, bytes, at) select $1, id, bytes, $4
          from unnest($2::text[], $3::bigint[]) as new (id, bytes) on conflict do nothing
        """,
        campaign,
        [shard.blob for shard in shards],
        [shard.bytes for shard in shards],
        now,
    )


async def lock_done(tx: Tx, limit: int) -> list[tuple[StepId, CampaignId]]:
    """Steps whose plan is finished and whose tasks all have a verdict and a shard (or are parked)."""
    rows = await tx.fetch(
        """
        select id, campaign from step
         where state = 'running' and finished
           and not exists (select from task where task.step = step.id and state = 'open')
           and not exists (select from task where task.step = step.id and state = 'closed' and not published)
         order by id limit $1 for update skip locked
        """,
        limit,
    )
    return [(row["id"], row["campaign"]) for row in rows]


async def shards_of(tx: Tx, step: StepId) -> list[Shard]:
    """All that were ever sealed of a step, oldest first."""
    rows = await tx.fetch("select blob, rows, bytes from shard where step = $1 order by id", step)
    return [Shard(row["blob"], row["rows"], row["bytes"]) for row in rows]


async def overturned(tx: Tx, campaign: CampaignId) -> frozenset[int]:
    """Verdicts of a campaign that another has replaced."""
    rows = await tx.fetch(
        """
        select verdict.id from verdict join task on task.id = verdict.task join step on step.id = task.step
         where step.campaign = $1 and verdict.id is distinct from task.stands
        """,
        campaign,
    )
    return frozenset(row["id"] for row in rows)


async def seal(tx: Tx, step: StepId, campaign: CampaignId, shards: Sequence[Shard], now: Instant) -> None:
    """The step ends; `shards` are what it gives to whoever reads all of it."""
    await tx.execute(
        "update step set state = 'sealed', sealed = $2, version = $3 where id = $1",
        step,
        now,
        msgspec.json.encode(shards),
    )
    await own(tx, campaign, shards, now)
