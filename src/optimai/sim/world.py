"""A network in virtual time: the real exchange and the real stages, with simulated nodes.

Nothing waits. The world runs its stages until they find nothing to do, then jumps to
the next moment at which something is due: a node wakes, a lease ends, an earning is
freed, an epoch closes. The order of everything follows from the seed, so a run can be
repeated to the last row. Only the machines are simulated: envelopes are signed and
verified, rows are real, and PostgreSQL is real.
"""

import heapq
import itertools
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Literal

import msgspec
from nacl.signing import SigningKey

from optimai.core.chance import Seed, below
from optimai.core.clock import Instant
from optimai.core.errors import OptimaiError
from optimai.core.ids import NodeId, OwnerId, fingerprint
from optimai.kinds import catalog
from optimai.network import door, exchange, stages
from optimai.network.stages import Stage
from optimai.network.store import challenges, due
from optimai.network.store.nodes import ALIVE, Known, seen
from optimai.network.store.sql import Database, Tx
from optimai.sim.doing import Doing
from optimai.wire import envelope
from optimai.wire.exchange import EXCHANGE, Ask, Done, Enrol, Met, Offer, Reply, Request, Signed, ask_hash

SOON = timedelta(seconds=1)
BEAT = timedelta(hours=1)  # a node at work says so at least as often
TICK = timedelta(seconds=1)  # what happens within it happens together
QUIET = 10_000  # runs of stages after which something must be wrong
MAKES_WORK = ("plan", "judge", "expire")


class Died(Exception):
    """The simulated coordinator, in the middle of a transaction."""


class Node:
    """A simulated machine: what it has in hand, what is done and not yet acknowledged, and its habits."""

    def __init__(self, name: str, doing: Doing, key: SigningKey, owner: SigningKey, room: int = 2) -> None:
        self.name = name
        self.doing = doing
        self.key = key
        self.owner_key = owner
        self.id = NodeId(fingerprint(bytes(key.verify_key)))
        self.owner = OwnerId(fingerprint(bytes(owner.verify_key)))
        self.room = room
        self.serial = 0
        self.up = True
        self.reachable = True
        self.in_hand: dict[int, tuple[Offer, Instant, Done]] = {}  # assignment -> offer, ready at, result
        self.met: list[Met] = []
        self.unsent: bytes | None = None  # an exchange whose reply never came
        self.refused: list[str] = []
        self.wakes: tuple[Instant, int] | None = None  # when it exchanges next


