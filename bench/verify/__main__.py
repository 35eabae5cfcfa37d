"""How long a stranger takes to recompute an epoch of 100,000 results from its bundle.

The epoch is a real one: a hundred simulated nodes sign results of a kind that does nothing, which go through the real
exchange, judge and settle on PostgreSQL, and the stage `epoch` closes it. The peer is the least that there is to do:
decoding the same bundle and checking its signatures, with the same library.
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import perf_counter

import msgspec
from msgspec import Raw

from bench.dispatch import setting
from optimai.blobs.memory import MemoryBlobs
from optimai.core.clock import Instant
from optimai.core.ids import NodeId, OwnerId, fingerprint
from optimai.core.money import OPI, Nano
from optimai.kinds import catalog, lines
from optimai.kinds.bundle import verify
from optimai.kinds.lines import Evidence, Node
from optimai.network import accounts, campaigns, door, exchange, stages
from optimai.network.store import postgres, steps
from optimai.network.store.sql import Database, Tx
from optimai.wire import envelope
from optimai.wire.exchange import EXCHANGE, Ask, Done, Reply, Request, Signed, ask_hash

GOAL = 15.0  # seconds for 100,000 results
RUNS = 3


class Machine:
    """A simulated node: answers what it was offered, and asks for as much again."""

    def __init__(self, number: int, room: int) -> None:
        self.key = setting.node_key(number)
        self.id = NodeId(fingerprint(bytes(self.key.verify_key)))
        self.ask = msgspec.json.encode(Ask(room=room, kinds={"noop": catalog.load("noop").hash})).decode()
        self.serial = 0
        self.done: tuple[Done, ...] = ()

    def request(self) -> bytes:
        self.serial += 1
        said = Signed(
            network=setting.NETWORK.id,
            node=self.id,
            serial=self.serial,
            ask=ask_hash(self.ask),
            results=self.done,
        )
        signed = envelope.sign(EXCHANGE, msgspec.json.encode(said), self.key)
        return msgspec.json.encode(Request(signed, self.ask))

    def hear(self, reply: Reply) -> None:
        self.done = tuple(
            Done(
                offer.assignment,
                Raw(msgspec.json.encode({"number": offer.assignment, "payload": setting.ANSWER})),
            )
            for offer in reply.offers
        )


class Past:
    """A network whose time can be set."""

    def __init__(self, database: Database, now: Instant) -> None:
        self.database = database
        self.now = now
        database.clock = self.clock

    async def clock(self, tx: Tx) -> Instant:
        return self.now

    async def until(self, name: str) -> None:
        while await stages.run(self.database, stages.BY_NAME[name]):
            pass


async def epoch(folder: Path, results: int, each: int) -> tuple[envelope.Envelope, bytes]:
    """Head and bundle of an epoch with so many results, `each` in an envelope."""
    database = await Database.connect(postgres.start(folder), MemoryBlobs(), setting.NETWORK)
    await database.migrate(catalog.tables())
    async with database.begin() as (_, now):
        past = Past(database, now)
    await stages.run(database, stages.BY_NAME["epoch"])
    async with database.begin() as (tx, now):
        await accounts.deposit(tx, OwnerId("requester"), Nano(1_000_000 * OPI), "bench", now)
        await campaigns.submit(tx, now, setting.CAMPAIGN, OwnerId("requester"))
        step = await tx.fetchval("select id from step where name = 'work'")
        await steps.add_tasks(tx, step, setting.tasks(0, results), now)
    for number in range(setting.NODES):
        await door.enrol(database, setting.joining(number))
    machines = [Machine(number, each) for number in range(setting.NODES)]
    done = 0
    while done < results or any(one.done for one in machines):
        async with database.begin() as (tx, now):
            incoming = [await door.read(tx, one.request()) for one in machines]
            replies = await exchange.handle(tx, now, incoming)
        for one, reply in zip(machines, replies, strict=True):
            assert isinstance(reply, Reply)
            done += len(reply.taken)
            one.hear(reply)
        print(f"\r{done:,} results", end="", file=sys.stderr, flush=True)
    await past.until("judge")
    await past.until("settle")
    past.now = Instant(past.now + setting.NETWORK.epoch)
    await past.until("epoch")
    async with database.begin() as (tx, _):
        row = await tx.fetchrow(
            "select head, bundle from epoch where closed is not null order by number desc limit 1"
        )
    assert row is not None
    bundle = await database.blobs.get(row["bundle"])
    await database.close()
    postgres.stop(folder)
    print(f"{done:,} results, {len(bundle) / 1e6:.0f} MB, {each} in an envelope")
    return envelope.read(row["head"]), bundle


def signatures(data: bytes) -> None:
    """The least: what is in it, and who signed that."""
    some = lines.read(data)
    keys = {line.id: line.key for line in some if isinstance(line, Node)}
    for line in some:
        if isinstance(line, Evidence):
            signed = msgspec.json.decode(line.envelope.payload, type=Signed)
            envelope.verify(line.envelope, EXCHANGE, keys[signed.node])


def timed(what: Callable[[], object]) -> float:
    took = []
    for _ in range(RUNS):
        began = perf_counter()
        what()
        took.append(perf_counter() - began)
    return statistics.median(took)


def main() -> None:
    words = argparse.ArgumentParser(prog="make bench NAME=verify")
    words.add_argument("--results", type=int, default=100_000)
    asked = words.parse_args()
    figures, peers = {}, {}
    for each in (10, 1):
        with tempfile.TemporaryDirectory(prefix="optimai-verify-") as folder:
            head, data = asyncio.run(epoch(Path(folder), asked.results, each))
        key = bytes(setting.NETWORK.key.verify_key)
        report = verify(head, data, key)
        assert report.ok, report.wrong[:3]
        assert report.results == asked.results
        figures[each] = timed(partial(verify, head, data, key))
        peers[each] = timed(partial(signatures, data))
        print(f"{figures[each]:6.2f} s whole, {peers[each]:6.2f} s to decode it and check signatures alone")
    said = {
        "bench": "verify",
        "figures": {f"s, {each} in an envelope": round(took, 2) for each, took in figures.items()}
        | {"results": asked.results},
        "peer": {
            f"signatures alone: s, {each} in an envelope": round(took, 2) for each, took in peers.items()
        },
        "ratio": round(peers[10] / figures[10], 3),
        "goal": GOAL,
        "met": max(figures.values()) < GOAL,
    }
    print(json.dumps(said))


if __name__ == "__main__":
    main()
