"""Exchange: finished results come in, new work goes out, in one commit for many nodes.

What a node says is believed only as far as its signature and its serial reach. A
result claims nothing but itself: what it is worth is for judge and settle. Whoever
has more results than this needs, or the wrong ones, is told so one by one; the rest
of his exchange counts.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import timedelta

from msgspec import Raw, Struct

from optimai.core.address import network_of
from optimai.core.assignment import Assignment, Role, State, move, submit
from optimai.core.chance import MILLION
from optimai.core.clock import Instant
from optimai.core.conduct import Conduct
from optimai.core.eligibility import may_take, threshold
from optimai.core.errors import LeaseOver, NotFound, NotYours, OptimaiError, Replayed, WrongMove
from optimai.core.ids import AssignmentId, CampaignId, EnvelopeId, NodeId, OwnerId, TaskId, result_id
from optimai.core.matching import Asker, match
from optimai.core.money import Nano
from optimai.kinds import catalog
from optimai.network import purse
from optimai.network.store import challenges, conducts, epochs, nodes, offers, tries
from optimai.network.store.conducts import Key
from optimai.network.store.epochs import Rules
from optimai.network.store.nodes import Fence, Fresh, Known
from optimai.network.store.offers import Offered, Work
from optimai.network.store.sql import Tx
from optimai.network.store.tries import Evidence, Late
from optimai.wire import envelope
from optimai.wire.envelope import Envelope
from optimai.wire.exchange import Ask, Done, Offer, Refusal, Reply, Signed

MOST_OFFERS = 64  # to one node at once
SPARE = 16  # tasks looked at beyond those asked for: some may have been tried by whoever asks
MOST_UNSERVED = 8  # askers for whom the whole queue is searched; the others in a later exchange
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
    evidence: bool = False  # some result among them was new


async def handle(tx: Tx, now: Instant, incoming: Sequence[Incoming]) -> list[Reply | OptimaiError]:
    """Replies in the order of what came. At most one exchange of each node may be among them."""
    able = {one.known.node: _able(one.ask) for one in incoming}
    fences = [
        Fence(node, one.signed.serial, one.envelope.id, able[node], one.address)
        for node, one in zip(able, incoming, strict=True)
    ]
    fresh = await nodes.advance(tx, fences, now)
    new = [one for one in incoming if one.known.node in fresh]
    taken = await _take_in(tx, now, new)
    offered = await _hand_out(
        tx,
        now,
        [
            # In a private network one's own machines may well answer about the same.
            _asker(
                one,
                able[one.known.node],
                fresh[one.known.node],
                "" if tx.network.private else network_of(one.address),
            )
            for one in new
        ],
    )
    asked = await challenges.waiting(tx, [node for node, its in fresh.items() if its.challenged], now)

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
    whole = catalog.there().whole
    ours = [name for name, digest in ask.kinds.items() if name in whole and whole[name].hash == digest]
    return tuple(sorted(ours + [f"{name}+engine" for name in ours if ask.engine]))


async def _take_in(tx: Tx, now: Instant, new: Sequence[Incoming]) -> dict[NodeId, _Taken]:
    """Results and declines of all, each against its assignment's own state."""
    taken = {one.known.node: _Taken() for one in new}
    with_results = [one for one in new if one.signed.results]
    batch = await _Batch.of(tx, with_results)
    for one in with_results:
        batch.take_all(one, taken[one.known.node])
    answers = [(one.known.node, one.envelope.id, one.signed.answers) for one in new]
    in_time = await challenges.answered(tx, answers, now)
    evidence = [
        Evidence(one.envelope.id, one.known.node, one.signed.serial, envelope.write(one.envelope))
        for one in new
        if taken[one.known.node].evidence or one.known.node in in_time
    ]
    await tries.returned(tx, batch.returned, evidence, now)
    await batch.save(tx, now)
    return taken


