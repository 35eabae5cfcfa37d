"""The road by hand: a test says what each node sends, when, and which stage runs next."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import msgspec
from msgspec import Raw
from msgspec.structs import replace
from nacl.signing import SigningKey

from optimai.core.assignment import Role
from optimai.core.chance import MILLION, Ppm
from optimai.core.clock import Instant, instant
from optimai.core.conduct import Conduct, State
from optimai.core.errors import OptimaiError
from optimai.core.ids import AssignmentId, CampaignId, NodeId, OwnerId, fingerprint
from optimai.core.ledger import OUTSIDE, available, escrow, move
from optimai.core.money import OPI, Nano
from optimai.core.protocol import OPEN
from optimai.core.reputation import Reputation
from optimai.kinds import catalog
from optimai.network import campaigns, door, exchange, stages
from optimai.network.store import conducts, money
from optimai.network.store.sql import Database, Record, Tx
from optimai.sim.doing import WorldKit
from optimai.wire import envelope
from optimai.wire.exchange import (
    ENROL,
    EXCHANGE,
    Ask,
    Done,
    Enrol,
    Met,
    Offer,
    Reply,
    Request,
    Signed,
    ask_hash,
)

START = instant(2026, 12, 1)
REQUESTER = OwnerId("requester")
MINUTE = timedelta(minutes=1)
ANYBODY = replace(OPEN, first=Ppm(MILLION))  # of strangers, but whose turn it is does not matter


def campaign(**more: Any) -> dict[str, Any]:
    """One step of the kind `trial`; `step` adds to it, everything else to the campaign."""
    step = {"kind": "trial", "from": "nothing", "price": "1/row"} | more.pop("step", {})
    return {
        "campaign": "trials",
        "budget": "100 OPI",
        "until": "7d",
        "appeal": "10m",
        "inputs": {"nothing": [{"text": ""}]},
        "steps": {"tried": {name: value for name, value in step.items() if value is not None}},
        "dataset": {"from": "tried"},
    } | more


async def stand(database: Database, *nodes: "Node", kind: str = "trial", **more: Any) -> None:
    """Their probation is over; `more` changes their conduct."""
    well_known = Conduct(
        state=State.STANDING, reputation=Reputation(100 * MILLION, 0), audits=100, clean=100, checked=100
    )
    async with database.begin() as (tx, _):
        keys = [(node.owner, kind, role) for node in nodes for role in Role]
        await conducts.save(tx, dict.fromkeys(keys, replace(well_known, **more)))


async def later_clean(database: Database, *nodes: "Node") -> None:
    """Three later audits of theirs were clean."""
    async with database.begin() as (tx, _):
        await tx.execute(
            "update conduct set clean = clean + 3 where owner = any($1::text[])",
            [node.owner for node in nodes],
        )


class Node:
    """What a node knows: its keys and its last serial."""

    def __init__(self, name: str, owner: str = "") -> None:
        self.name = name
        self.key = SigningKey(name.encode().ljust(32, b"."))
        self.owner_key = SigningKey((owner or f"owner of {name}").encode().ljust(32, b"."))
        self.serial = 0

    @property
    def id(self) -> NodeId:
        return NodeId(fingerprint(bytes(self.key.verify_key)))

    @property
    def owner(self) -> OwnerId:
        return OwnerId(fingerprint(bytes(self.owner_key.verify_key)))

    def joining(self, road: "Road") -> bytes:
        wanted = Enrol(
            network=road.database.network.id,
            owner_key=bytes(self.owner_key.verify_key),
            node_key=bytes(self.key.verify_key),
            name=self.name,
        )
        return envelope.write(envelope.sign(ENROL, msgspec.json.encode(wanted), self.owner_key, self.key))


class Road:
    def __init__(self, database: Database) -> None:
        self.database = database
        self.now = START
        database.clock = self._clock

    async def _clock(self, tx: Tx) -> Instant:
        return self.now

    def later(self, time: timedelta) -> None:
        self.now = Instant(self.now + time)

    # What people and nodes do

    async def deposit(self, amount: int = 1_000 * OPI) -> None:
        async with self.database.begin() as (tx, now):
            await money.post(tx, [move("deposit", "one", OUTSIDE, available(REQUESTER), Nano(amount))], now)

    async def submit(self, raw: Mapping[str, Any]) -> CampaignId:
        async with self.database.begin() as (tx, now):
            return await campaigns.submit(tx, now, raw, REQUESTER)

    async def begin(self, raw: Mapping[str, Any] | None = None, **more: Any) -> CampaignId:
        """A campaign whose tasks stand open."""
        await self.deposit()
        number = await self.submit(raw or campaign(**more))
        await self.stage("epoch", "plan")
        return number

    async def submit_more(self, name: str, step: Mapping[str, Any]) -> CampaignId:
        """Another campaign beside the first."""
        number = await self.submit(campaign(campaign=name, step=dict(step)))
        await self.stage("plan")
        return number

    async def join(self, name: str, owner: str = "") -> Node:
        node = Node(name, owner)
        node.serial = (await door.enrol(self.database, node.joining(self))).serial
        return node

    def request(
        self,
        node: Node,
        results: Iterable[Done] = (),
        *,
        room: int = 0,
        kinds: Sequence[str] | Mapping[str, str] = ("trial",),
        answers: Iterable[Met] = (),
        engine: bool = True,
        serial: int | None = None,
        key: SigningKey | None = None,
        **more: Any,
    ) -> bytes:
        """An exchange as it goes over the wire; `more` are fields of the signed payload to say otherwise.

        `kinds` may say the hash of each.
        """
        node.serial = node.serial + 1 if serial is None else serial
        able = kinds if isinstance(kinds, Mapping) else {name: catalog.load(name).hash for name in kinds}
        ask = msgspec.json.encode(Ask(room=room, kinds=able, engine=engine)).decode()
        said = {
            "network": self.database.network.id,
            "node": node.id,
            "serial": node.serial,
            "ask": ask_hash(ask),
            "results": tuple(results),
            "answers": tuple(answers),
        } | more
        signed = envelope.sign(EXCHANGE, msgspec.json.encode(Signed(**said)), key or node.key)
        return msgspec.json.encode(Request(signed, ask))

    async def send(self, *requests: bytes, address: str = "") -> list[Reply | OptimaiError]:
        """All in one transaction."""
        async with self.database.begin() as (tx, now):
            incoming = [await door.read(tx, request, address) for request in requests]
            return await exchange.handle(tx, now, incoming)

    async def exchange(
        self, node: Node, *results: Done, room: int = 0, address: str = "", **more: Any
    ) -> Reply:
        [reply] = await self.send(self.request(node, results, room=room, **more), address=address)
        if isinstance(reply, OptimaiError):
            raise reply
        return reply

    async def offered(self, node: Node, room: int = 1, **more: Any) -> list[Offer]:
        return list((await self.exchange(node, room=room, **more)).offers)

    async def answer(self, node: Node, value: int = 7) -> AssignmentId:
        """Take one task of the kind `trial`, and say `value`."""
        [offer] = await self.offered(node)
        await self.exchange(node, done(offer, value))
        return offer.assignment

    async def work(self, offer: Offer) -> Done:
        """The honest work of an offer's kind."""
        kind = catalog.load(offer.kind)
        task = msgspec.json.decode(offer.task, type=kind.task)
        result = await catalog.work(offer.kind)(task, self.kit(offer))
        return Done(offer.assignment, Raw(msgspec.json.encode(result)))

    def kit(self, offer: Offer) -> WorldKit:
        return WorldKit(offer, self, None)  # type: ignore[arg-type]  # all that it asks of a world: database and now

    # What the coordinator does

    async def stage(self, *names: str) -> int:
        """One run of each; how much the last one found."""
        return [await stages.run(self.database, stages.BY_NAME[name]) for name in names][-1]

    async def quiet(self) -> None:
        """All stages, until none finds anything."""
        for _ in range(50):
            if not sum([await self.stage(stage.name) for stage in stages.STAGES]):
                return
        raise RuntimeError("the stages never come to rest")

    async def rows(self, sql: str, *args: Any) -> list[Record]:
        async with self.database.begin() as (tx, _):
            return await tx.fetch(sql, *args)

    async def value(self, sql: str, *args: Any) -> Any:
        async with self.database.begin() as (tx, _):
            return await tx.fetchval(sql, *args)

    async def in_escrow(self, number: CampaignId) -> int:
        async with self.database.begin() as (tx, _):
            return (await money.balances(tx, [escrow(number)]))[escrow(number)]

    async def balance(self, account: str) -> int:
        return int(await self.value("select coalesce(sum(balance), 0) from account where name = $1", account))

    async def in_order(self) -> bool:
        """The ledger adds up, nothing is paid twice, and the tally says what a recount does."""
        return await self.recounted() and await self.balanced()

    async def balanced(self) -> bool:
        async with self.database.begin() as (tx, _):
            return set((await money.sums(tx)).values()) == {0}

    async def recounted(self) -> bool:
        wrong = """
            with counted as (
                 select task.step, node, count(*) filter (where judged) as results,
                        coalesce(sum(held) filter (where judged), 0) as held, sum(checked) as checked,
                        sum(faults) as faults, sum(pending) as pending, sum(available) as available
                   from task join assignment on assignment.task = task.id
                  cross join lateral (
                        select assignment.state in ('accepted', 'rejected') as judged,
                               coalesce(sum(amount) filter (where state = 'pending'), 0) as pending,
                               coalesce(sum(amount - fined) filter (where state = 'available'), 0) as available
                          from earning where earning.assignment = assignment.id) as paid
                  group by 1, 2),
            done as (select * from counted where results + pending + available > 0),
            told as (select step, node, results, held, checked, faults, pending, available from tally
                      where results + pending + available > 0)
            (table done except all table told) union all (table told except all table done)
        """
        return not await self.rows(wrong)


def done(offer: Offer | AssignmentId, value: object = 7) -> Done:
    """A result of the kind `trial`."""
    assignment = offer if isinstance(offer, int) else offer.assignment
    result = value if isinstance(value, dict) else {"value": value}
    return Done(assignment, Raw(msgspec.json.encode(result)))
