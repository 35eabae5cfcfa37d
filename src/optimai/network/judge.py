"""Judge: is what came back right?

Takes the tasks whose answers are all in. The first time it draws whether another
owner is to check them; then it asks their kind, and moves their assignments. It
believes nothing by itself and pays nobody: settle does. It runs alone, so that
verdicts have an order, and with it every owner's standing.

A judge that raises parks its own case, for its author to see; the others go on.
"""

import logging
from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Raw, Struct

from optimai.core.assignment import MOVES, Role, State
from optimai.core.chance import Seed
from optimai.core.clock import Instant
from optimai.core.ids import AssignmentId, OwnerId
from optimai.core.standing import Standing, after, suspended
from optimai.kinds import catalog, ruling
from optimai.kinds.catalog import Loaded
from optimai.kinds.contract import More
from optimai.kinds.ruling import Asked, Draw, Given, Record, Ruled
from optimai.network import intake
from optimai.network.store import challenges, epochs, judging, nodes
from optimai.network.store.judging import Answered, Try
from optimai.network.store.sql import Conflict, Tx

log = logging.getLogger(__name__)


class _Bench(Struct, frozen=True):
    """What holds for all cases of one run."""

    now: Instant
    epoch: int
    seed: Seed
    able: Mapping[str, frozenset[OwnerId]]
    standings: dict[tuple[OwnerId, str], tuple[Standing, bool]]


async def run(tx: Tx, now: Instant, limit: int) -> int:
    """Judge at most `limit` tasks; return how many, so that the caller knows whether to ask again."""
    patience = tx.network.patience if tx.network.private else None
    epoch = await epochs.current(tx)
    cases = [] if epoch.closing else await judging.lock_answered(tx, now, patience, limit)
    if not cases:
        return 0
    owners = sorted({one.owner for case in cases for one in case.tries})
    bench = _Bench(
        now,
        epoch.number,
        epoch.seed,
        await nodes.able(tx, sorted({case.able for case in cases}), now),
        await judging.standings(tx, owners),
    )
    done = 0
    in_hope = []
    for case in cases:
        others = bool(bench.able[case.able] - {one.owner for one in case.tries})
        if case.places and others and not case.over:
            in_hope.append(case.id)
            continue
        done += 1
        try:
            async with tx.part():
                await _judge(tx, bench, case, alone=case.over or (tx.network.private and not others))
        except Conflict:
            raise
        except Exception as fault:
            log.exception("the judge of task %d broke", case.id)
            bench.standings.clear()
            bench.standings.update(await judging.standings(tx, owners))
            await judging.park(tx, case.id)
            await judging.tell(
                tx,
                "bad",
                f"Parked task {case.id} of {case.step}",
                f"Its judge broke: {fault!r}",
                case.campaign,
                now,
            )
    await judging.hope(tx, in_hope, now)
    return done


async def _judge(tx: Tx, bench: _Bench, case: Answered, *, alone: bool) -> None:
    """`alone`: nobody else can be had."""
    kind = catalog.load(case.kind)
    asked = await _asked(tx, bench, kind, case, alone)
    sound = [one for one, given in zip(case.tries, asked.given, strict=True) if not given.refused]
    draw = case.draw or _draw(kind, bench, case, others=not alone)
    if case.draw is None and draw.audit and sound:
        await _want(tx, bench, kind, case, More(1, draw.why, Role.AUDIT), draw, sound)
        return
    outcome = ruling.rule(kind, asked, [one.result for one in case.tries])
    if isinstance(outcome, More):
        await _want(tx, bench, kind, case, outcome, draw if sound else None, sound)
        return
    await _publishable(tx, kind, case, outcome, sound)
    await _close(tx, bench, case, Record(asked=asked, draw=draw, ruled=outcome))


def _draw(kind: Loaded, bench: _Bench, case: Answered, others: bool) -> Draw:
    fresh = (Standing(), False)
    return ruling.draw(
        kind,
        case.id,
        rate=case.rate,
        always=case.always,
        standings=[bench.standings.get((one.owner, case.kind), fresh)[0] for one in case.tries],
        seed=bench.seed,
        epoch=bench.epoch,
        others=others,
    )


async def _want(
    tx: Tx, bench: _Bench, kind: Loaded, case: Answered, more: More, draw: Draw | None, sound: Sequence[Try]
) -> None:
    """Ask more owners. An auditor is asked what the kind says about the first result that can be taken."""
    audit = None
    if more.role is Role.AUDIT and case.audit is None:
        task = kind.audit(
            msgspec.json.decode(case.options, type=kind.options),
            msgspec.json.decode(case.body, type=kind.task),
            msgspec.json.decode(sound[0].result, type=kind.result),
            bench.seed,
        )
        audit = msgspec.json.encode(task, order="sorted")
    await judging.want(tx, case.id, more.owners, more.role, audit, draw, bench.now)