class World:
    def __init__(self, database: Database, start: Instant, seed: int = 0) -> None:
        self.now = start
        self.seed = Seed(seed.to_bytes(32))
        self.database = database
        database.clock = self._clock
        self.nodes: list[Node] = []
        self._wakes: list[tuple[Instant, int, Node]] = []
        self._known: dict[NodeId, Known] = {}
        self._count = itertools.count()
        self._draws = itertools.count()
        self.lost_replies = 0  # one in so many; 0: none
        self.broken_commits = 0  # one transaction of a stage in so many
        self._beaten = start
        self._due: dict[str, Instant] = {}  # when stages next have something to do, as far as is known

    async def _clock(self, tx: Tx) -> Instant:
        return self.now

    def chance(self, bound: int) -> int:
        """The next draw of this world, in [0, bound)."""
        return below(self.seed, bound, "world", next(self._draws))

    async def join(
        self,
        name: str,
        doing: Doing,
        *,
        owner: SigningKey | None = None,
        room: int = 2,
        hands: Literal["machine", "person"] = "machine",
    ) -> Node:
        """Enrol a node with keys of its own (from its name, so that a run can be repeated)."""
        key = SigningKey(Seed(name.encode().ljust(32, b"\0")[:32]))
        node = Node(
            name, doing, key, owner or SigningKey(b"owner of " + name.encode().ljust(23, b"\0")[:23]), room
        )
        payload = Enrol(
            network=self.database.network.id,
            owner_key=bytes(node.owner_key.verify_key),
            node_key=bytes(key.verify_key),
            name=name,
            hands=hands,
            simulated=True,
        )
        signed = envelope.sign(
            "application/vnd.optimai.enrol+json", msgspec.json.encode(payload), node.owner_key, key
        )
        await door.enrol(self.database, envelope.write(signed))
        self._known[node.id] = Known(node.id, node.owner, bytes(key.verify_key), hands)
        self.nodes.append(node)
        self._wake(node, self.now)
        return node

    def _wake(self, node: Node, at: Instant) -> None:
        """Then, and not before: of a node's wakes the last one said counts."""
        node.wakes = (at, next(self._count))
        heapq.heappush(self._wakes, (*node.wakes, node))

    def _awake(self) -> list[Node]:
        """Nodes whose time has come, in order."""
        awake = []
        while self._wakes and self._wakes[0][0] <= self.now:
            at, count, node = heapq.heappop(self._wakes)
            if node.wakes == (at, count):
                awake.append(node)
        return awake

    async def run(self, until: Callable[[], bool] | None = None, *, to: Instant) -> None:
        """Until `until` holds, or the virtual moment `to`."""
        await self.quiet([stage.name for stage in stages.STAGES])
        while self.now < to and not (until and until()):
            await self._beat()
            woken = [stage for stage, moment in self._due.items() if moment <= self.now]
            if await self._exchange(self._awake()):
                woken += stages.TAKEN_IN
            if woken:
                await self.quiet(woken)
            wake = self._wakes[0][0] if self._wakes else to
            self.now = max(Instant(self.now + TICK), min(wake, to, *self._due.values()))

    async def _beat(self) -> None:
        """Idle nodes exchange every minute or so, with nothing to say: all of that in one statement."""
        if self.now - self._beaten < ALIVE / 2:
            return
        self._beaten = self.now
        alive = [node.id for node in self.nodes if node.up and node.reachable]
        async with self.database.begin() as (tx, now):
            await seen(tx, alive, now)

    async def quiet(self, woken: list[str]) -> None:
        """Run these stages, and those that they wake, until none finds anything to do."""
        waiting = dict.fromkeys(woken)
        for _ in range(QUIET):
            if not waiting:
                break
            stage = stages.BY_NAME[next(iter(waiting))]
            found = await self._stage(stage)
            if found < stage.limit:
                del waiting[stage.name]
            if found:
                waiting |= dict.fromkeys(stage.wakes)
                if stage.name in MAKES_WORK:
                    self._call([node for node in self.nodes if len(node.in_hand) < node.room])
                elif stage.name == "challenge":
                    self._call(await self._challenged())
        else:
            raise RuntimeError(f"the stages never come to rest at {self.now}: {list(waiting)}")
        async with self.database.begin() as (tx, now):
            self._due = await due.moments(tx, now)

    async def _challenged(self) -> list[Node]:
        async with self.database.begin() as (tx, now):
            asked = await challenges.unanswered(tx, now)
        return [node for node in self.nodes if node.id in asked]

    def _call(self, nodes: list[Node]) -> None:
        """There is something for them: they hear of it, as by a notification, and ask."""
        soon = Instant(self.now + TICK)
        for node in sorted(nodes, key=lambda node: self.chance(1 << 30)):  # nobody is always the first
            if node.up and node.reachable:
                self._wake(node, soon)

    async def _stage(self, stage: Stage) -> int:
        """One transaction of a stage; now and then one that is rolled back, as when the coordinator dies in it."""
        if self.broken_commits and self.chance(self.broken_commits) == 0:
            with suppress(Died):
                async with self.database.begin(snapshot=stage.snapshot) as (tx, now):
                    await stage.run(tx, now, stage.limit)
                    raise Died
        return await stages.run(self.database, stage)

    async def _exchange(self, awake: list[Node]) -> bool:
        """They all exchange, in one commit as when a batch waits; whether a stage might act on what they said."""
        for node in awake:
            if node.up and not node.reachable:
                self._wake(node, Instant(self.now + 30 * SOON))
        heard = [node for node in awake if node.up and node.reachable]
        if not heard:
            return False
        requests = [node.unsent or self._request(node) for node in heard]
        async with self.database.begin() as (tx, now):
            incoming = [door.check(self.database.network.id, self._known, request) for request in requests]
            replies = await exchange.handle(tx, now, incoming)
        news = [await self._hear(*one) for one in zip(heard, requests, replies, strict=True)]
        return any(news)

    async def _hear(self, node: Node, request: bytes, reply: Reply | OptimaiError) -> bool:
        if isinstance(reply, OptimaiError):
            raise reply
        node.unsent = None
        if self.lost_replies and self.chance(self.lost_replies) == 0:
            node.unsent = request  # it was heard, and does not know
            self._wake(node, Instant(self.now + SOON))
            return bool(reply.taken)
        for assignment in reply.taken:
            node.in_hand.pop(assignment, None)
        for refusal in reply.refused:
            node.in_hand.pop(refusal.assignment, None)
            node.refused.append(refusal.code)
        for offer in reply.offers:
            took, result = await node.doing.do(offer, self)
            node.in_hand[offer.assignment] = (offer, Instant(self.now + took), result)
        for asked in reply.challenges:
            if digest := await node.doing.meet(asked, self.database.blobs):
                node.met.append(Met(asked.id, digest))
        self._wake(node, Instant(self.now + SOON) if node.met else self._when(node))
        if reply.offers:  # their leases may end before anything else does
            ends = min(offer.lease_until for offer in reply.offers)
            self._due["expire"] = min(self._due.get("expire", ends), ends)
            if any(catalog.load(offer.kind).kind.standing for offer in reply.offers):
                self._due["challenge"] = self.now
        return bool(reply.taken)

    def _request(self, node: Node) -> bytes:
        done = [one for _, at, one in node.in_hand.values() if at <= self.now]
        ask = msgspec.json.encode(
            Ask(
                room=max(0, node.room - (len(node.in_hand) - len(done))),
                kinds={name: catalog.load(name).hash for name in node.doing.kinds},
                engine=node.doing.engine,
            )
        ).decode()
        node.serial += 1
        payload = Signed(
            network=self.database.network.id,
            node=node.id,
            serial=node.serial,
            ask=ask_hash(ask),
            results=tuple(done),
            answers=tuple(node.met),
        )
        node.met = []
        signed = envelope.sign(EXCHANGE, msgspec.json.encode(payload), node.key)
        return msgspec.json.encode(Request(signed, ask))

    def _when(self, node: Node) -> Instant:
        ready = [at for _, at, _ in node.in_hand.values()]
        idle = Instant(self.now + max(SOON, node.doing.patience))
        beat = Instant(self.now + BEAT)
        return min([idle, *ready]) if len(node.in_hand) < node.room else min([beat, *ready])

    # What can happen to nodes.

    def crash(self, node: Node) -> None:
        """Gone, with all that it had in hand."""
        node.up = False
        node.in_hand.clear()

    def revive(self, node: Node) -> None:
        node.up = True
        self._wake(node, self.now)
