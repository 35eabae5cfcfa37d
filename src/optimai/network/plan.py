"""Plan: steps become tasks.

A kind's plan is asked whenever something happened to its step: shards were sealed
before it, verdicts came in, its input ended, an epoch opened, or nothing of it is open
any more (a task that was judged again, and as before, or that was parked, brings no
verdict to be told). What it was told and what it answered are written in one
transaction, so it is told everything once.
"""

import logging
from collections.abc import Sequence
from typing import Any

import msgspec

from optimai.core.clock import Instant
from optimai.kinds import catalog
from optimai.kinds.catalog import Loaded
from optimai.kinds.contract import Accepted, News, Piece, Shard
from optimai.network import shards
from optimai.network.store import epochs, events, steps
from optimai.network.store.sql import Conflict, Tx
from optimai.network.store.steps import Due, NewTask

log = logging.getLogger(__name__)


def _columns(rows: Sequence[dict[str, Any]], names: Sequence[str]) -> dict[str, list[Any]]:
    return {name: [row[name] for row in rows] for name in names}


def _task(step: Due, piece: Piece[Any], until: Instant | None) -> NewTask:
    return NewTask(
        kind=f"{step.kind}+{piece.needs}" if piece.needs else step.kind,
        body=msgspec.json.encode(piece.task, order="sorted"),
        reads=msgspec.json.encode(piece.reads),
        units=piece.units,
        rank=100 - step.position,
        pinned=piece.node,
        audited=piece.audited,
        places=piece.answers,
        challenges=piece.challenges,
        holds=msgspec.json.encode(piece.holds),
        until=until if piece.node else None,
    )


async def _sealed(tx: Tx, step: Due, kind: Loaded) -> list[Shard]:
    """Kinds that read all wait until their source is sealed and get its version; others get shards as they come."""
    if kind.kind.reads != "all":
        return await steps.take_shards(tx, step.id)
    if not step.source_sealed or step.ended_told:
        return []
    await steps.take_shards(tx, step.id)
    return await steps.version(tx, step.source)


async def _news(tx: Tx, now: Instant, step: Due, kind: Loaded, options: Any) -> News[Any, Any]:
    sealed = await _sealed(tx, step, kind)
    accepted = [
        Accepted(
            msgspec.json.decode(body, type=kind.task), msgspec.json.decode(believed, type=kind.result | None)
        )
        for body, believed in await steps.take_verdicts(tx, step.id)
    ]
    looks = kind.looks(options)
    columns = (
        {shard.blob: _columns(await shards.read(tx, shard, looks), looks) for shard in sealed}
        if looks
        else {}
    )
    epoch = await epochs.current(tx)
    return News(
        sealed=sealed,
        accepted=accepted,
        ended=step.source_sealed,
        open=await steps.open_tasks(tx, step.id),
        columns=columns,
        epoch=epoch.number,
        until=epoch.closes,
        nodes=await steps.without_task(tx, step.id, step.kind, now) if kind.kind.standing else (),
    )


async def _ask(tx: Tx, now: Instant, step: Due) -> None:
    kind = catalog.load(step.kind)
    options = msgspec.json.decode(step.options, type=kind.options)
    news = await _news(tx, now, step, kind, options)
    state: Any = step.plan_state
    if kind.store:
        state = await kind.store.load(tx, tx.blobs, step.id, options, news, now)
    plan = kind.plan(options, state, news)
    if kind.store:
        await kind.store.save(tx, step.id, plan, now)
    await steps.add_tasks(tx, step.id, [_task(step, one, news.until) for one in plan.pieces], now)
    still_open = news.open + len(plan.pieces)
    await steps.planned(tx, step.id, plan.state, plan.finished, news.ended, still_open, now)


async def run(tx: Tx, now: Instant, limit: int) -> int:
    """Ask the plans of at most `limit` steps to which something happened."""
    due = await steps.lock_due(tx, catalog.there().hashes, limit)
    for step in due:
        try:
            async with tx.part():
                await _ask(tx, now, step)
        except (Conflict, OSError):  # nothing of the kind's: the same again may well succeed
            raise
        except Exception as fault:
            log.exception("the plan of %s broke", step.path)
            await steps.finish(tx, step.id)
            title, why = f"The plan of {step.path} broke", f"It ends with what it has: {fault}"
            await events.tell(tx, "bad", title, why, step.campaign, now)
    return len(due)
