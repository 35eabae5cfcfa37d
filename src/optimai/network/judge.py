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
from msgspec import Struct

from optimai.core.assignment import Role
from optimai.core.chance import Seed
from optimai.core.clock import Instant
from optimai.core.ids import OwnerId
from optimai.core.standing import Standing, after, suspended
from optimai.kinds import catalog, ruling
from optimai.kinds.catalog import Loaded
from optimai.kinds.contract import Kind, More
from optimai.kinds.ruling import Asked, Draw, Found, Given, Record, Ruled
from optimai.network import intake
from optimai.network.store import challenges, epochs, events, judging, nodes, standings, tally
from optimai.network.store.epochs import Epoch
from optimai.network.store.judging import Answered, Try
from optimai.network.store.sql import Conflict, Tx
from optimai.network.store.tally import Change

log = logging.getLogger(__name__)

Key = tuple[OwnerId, str]  # of an owner's standing in a kind
Trust = tuple[Standing, bool]  # and whether it is suspended


class _Bench(Struct, frozen=True):
    """What holds for all cases of one run."""

    now: Instant
    epoch: Epoch
    private: bool
    able: Mapping[str, frozenset[OwnerId]]
    trust: dict[Key, Trust]  # as of the last verdict

    def others(self, case: Answered) -> bool:
        """Could anybody be asked who has not answered yet?"""
        return bool(self.able[case.able] - {one.owner for one in case.tries})

    def hopes(self, case: Answered) -> bool:
        """Does it wait for somebody who may still come?"""
        return case.places > 0 and self.others(case) and not case.over

    def last(self, case: Answered) -> bool:
        """Is it to be decided with what there is?"""
        return case.over or (self.private and not self.others(case))

    def trust_in(self, owner: OwnerId, kind: str) -> Trust:
        return self.trust.get((owner, kind), (Standing(), False))


class _Changed(Struct, frozen=True):
    """By a verdict: everybody's trust who had a part in it, and what their tries count for."""

    trust: Mapping[Key, Trust]
    counted: Sequence[Change]


def _draw(kind: Loaded, bench: _Bench, case: Answered) -> Draw:
    return ruling.draw(
        kind,
        case.id,
        rate=case.rate,
        always=case.always,
        standings=[bench.trust_in(one.owner, case.kind)[0] for one in case.tries],
        seed=bench.epoch.seed,
        epoch=bench.epoch.number,
        others=not bench.last(case),
    )


def _rule(kind: Loaded, case: Answered, asked: Asked, draw: Draw, sound: Sequence[Try]) -> Ruled | More:
    """What was drawn the first time comes before what the kind says, if there is anything to check."""
    if case.draw is None and draw.audit and sound:
        return More(1, draw.why, Role.AUDIT)
    return ruling.rule(kind, asked, [one.result for one in case.tries])


def _audit(kind: Loaded, seed: Seed, case: Answered, sound: Sequence[Try]) -> bytes:
    """What auditors are asked: what the kind says about the first result that can be taken."""
    if case.audit is not None:
        return case.audit
    task = kind.audit(
        msgspec.json.decode(case.options, type=kind.options),
        msgspec.json.decode(case.body, type=kind.task),
        msgspec.json.decode(sound[0].result, type=kind.result),
        seed,
    )
    return msgspec.json.encode(task, order="sorted")


def _recount(bench: _Bench, case: Answered, ruled: Ruled, kind: Kind) -> dict[Key, Trust]:
    """What was checked now counts instead of what an earlier verdict on this task had counted."""
    trust: dict[Key, Trust] = {}
    for before, found in zip(case.tries, ruled.found, strict=True):
        key = (before.owner, case.kind)
        standing, barred = trust.get(key) or bench.trust_in(*key)
        rest = Standing(standing.checked - before.checked, standing.faults - before.faults)
        trust[key] = (after(rest, found.checked, found.faults), barred)
    return {
        key: (standing, barred or suspended(standing, kind.tolerates, kind.fewest))
        for key, (standing, barred) in trust.items()
    }


def _counted(before: Try, found: Found) -> Change:
    return Change(
        assignment=found.assignment,
        results=not before.judged,
        held=found.units - before.held,
        checked=found.checked - before.checked,
        faults=found.faults - before.faults,
    )


