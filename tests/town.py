"""A network full of facts, in virtual time: people and machines, two of whom lie, on one campaign.

    texts (given) ──> topic (label, by people) ──> length (word_count, by machines) ──> kept (hold)

`fay` says what she was told, and was told something wrong of what is known; `dan` names rows that nobody
asked for; `cid` goes off in mid-run. The dataset is what the people said.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta

import asyncpg
import msgspec
from msgspec import Raw
from msgspec.structs import replace
from nacl.signing import SigningKey

from optimai.blobs.memory import MemoryBlobs
from optimai.core.chance import Ppm, Seed
from optimai.core.clock import Instant, instant
from optimai.core.ids import OwnerId
from optimai.core.ledger import OUTSIDE, available, move
from optimai.core.money import OPI, Nano
from optimai.core.protocol import PRIVATE
from optimai.kinds import catalog
from optimai.kinds.hold.spec import Task as Pieces
from optimai.kinds.label.spec import Answers, Opinion, Task
from optimai.network import campaigns
from optimai.network.identity import Identity
from optimai.network.store import events, money
from optimai.network.store.sql import Database
from optimai.sim.doing import Doing, Wrong
from optimai.sim.people import Person
from optimai.sim.world import World
from optimai.wire.exchange import Done, Offer

START = instant(2026, 12, 1, 12)
REQUESTER = OwnerId("requester")
TERMS = {"license": "CC-BY-4.0", "visibility": "public"}
CHOICES = ("care", "pests", "light")
SENTENCES = {
    "care": "Water the fern when the soil feels dry, and mist its leaves in winter.",
    "pests": "Spider mites leave fine webs; wipe each leaf with soapy water.",
    "light": "A north window is enough for moss, but cactus wants the full sun.",
}


def truth(rows: int) -> dict[str, str]:
    return {f"https://plants.example/{number}": CHOICES[number % 3] for number in range(rows)}


def campaign(rows: int, terms: Mapping[str, str]) -> dict[str, object]:
    right = truth(rows)
    known = [{"url": url, "answer": answer} for url, answer in list(right.items())[::5]]
    return {
        "campaign": "plants",
        "budget": "10 OPI",
        "until": "2d",
        "appeal": "20m",
        "people": "simulated",
        "terms": dict(terms),
        "inputs": {"texts": [{"url": url, "text": SENTENCES[choice]} for url, choice in right.items()]},
        "steps": {
            "topic": {
                "kind": "label",
                "from": "texts",
                "question": "What is it about?",
                "choices": list(CHOICES),
                "known": known,
                "price": "0.004/answer",
            },
            "length": {"kind": "word_count", "from": "topic", "price": "0.001/row"},
            "kept": {"kind": "hold", "from": "length", "for": "1h", "challenges": 4, "price": "0.005/answer"},
        },
        "dataset": {"from": "topic", "split": {"train": "80%", "test": "20%"}},
    }


class Labelling(Doing):
    def __init__(self, person: Person) -> None:
        super().__init__("label")
        self.person = person

    async def do(self, offer: Offer, world: World) -> tuple[timedelta, Done]:
        task = msgspec.json.decode(offer.task, type=Task)
        took = timedelta(seconds=sum(self.person.seconds(item) for item in task.items()))
        return took, Done(offer.assignment, Raw(msgspec.json.encode(self.person.answers(task))))


class Machine(Doing):
    """Counts words, and holds what it is given: the world itself meets the challenges."""

    patience = timedelta(seconds=10)  # a challenge must be answered within half a minute

    def __init__(self) -> None:
        super().__init__("word_count", "hold", seconds=0.4)

    async def do(self, offer: Offer, world: World) -> tuple[timedelta, Done]:
        if offer.kind != "hold":
            return await super().do(offer, world)
        held = len(msgspec.json.decode(offer.task, type=Pieces).shards)
        took = offer.lease_until - world.now - timedelta(seconds=5)
        return took, Done(offer.assignment, Raw(msgspec.json.encode({"held": held})))


class Copying(Doing):
    """Says what it was told, and it was told something wrong of what is known."""

    def __init__(self, told: Mapping[str, str]) -> None:
        super().__init__("label")
        self.told = told

    async def do(self, offer: Offer, world: World) -> tuple[timedelta, Done]:
        task = msgspec.json.decode(offer.task, type=Task)
        answers = Answers(tuple(Opinion(item.row, self.told[item.name]) for item in task.items()))
        return timedelta(seconds=4), Done(offer.assignment, Raw(msgspec.json.encode(answers)))


@asynccontextmanager
async def fresh(server: str) -> AsyncIterator[Database]:
    """A private network in a database of its own, for tests that share one."""
    admin = await asyncpg.connect(server)
    name = f"town_{await admin.fetchval('select count(*) from pg_database')}_{id(admin)}"
    await admin.execute(f"create database {name}")
    base, _, query = server.partition("?")
    network = Identity(key=SigningKey(b"n" * 32), name="town", private=True)
    dsn = f"{base.rsplit('/', 1)[0]}/{name}?{query}"
    database = await Database.connect(dsn, MemoryBlobs(), network)
    await database.migrate(catalog.tables())
    try:
        yield database
    finally:
        await database.close()
        await admin.execute(f"drop database {name} with (force)")
        await admin.close()


async def settle(database: Database, rows: int = 120, terms: Mapping[str, str] = TERMS) -> World:
    """The town at its first moment: nodes have joined, the campaign is paid for, nothing is done yet."""
    sharp = replace(
        PRIVATE, again=replace(PRIVATE.again, faults=1), opinions=replace(PRIVATE.opinions, window=8)
    )
    network = replace(database.network, seal_rows=20, epoch=timedelta(minutes=15), protocol=sharp)
    database.network = network
    world = World(database, START)
    raw = campaign(rows, terms)
    deposit = move("deposit", "deposit 1", OUTSIDE, available(REQUESTER), Nano(50 * OPI))
    async with database.begin() as (tx, now):
        await money.post(tx, [deposit], now)
        await campaigns.submit(tx, now, raw, REQUESTER)
    right = truth(rows)
    for number in range(1, 7):
        seed = Seed(bytes([number]) * 32)
        person = Person(seed=seed, knows=right, accuracy=Ppm(970_000), pace=3.0)
        await world.join(f"simulated-person-{number}", Labelling(person), hands="person")
    wrong = {url: CHOICES[(CHOICES.index(choice) + 1) % 3] for url, choice in list(right.items())[::5]}
    await world.join("fay", Copying(right | wrong), hands="person")
    for name in ("ann", "bob", "cid"):
        await world.join(name, Machine())
    await world.join("dan", Wrong("word_count"))
    return world


async def live(world: World, minutes: float) -> None:
    """Until so many minutes after its first moment. `cid` goes off with rows in hand, until the twelfth."""
    to = Instant(START + timedelta(minutes=minutes))
    back = Instant(START + timedelta(minutes=12))
    cid = next(node for node in world.nodes if node.name == "cid")

    def counts() -> bool:
        return any(offer.kind == "word_count" for offer, _, _ in cid.in_hand.values())

    if cid.up and world.now < back:
        await world.run(until=counts, to=min(to, back))
        if counts():
            world.crash(cid)
    if not cid.up and to >= back:
        await world.run(to=back)
        world.revive(cid)
    await world.run(to=to)


async def tell(world: World, tone: str, title: str, why: str) -> None:
    """An event of the whole network."""
    async with world.database.begin() as (tx, now):
        await events.tell(tx, tone, title, why, None, now)