class _Batch:
    """Decides on results one after the other, then writes all that changed at once."""

    def __init__(
        self,
        locked: Mapping[AssignmentId, Assignment],
        late: Mapping[AssignmentId, Late],
        purses: Mapping[CampaignId, int],
    ) -> None:
        self.now: dict[AssignmentId, Assignment] = dict(locked)
        self.late = late
        self.purses = dict(purses)
        self.places = {locked[number].task: one.places for number, one in late.items()}
        self.busy = {(locked[number].task, locked[number].owner) for number, one in late.items() if one.busy}
        self.returned: list[tuple[AssignmentId, EnvelopeId, int]] = []
        self.welcome: list[Assignment] = []
        self.declined: list[tuple[Assignment, str]] = []

    @classmethod
    async def of(cls, tx: Tx, with_results: Sequence[Incoming]) -> "_Batch":
        locked = await tries.lock(
            tx, [done.assignment for one in with_results for done in one.signed.results]
        )
        late = await tries.late(tx, [one.id for one in locked.values() if one.state is State.LAPSED])
        return cls(locked, late, {one.campaign: one.purse for one in late.values()})

    def take_all(self, one: Incoming, taken: _Taken) -> None:
        for index, done in enumerate(one.signed.results):
            try:
                taken.evidence |= self.take(one, index, done)
            except (LeaseOver, NotYours, NotFound, WrongMove) as fault:
                taken.refused.append(Refusal(done.assignment, fault.code, str(fault)))
            else:
                taken.ids.append(done.assignment)

    def take(self, one: Incoming, index: int, done: Done) -> bool:
        """Whether it is a result that nobody had before; a decline, and the same again, are not."""
        here = self.now.get(done.assignment)
        if here is None:
            raise NotFound("assignment", done.assignment, "Drop the result and ask for new work.")
        if here.node != one.known.node:
            raise NotYours(f"Assignment {done.assignment}")
        if done.declined:
            if here.state is not State.DECLINED:
                self.now[here.id] = move(here, State.DECLINED)
                self.declined.append((here, done.declined[:200]))
            return False
        late = here.state is State.LAPSED
        result = result_id(one.envelope.id, index)
        after = submit(here, result, place_taken=late and not self._has_place(here))
        if after is here:
            return False
        self.now[here.id] = after
        self.returned.append((here.id, one.envelope.id, index))
        if late:
            self.places[here.task] -= 1
            self.busy.add((here.task, here.owner))
            self.purses[self.late[here.id].campaign] -= self.late[here.id].cost
            self.welcome.append(here)
        return True

    def _has_place(self, here: Assignment) -> bool:
        """Nobody has taken its place, its owner is not at it again, and there is money to set aside anew."""
        late = self.late.get(here.id)
        return (
            late is not None
            and self.places[here.task] > 0
            and (here.task, here.owner) not in self.busy
            and self.purses[late.campaign] >= late.cost
        )

    async def save(self, tx: Tx, now: Instant) -> None:
        """All but what was returned."""
        change: dict[TaskId, int] = defaultdict(int)
        for one in self.welcome:
            change[one.task] -= 1
        if self.welcome:
            costs = [(one, self.late[one.id].campaign, Nano(self.late[one.id].cost)) for one in self.welcome]
            await purse.set_aside_again(tx, costs, now)
        if self.declined:
            ids = [one.id for one, _ in self.declined]
            await tries.leave(tx, ids, State.DECLINED, [why for _, why in self.declined])
            await purse.give_back(tx, ids, "declined", now)
            for one, _ in self.declined:
                change[one.task] += 1
        if change:
            await tries.open_places(tx, change, now)


async def _hand_out(tx: Tx, now: Instant, asking: Sequence[Asker]) -> dict[NodeId, list[Offer]]:
    """Offers for those who asked, as far as there is work, escrow and trust."""
    askers = [one for one in asking if one.room > 0 and one.kinds]
    if not askers:
        return {}
    kinds = sorted(frozenset[str]().union(*(one.kinds for one in askers)))
    most = sum(one.room for one in askers) + SPARE
    code = catalog.there().hashes
    front = await offers.ready(tx, code, kinds, [one.node for one in askers], most)
    if not front:
        return {}
    turn = await _Turn.of(tx, now, askers)
    work = {one.ready.task: one for one in front}
    purses: dict[CampaignId, int] = {}
    chosen = await _match(tx, now, askers, front, purses, turn)

    unserved = {one.node: one for one in askers} if len(front) >= most else {}
    for asker, _ in chosen:
        unserved.pop(asker.node, None)
    for asker in list(unserved.values())[:MOST_UNSERVED]:
        poor = {one.campaign for one in work.values() if purses[one.campaign] < one.ready.cost}
        behind = await offers.ready_for(
            tx, now, code, sorted(asker.kinds), asker.owner, asker.network, sorted(poor), asker.room
        )
        more = {one.ready.task: one for one in behind if one.ready.task not in work}
        chosen += await _match(tx, now, [asker], list(more.values()), purses, turn)
        work |= more
    return await _offer(tx, now, chosen, work, turn)


def _asker(one: Incoming, able: Sequence[str], fresh: Fresh, network: str) -> Asker:
    return Asker(
        node=one.known.node,
        owner=one.known.owner,
        serial=one.signed.serial,
        room=0 if fresh.leaving else min(one.ask.room, MOST_OFFERS),
        kinds=frozenset(kind for kind in able if kind.split("+")[0] not in fresh.barred),
        no_audits=frozenset(kind for kind in able if kind.split("+")[0] in fresh.no_audits),
        network=network,
    )