def _why(standing: Standing, again: int) -> str:
    wrong = f"{standing.faults} of {standing.checked} checked units were wrong."
    if not again:
        return f"{wrong} Nothing else of theirs was still to be paid out."
    tasks = "1 task" if again == 1 else f"{again} tasks"
    return f"{wrong} {tasks} of theirs, judged but not yet paid out, {'is' if again == 1 else 'are'} judged again."


async def _asked(tx: Tx, bench: _Bench, kind: Loaded, case: Answered) -> Asked:
    """The case as a stranger will see it too."""
    shown = await challenges.of(tx, [one.id for one in case.tries]) if kind.kind.standing else {}
    given = [
        Given(
            assignment=one.id,
            owner=one.owner,
            node=one.node,
            role=one.role,
            result=one.name,
            price=one.price,
            trusted=not bench.trust_in(one.owner, case.kind)[1],
            checked=one.checked,
            faults=one.faults,
            challenges=tuple(shown.get(one.id, ())),
            refused=await intake.flaw(tx, kind, case, one),
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
        last=bench.last(case),
        given=tuple(given),
    )


async def _stand(tx: Tx, bench: _Bench, case: Answered, trust: Mapping[Key, Trust]) -> None:
    await standings.save(tx, {key: standing for key, (standing, _) in trust.items()})
    for (owner, kind), (standing, barred) in trust.items():
        if barred and not bench.trust_in(owner, kind)[1]:
            again = await standings.suspend(tx, owner, kind, bench.now)
            title = f"Suspended {await nodes.name_of(tx, owner)} for {kind}"
            await events.tell(tx, "bad", title, _why(standing, again), case.campaign, bench.now)


async def _judge(tx: Tx, bench: _Bench, case: Answered) -> _Changed | None:
    """What a verdict changed; None where more owners are wanted."""
    kind = catalog.load(case.kind)
    asked = await _asked(tx, bench, kind, case)
    sound = [one for one, given in zip(case.tries, asked.given, strict=True) if not given.refused]
    draw = case.draw or _draw(kind, bench, case)
    outcome = _rule(kind, case, asked, draw, sound)
    if isinstance(outcome, More):
        audit = _audit(kind, bench.epoch.seed, case, sound) if outcome.role is Role.AUDIT else None
        await judging.want(tx, case.id, outcome, audit, draw if sound else None, bench.now)
        return None
    await intake.believable(tx, kind, case, outcome.believed, sound)
    record = Record(asked=asked, draw=draw, ruled=outcome)
    await judging.close(tx, case, record, bench.epoch.number, bench.now)
    trust = _recount(bench, case, outcome, kind.kind)
    await _stand(tx, bench, case, trust)
    counted = [_counted(before, found) for before, found in zip(case.tries, outcome.found, strict=True)]
    return _Changed(trust, counted)


async def run(tx: Tx, now: Instant, limit: int) -> int:
    """Judge at most `limit` tasks; return how many, so that the caller knows whether to ask again."""
    patience = tx.network.patience if tx.network.private else None
    epoch = await epochs.current(tx)
    cases = (
        [] if epoch.closing else await judging.lock_answered(tx, now, catalog.there().hashes, patience, limit)
    )
    if not cases:
        return 0
    bench = _Bench(
        now,
        epoch,
        tx.network.private,
        await nodes.able(tx, sorted({case.able for case in cases}), now),
        await standings.of(tx, sorted({one.owner for case in cases for one in case.tries})),
    )
    counted: list[Change] = []
    ripe = [case for case in cases if not bench.hopes(case)]
    await judging.hope(tx, [case.id for case in cases if bench.hopes(case)], now)
    for case in ripe:
        try:
            async with tx.part():
                ruled = await _judge(tx, bench, case)
        except Conflict:
            raise
        except Exception as fault:
            log.exception("the judge of task %d broke", case.id)
            await judging.park(tx, case.id)
            title, why = f"Parked task {case.id} of {case.step}", f"Its judge broke: {fault!r}"
            await events.tell(tx, "bad", title, why, case.campaign, now)
        else:
            if ruled:
                bench.trust.update(ruled.trust)
                counted += ruled.counted
    await tally.add(tx, counted)
    return len(ripe)