async def _publishable(tx: Tx, kind: Loaded, case: Answered, ruled: Ruled, sound: Sequence[Try]) -> None:
    """What a judge believes of several results is looked at like a result. Raises BadRows."""
    plain = bytes(ruled.believed)  # a Raw is equal to no bytes
    if plain == b"null" or any(_plain(kind, one.result) == plain for one in sound):
        return
    task = msgspec.json.decode(case.body, type=kind.task)
    believed = msgspec.json.decode(plain, type=kind.result)
    await intake.rows_that_follow(tx, kind, case.step, task, believed, case.reads)


def _plain(kind: Loaded, result: Raw) -> bytes:
    return msgspec.json.encode(msgspec.json.decode(result, type=kind.result), order="sorted")


async def _asked(tx: Tx, bench: _Bench, kind: Loaded, case: Answered, last: bool) -> Asked:
    shown = await challenges.of(tx, [one.id for one in case.tries]) if kind.kind.standing else {}
    given = [
        Given(
            assignment=one.id,
            owner=one.owner,
            node=one.node,
            role=one.role,
            result=one.name,
            price=one.price,
            trusted=not bench.standings.get((one.owner, case.kind), (Standing(), False))[1],
            checked=one.checked,
            faults=one.faults,
            challenges=tuple(shown.get(one.id, ())),
            refused=await _flaw(tx, kind, case, one),
        )
        for one in case.tries
    ]
    return Asked(
        task=case.id,
        step=case.step,
        kind=case.kind,
        options=case.options,
        body=case.body,
        units=case.units,
        last=last,
        given=tuple(given),
    )


async def _flaw(tx: Tx, kind: Loaded, case: Answered, one: Try) -> str:
    if unreadable := ruling.unreadable(kind, one.result):
        return unreadable
    asked = case.audit if one.role is Role.AUDIT and case.audit else case.body
    return await intake.flaw(
        tx,
        kind,
        case.step,
        msgspec.json.decode(case.options, type=kind.options),
        msgspec.json.decode(asked, type=kind.task),
        msgspec.json.decode(one.result, type=kind.result),
        case.reads,
    )


async def _close(tx: Tx, bench: _Bench, case: Answered, record: Record) -> None:
    tries = {one.id: one for one in case.tries}
    found = [
        (
            one.assignment,
            _moved(tries[one.assignment], one.units),
            one.units,
            one.checked,
            one.faults,
            one.why,
        )
        for one in record.ruled.found
    ]
    accepted = [tries[number] for number, state, *_ in found if state is State.ACCEPTED]
    answers = [one.name for one in accepted if one.role is Role.ANSWER]
    believed = bytes(record.ruled.believed)
    await judging.judged(tx, found)
    await judging.close(
        tx,
        case.id,
        epoch=bench.epoch,
        believed=believed,
        reason=record.ruled.reason,
        result=min(answers, default=None),
        body=msgspec.json.encode(record),
        stood=case.stands,
        same=case.believed == believed,
        draw=record.draw,
        now=bench.now,
    )
    await _stand(tx, bench, case, record, tries)


def _moved(one: Try, units: int) -> State:
    to = State.ACCEPTED if units else State.REJECTED
    if to is not one.state and to not in MOVES[one.state]:
        raise ValueError(f"assignment {one.id} is {one.state} and can't become {to}")
    return to


async def _stand(
    tx: Tx, bench: _Bench, case: Answered, record: Record, tries: Mapping[AssignmentId, Try]
) -> None:
    """Count what was checked now instead of what an earlier verdict of this task had counted."""
    changed = {}
    for one in record.ruled.found:
        before = tries[one.assignment]
        key = (before.owner, case.kind)
        standing, barred = bench.standings.get(key, (Standing(), False))
        standing = Standing(standing.checked - before.checked, standing.faults - before.faults)
        standing = after(standing, one.checked, one.faults)
        bench.standings[key] = (standing, barred)
        changed[key] = standing
    await judging.stand(tx, changed)
    tolerated = catalog.load(case.kind).kind.tolerates
    for (owner, kind), standing in changed.items():
        if suspended(standing, tolerated) and not bench.standings[owner, kind][1]:
            bench.standings[owner, kind] = (standing, True)
            again = await judging.suspend(tx, owner, kind, bench.now)
            name = await nodes.name_of(tx, owner)
            await judging.tell(
                tx,
                "bad",
                f"Suspended {name} for {kind}",
                f"{standing.faults} of {standing.checked} checked units were wrong. "
                f"{len(again)} tasks of theirs, judged but not yet paid out, are judged again.",
                case.campaign,
                bench.now,
            )
