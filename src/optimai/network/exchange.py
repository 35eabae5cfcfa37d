"""Exchange: finished results come in, new work goes out, in one commit for many nodes.

What a node says is believed only as far as its signature and its serial reach. A
result claims nothing but itself: what it is worth is for judge and settle. Whoever
has more results than this needs, or the wrong ones, is told so one by one; the rest
of his exchange counts.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence, Set

from msgspec import Raw, Struct

from optimai.core import assignment as tries
from optimai.core.assignment import Assignment, Role, State
from optimai.core.clock import Instant
from optimai.core.errors import LeaseOver, NotFound, NotYours, OptimaiError, Replayed, WrongMove
from optimai.core.ids import AssignmentId, CampaignId, NodeId, OwnerId, TaskId, result_id
from optimai.core.ledger import escrow
from optimai.core.matching import Asker, match
from optimai.kinds import catalog
from optimai.network import purse
from optimai.network.store import challenges, money, nodes, offers
from optimai.network.store.nodes import Fence, Known
from optimai.network.store.offers import Evidence, Offered, Work
from optimai.network.store.sql import Tx
from optimai.wire import envelope
from optimai.wire.envelope import Envelope
from optimai.wire.exchange import Ask, Done, Offer, Refusal, Reply, Signed

MOST_OFFERS = 64  # to one node at once
WAIT = 1.0  # seconds until a node without work should ask again


class Incoming(Struct, frozen=True, kw_only=True):
    """An exchange whose signature holds."""

    known: Known
    envelope: Envelope
    signed: Signed
    ask: Ask
    address: str = ""


class _Taken(Struct):
    ids: list[AssignmentId] = []
    refused: list[Refusal] = []


async def handle(
    tx: Tx, now: Instant, incoming: Sequence[Incoming]
) -> list[Reply | OptimaiError]:
    """Replies in the order of what came. At most one exchange of each node may be among them."""
    fences = [
        Fence(one.known.node, one.signed.serial, one.envelope.id, _able(one.ask), one.address) for one in incoming
    ]
    fresh = await nodes.advance(tx, fences, now)
    new = [one for one in incoming if one.known.node in fresh]
    taken = await _take_in(tx, now, new)
    offered = await _hand_out(tx, now, new)
    asked = await challenges.waiting(tx, [one.known.node for one in new], now)

    replies: dict[NodeId, Reply | OptimaiError] = {}
    for one in new:
        node = one.known.node
        replies[node] = Reply(
            serial=one.signed.serial,
            taken=tuple(taken[node].ids),
            refused=tuple(taken[node].refused),
            offers=tuple(offered.get(node, ())),
            challenges=tuple(asked.get(node, ())),
            wait=0.0 if node in offered else WAIT,
        )
    old = [one for one in incoming if one.known.node not in fresh]
    replies |= zip([one.known.node for one in old], await _repeat(tx, old), strict=True)
    return [replies[one.known.node] for one in incoming]


def _able(ask: Ask) -> tuple[str, ...]:
    """The kinds of an ask that are the same as ours, to the byte; with an engine, its variants too."""
    ours = [name for name, digest in ask.kinds.items() if _ours(name) == digest]
    return tuple(sorted(ours + [f"{name}+engine" for name in ours if ask.engine]))


def _ours(kind: str) -> str | None:
    return catalog.load(kind).hash if kind in catalog.names() else None


async def _take_in(tx: Tx, now: Instant, new: Sequence[Incoming]) -> dict[NodeId, _Taken]:
    """Results and declines of all, each against its assignment's own state."""
    taken = {one.known.node: _Taken() for one in new}
    with_evidence = [one for one in new if one.signed.results or one.signed.answers]
    if not with_evidence:
        return taken
    await offers.keep(
        tx,
        [
            Evidence(one.envelope.id, one.known.node, one.signed.serial, envelope.write(one.envelope))
            for one in with_evidence
        ],
        now,
    )
    await challenges.answered(tx, [(one.known.node, one.signed.answers) for one in with_evidence], now)

    locked = await offers.lock(tx, [done.assignment for one in with_evidence for done in one.signed.results])
    late = {one.task for one in locked.values() if one.state is State.LAPSED}
    places = await offers.places(tx, sorted(late)) if late else {}
    batch = _Batch(locked, places)
    for one in with_evidence:
        for index, done in enumerate(one.signed.results):
            try:
                batch.take(one, index, done)
            except (LeaseOver, NotYours, NotFound, WrongMove) as fault:
                taken[one.known.node].refused.append(Refusal(done.assignment, fault.code, str(fault)))
            else:
                taken[one.known.node].ids.append(done.assignment)
    await batch.save(tx, now)
    return taken


class _Batch:
    """Decides on results one after the other, then writes all that changed at once."""

    def __init__(self, locked: Mapping[AssignmentId, Assignment], places: Mapping[TaskId, int]) -> None:
        self.now: dict[AssignmentId, Assignment] = dict(locked)
        self.places = dict(places)
        self.returned: list[tuple[AssignmentId, envelope.EnvelopeId, int]] = []
        self.late: list[Assignment] = []
        self.declined: list[tuple[Assignment, str]] = []

    def take(self, one: Incoming, index: int, done: Done) -> None:
        here = self.now.get(done.assignment)
        if here is None:
            raise NotFound("assignment", done.assignment, "Drop the result and ask for new work.")
        if here.node != one.known.node:
            raise NotYours(f"Assignment {done.assignment}")
        if done.declined:
            self.now[here.id] = tries.move(here, State.DECLINED)
            self.declined.append((here, done.declined[:200]))
            return
        result = result_id(one.envelope.id, index)
        late = here.state is State.LAPSED
        after = tries.submit(here, result, place_taken=late and self.places.get(here.task, 0) < 1)
        if after is here:
            return
        self.now[here.id] = after
        self.returned.append((here.id, one.envelope.id, index))
        if late:
            self.places[here.task] -= 1
            self.late.append(here)

    async def save(self, tx: Tx, now: Instant) -> None:
        if self.returned:
            await offers.returned(tx, self.returned, now)
        change: dict[TaskId, int] = defaultdict(int)
        for one in self.late:
            change[one.task] -= 1
        if self.declined:
            ids = [one.id for one, _ in self.declined]
            await offers.leave(tx, ids, State.DECLINED, [why for _, why in self.declined])
            await purse.give_back(tx, ids, "declined", now)
            for one, _ in self.declined:
                change[one.task] += 1
        if change:
            await offers.open_places(tx, change, now)