class _Turn(Struct, frozen=True):
    """How owners stand, and by what it is drawn whose turn it is."""

    now: Instant
    rules: Rules
    conducts: Mapping[Key, Conduct]

    @classmethod
    async def of(cls, tx: Tx, now: Instant, askers: Sequence[Asker]) -> "_Turn":
        kinds = {kind.split("+")[0] for one in askers for kind in one.kinds}
        stand = await conducts.brief(tx, sorted({one.owner for one in askers}), sorted(kinds))
        return cls(now, await epochs.rules(tx), stand)

    def stands(self, owner: OwnerId, one: Work) -> Conduct:
        return self.conducts.get((owner, one.kind, one.role), Conduct())

    def waited(self, one: Work) -> timedelta:
        return max(timedelta(), self.now - one.since)

    def may(self, asker: Asker, one: Work) -> bool:
        """Has the task waited long enough for this owner?"""
        protocol = self.rules.protocol
        if protocol.first == MILLION or one.ready.pinned:
            return True
        limit = threshold(
            self.waited(one),
            one.quality(self.stands(asker.owner, one)),
            first=protocol.first,
            doubling=timedelta(seconds=protocol.doubling),
        )
        return may_take(self.rules.seed, one.ready.task, asker.owner, limit)


async def _match(
    tx: Tx,
    now: Instant,
    askers: Sequence[Asker],
    work: Sequence[Work],
    purses: dict[CampaignId, int],
    turn: _Turn,
) -> list[tuple[Asker, TaskId]]:
    """Who is offered what. `purses` is what is left in each escrow that was looked at, and is kept so."""
    asked_before = [one.ready.task for one in work if one.asked]
    owners = [one.owner for one in askers]
    networks = sorted({one.network for one in askers if one.network})
    tried = await offers.tried(tx, now, asked_before, owners, networks) if asked_before else {}
    purses |= {one.campaign: one.purse for one in work if one.campaign not in purses}
    offered = {one.ready.task: one for one in work}
    chosen = match(
        askers,
        [one.ready for one in work],
        tried,
        purses,
        lambda asker, one: turn.may(asker, offered[one.task]),
    )
    for _, task in chosen:
        purses[offered[task].campaign] -= offered[task].ready.cost
    return chosen


async def _offer(
    tx: Tx,
    now: Instant,
    chosen: Sequence[tuple[Asker, TaskId]],
    work: Mapping[TaskId, Work],
    turn: _Turn,
) -> dict[NodeId, list[Offer]]:
    if not chosen:
        return {}
    protocol = turn.rules.protocol
    made = [
        Offered(
            task=task,
            owner=asker.owner,
            node=asker.node,
            serial=asker.serial,
            role=work[task].role,
            units=work[task].units,
            price=work[task].price,
            quality=work[task].quality(turn.stands(asker.owner, work[task])),
            rate=work[task].rate(turn.stands(asker.owner, work[task]), protocol),
            campaign=work[task].campaign,
            network=asker.network,
            epoch=turn.rules.epoch,
            waited=turn.waited(work[task]),
            lease_until=Instant((work[task].until or now) + catalog.load(work[task].kind).kind.lease),
            challenge_at=now if work[task].until else None,
        )
        for asker, task in chosen
    ]
    ids = await purse.offer(tx, made, now)
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
                quality=one.quality,
                rate=one.rate,
                protocol=protocol.hash,
                lease_until=one.lease_until,
                token=tx.network.token(assignment),
            )
        )
    return replies


async def _repeat(tx: Tx, old: Sequence[Incoming]) -> list[Reply | OptimaiError]:
    """The same envelope again has the same reply, as far as it still holds; an older serial is refused."""
    if not old:
        return []
    protocol = (await epochs.rules(tx)).protocol.hash
    last = await nodes.last(tx, [one.known.node for one in old])
    batch = _Batch(
        await tries.lock(tx, [done.assignment for one in old for done in one.signed.results]), {}, {}
    )
    replies: list[Reply | OptimaiError] = []
    for one in old:
        serial, envelope_id = last[one.known.node]
        if envelope_id != one.envelope.id:
            replies.append(Replayed(one.signed.serial, serial))
            continue
        taken = _Taken()
        batch.take_all(one, taken)
        again = await offers.offered_in(tx, one.known.node, serial)
        replies.append(
            Reply(
                serial=serial,
                taken=tuple(taken.ids),
                refused=tuple(taken.refused),
                offers=tuple(
                    Offer(
                        assignment=row["id"],
                        kind=row["kind"],
                        step=row["path"],
                        task=Raw(row["body"]),
                        role=Role(row["role"]),
                        units=row["units"],
                        price=row["price"],
                        quality=row["quality"],
                        rate=row["rate"],
                        protocol=protocol,
                        lease_until=row["lease_until"],
                        token=tx.network.token(row["id"]),
                    )
                    for row in again
                ),
                wait=WAIT,
            )
        )
    return replies
