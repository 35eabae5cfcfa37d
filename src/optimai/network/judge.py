"""Judge: is what came back right?

Takes the tasks whose answers are all in. The first time it draws whether another
owner is to check them; then it asks their kind, and moves their assignments. It
believes nothing by itself and pays nobody: settle does. It runs alone, so that
verdicts have an order, and with it every owner's conduct.

A judge that raises parks its own case, for its author to see; the others go on.
"""

import logging
from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Struct

from optimai.core.assignment import Role
from optimai.core.chance import Seed
from optimai.core.clock import Instant
from optimai.core.conduct import Conduct, State
from optimai.core.ids import OwnerId
from optimai.kinds import catalog, consequence, ruling
from optimai.kinds.catalog import Loaded
from optimai.kinds.contract import More
from optimai.kinds.ruling import Asked, Draw, Found, Given, Record, Ruled
from optimai.network import intake
from optimai.network.store import challenges, conducts, epochs, events, judging, nodes, tally
from optimai.network.store.conducts import Key
from optimai.network.store.epochs import Epoch
from optimai.network.store.judging import Answered, Try
from optimai.network.store.sql import Conflict, Tx
from optimai.network.store.tally import Change

log = logging.getLogger(__name__)


class _Bench(Struct, frozen=True):
    """What holds for all cases of one run."""

    now: Instant
    epoch: Epoch
    private: bool
    able: Mapping[str, frozenset[OwnerId]]
    conducts: dict[Key, Conduct]  # as of the last verdict

    def others(self, case: Answered) -> bool:
        """Could anybody be asked who has not answered yet?"""
        return bool(self.able[case.able] - {one.owner for one in case.tries})

    def hopes(self, case: Answered) -> bool:
        """Does it wait for somebody who may still come?"""
        return case.places > 0 and self.others(case) and not case.over

    def last(self, case: Answered) -> bool:
        """Is it to be decided with what there is?"""
        return case.over or (self.private and not self.others(case))

    def trusts(self, one: Try, kind: str) -> bool:
        """Who may answer no more may not audit either."""
        roles = {Role.ANSWER, one.role}
        return not any(self.of(one.owner, kind, role).state is State.SUSPENDED for role in roles)

    def of(self, owner: OwnerId, kind: str, role: Role) -> Conduct:
        return self.conducts.get((owner, kind, role), Conduct())


class _Changed(Struct, frozen=True):
    """By a verdict: everybody's conduct who had a part in it, and what their tries count for."""

    conducts: Mapping[Key, Conduct]
    counted: Sequence[Change]


def _draw(kind: Loaded, bench: _Bench, case: Answered) -> Draw:
    if case.draw and (case.audit is not None or not bench.last(case)):
        return case.draw
    if case.draw:  # it was to be audited, and nobody is there who could
        return Draw(False, "nobody else", bench.epoch.number) if case.draw.audit else case.draw
    return ruling.draw(
        kind,
        case.id,
        rate=case.rate,
        always=case.always,
        pinned=[one.rate for one in case.tries if one.role is Role.ANSWER],
        seed=bench.epoch.seed,
        epoch=bench.epoch.number,
        others=not bench.last(case),
    )


def _rule(kind: Loaded, case: Answered, asked: Asked, draw: Draw, sound: Sequence[Try]) -> Ruled | More:
    """The audit that was drawn comes before what the kind says, if there is anything to check."""
    if draw.audit and case.audit is None and sound:
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


def _recount(
    bench: _Bench, kind: Loaded, case: Answered, asked: Asked, draw: Draw, ruled: Ruled
) -> dict[Key, Conduct]:
    """What was checked now counts instead of what an earlier verdict on this task had counted."""
    changed: dict[Key, Conduct] = {}
    for given, found in zip(asked.given, ruled.found, strict=True):
        key = (given.owner, case.kind, given.role)
        before = changed.get(key) or bench.of(*key)
        changed[key] = consequence.observed(
            bench.epoch.protocol, kind, asked.options, draw, given, found, before
        )
    return changed


def _counted(before: Try, found: Found) -> Change:
    return Change(
        assignment=found.assignment,
        results=not before.judged,
        held=found.units - before.held,
        checked=found.checked - before.checked,
        faults=found.faults - before.faults,
    )


def _why(conduct: Conduct, again: int) -> str:
    wrong = f"{conduct.faults} of {conduct.checked} checked units were wrong."
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
            quality=one.quality,
            rate=one.rate,
            epoch=one.epoch,
            waited=one.waited,
            trusted=bench.trusts(one, case.kind),
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


async def _stand(tx: Tx, bench: _Bench, case: Answered, changed: Mapping[Key, Conduct]) -> None:
    """Keep everybody's conduct, and look again at what else of theirs is not paid yet where something fell."""
    await conducts.save(tx, changed)
    for key, after in changed.items():
        if key[2] is Role.ANSWER and after.faults > bench.of(*key).faults:
            await conducts.look(tx, key[0], case.kind, bench.epoch.number)
    for key, after in changed.items():
        before = bench.of(*key)
        if after.state is before.state:
            continue
        name, work = (
            await nodes.name_of(tx, key[0]),
            case.kind if key[2] is Role.ANSWER else f"auditing {case.kind}",
        )
        if after.state is State.SUSPENDED:
            again = await conducts.suspend(tx, key, bench.now)
            title, why = f"Suspended {name} for {work}", _why(after, again)
            await events.tell(tx, "bad", title, why, case.campaign, bench.now)
        elif before.state is State.SUSPENDED:
            await conducts.lift(tx, key, bench.now)
            why = "What had been found wrong of theirs was right, as others say now."
            await events.tell(tx, "good", f"{name} may work on {work} again", why, case.campaign, bench.now)


async def _judge(tx: Tx, bench: _Bench, case: Answered) -> _Changed | None:
    """What a verdict changed; None where more owners are wanted."""
    kind = catalog.load(case.kind)
    asked = await _asked(tx, bench, kind, case)
    sound = [one for one, given in zip(case.tries, asked.given, strict=True) if not given.refused]
    draw = _draw(kind, bench, case)
    outcome = _rule(kind, case, asked, draw, sound)
    if isinstance(outcome, More):
        audit = _audit(kind, bench.epoch.seed, case, sound) if outcome.role is Role.AUDIT else None
        await judging.want(tx, case.id, outcome, audit, draw if sound else None, bench.now)
        return None
    await intake.believable(tx, kind, case, outcome.believed, sound)
    record = Record(asked=asked, draw=draw, ruled=outcome)
    await judging.close(tx, case, record, bench.epoch.number, bench.now)
    changed = _recount(bench, kind, case, asked, draw, outcome)
    await _stand(tx, bench, case, changed)
    counted = [_counted(before, found) for before, found in zip(case.tries, outcome.found, strict=True)]
    return _Changed(changed, counted)


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
        await conducts.of(tx, sorted({one.owner for case in cases for one in case.tries})),
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
                bench.conducts.update(ruled.conducts)
                counted += ruled.counted
    await tally.add(tx, counted)
    return len(ripe)