async def _hand_out(tx: Tx, now: Instant, new: Sequence[Incoming]) -> dict[NodeId, list[Offer]]:
    """Offers for those who asked, as far as there is work, escrow and trust."""
    asking = [one for one in new if one.ask.room > 0 and one.ask.kinds]
    if not asking:
        return {}
    barred = await nodes.suspensions(tx, [one.known.owner for one in asking])
    askers = [_asker(one, barred) for one in asking]
    kinds = sorted(frozenset[str]().union(*(one.kinds for one in askers)))
    most = sum(one.room for one in askers) + len(askers)
    work = {one.ready.task: one for one in await offers.ready(tx, kinds, [one.node for one in askers], most)}
    chosen = await _match(tx, askers, work)

    unserved = {one.node: one for one in askers} if len(work) >= most else {}
    for asker, _ in chosen:
        unserved.pop(asker.node, None)
    for asker in list(unserved.values())[:8]:  # the others in a later exchange: this is the slow way
        more = await offers.ready_for(tx, sorted(asker.kinds), asker.owner, asker.room)
        rest = {one.ready.task: one for one in more if one.ready.task not in work}
        chosen += await _match(tx, [asker], rest)
        work |= rest
    return await _offer(tx, now, chosen, work, {one.known.node: one.signed.serial for one in new})


def _asker(one: Incoming, barred: Set[tuple[OwnerId, str]]) -> Asker:
    kinds = (kind for kind in _able(one.ask) if (one.known.owner, kind.split("+")[0]) not in barred)
    return Asker(one.known.node, one.known.owner, min(one.ask.room, MOST_OFFERS), frozenset(kinds))


async def _match(
    tx: Tx, askers: Sequence[Asker], work: Mapping[TaskId, Work]
) -> list[tuple[Asker, TaskId]]:
    if not work:
        return []
    asked_before = [task for task, one in work.items() if one.asked]
    tried = await offers.tried(tx, asked_before, [one.owner for one in askers]) if asked_before else {}
    accounts = {one.campaign: escrow(one.campaign) for one in work.values()}
    balances = await money.balances(tx, sorted(accounts.values()))
    purses = {campaign: balances[account] for campaign, account in accounts.items()}
    return match(askers, [one.ready for one in work.values()], tried, purses)


async def _offer(
    tx: Tx,
    now: Instant,
    chosen: Sequence[tuple[Asker, TaskId]],
    work: Mapping[TaskId, Work],
    serials: Mapping[NodeId, int],
) -> dict[NodeId, list[Offer]]:
    if not chosen:
        return {}
    made = [
        Offered(
            task=task,
            owner=asker.owner,
            node=asker.node,
            serial=serials[asker.node],
            role=work[task].role,
            units=work[task].units,
            price=work[task].price,
            campaign=work[task].campaign,
            lease_until=Instant(now + catalog.load(work[task].kind).kind.lease),
        )
        for asker, task in chosen
    ]
    ids = await offers.offer(tx, made, now)
    amounts: dict[CampaignId, int] = defaultdict(int)
    for one in made:
        amounts[one.campaign] += one.price * one.units
    await purse.set_aside(tx, min(ids.values()), amounts, now)
    replies: dict[NodeId, list[Offer]] = defaultdict(list)
    for one in made:
        assignment = ids[one.task, one.owner]
        replies[one.node].append(
            Offer(
                assignment=assignment,
                kind=work[one.task].kind,
                step=work[one.task].step,
                task=Raw(work[one.task].body),
                role=one.role,
                units=one.units,
                price=one.price,
                lease_until=one.lease_until,
                token=tx.network.token(assignment),
            )
        )
    return replies


async def _repeat(tx: Tx, old: Sequence[Incoming]) -> list[Reply | OptimaiError]:
    """The same envelope again has the same reply, as far as it still holds; an older serial is refused."""
    if not old:
        return []
    last = await nodes.last(tx, [one.known.node for one in old])
    replies: list[Reply | OptimaiError] = []
    for one in old:
        serial, envelope_id = last[one.known.node]
        if envelope_id != one.envelope.id:
            replies.append(Replayed(one.signed.serial, serial))
            continue
        again = await offers.offered_in(tx, one.known.node, serial)
        replies.append(
            Reply(
                serial=serial,
                taken=tuple(done.assignment for done in one.signed.results),
                offers=tuple(
                    Offer(
                        assignment=row["id"],
                        kind=row["kind"],
                        step=row["path"],
                        task=Raw(row["body"]),
                        role=Role(row["role"]),
                        units=row["units"],
                        price=row["price"],
                        lease_until=row["lease_until"],
                        token=tx.network.token(row["id"]),
                    )
                    for row in again
                ),
                wait=WAIT,
            )
        )
    return replies
