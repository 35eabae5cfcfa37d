"""A world of any size in virtual time, under bad weather: churn, partitions, lost replies, crashes, a liar.

    python -m tests.weather --nodes 200 --days 30

Each day some texts are counted and then held for the rest of it, so that every node has
a task an hour. The machines are simulated; envelopes, stages and PostgreSQL are real.
"""

import argparse
import asyncio
import json
import shutil
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

from nacl.signing import SigningKey

from optimai.blobs.memory import MemoryBlobs
from optimai.core.clock import Instant, instant
from optimai.core.errors import OptimaiError
from optimai.core.ids import AssignmentId, OwnerId
from optimai.core.ledger import OUTSIDE, available, move
from optimai.core.money import OPI, Nano
from optimai.kinds import bundle, catalog
from optimai.network import campaigns
from optimai.network.identity import Identity
from optimai.network.store import money, postgres
from optimai.network.store.sql import Database
from optimai.sim.doing import Doing, Wrong
from optimai.sim.weather import Climate, Weather, live
from optimai.sim.world import Node, World
from optimai.wire import envelope
from optimai.wire.exchange import Reply

START = instant(2026, 12, 1)
REQUESTER = OwnerId("requester")
HOLDERS = 20
NETWORK = Identity(key=SigningKey(b"n" * 32), name="test", private=True, silence=timedelta(hours=2))


KEPT = """
    select count(*) from assignment join envelope using (node)
     where assignment.id = any($1::bigint[]) and assignment.state in ('returned', 'accepted', 'rejected')
       and envelope.id = assignment.envelope
"""


class Outcome(NamedTuple):
    """What must be zero or empty after any weather comes first."""

    sums: dict[str, int]
    lost: int  # results that a node heard were taken in, and that no kept envelope proves
    parked: int  # tasks, standing ones apart: those end with their epoch
    liar_earned: int  # nano-OPI
    wrong: list[str]  # with epochs, recomputed from their bundles
    versions: int
    accepted: int  # assignments
    epochs: int
    crashes: int
    partitions: int


class Watched(World):
    """Remembers what nodes were told, in replies that arrived, had been taken in."""

    acknowledged: frozenset[AssignmentId] = frozenset()

    async def _hear(self, node: Node, request: bytes, reply: Reply | OptimaiError) -> bool:
        news = await super()._hear(node, request, reply)
        if isinstance(reply, Reply) and node.unsent is None:
            self.acknowledged |= frozenset(reply.taken)
        return news


def campaign(day: int, days: int, nodes: int) -> dict[str, Any]:
    """A group of steps for every twenty nodes: that many hold a shard at most."""
    groups = range((nodes + HOLDERS - 1) // HOLDERS)
    counts = {"kind": "word_count", "price": "0.001/row"}
    kept = {"kind": "hold", "for": "23h", "copies": HOLDERS, "challenges": 1, "price": "0.001/answer"}
    return {
        "campaign": f"words-{day}",
        "budget": f"{2 * nodes} OPI",
        "until": f"{days + 1}d",
        "appeal": "2h",
        "inputs": {
            f"texts-{group}": [{"text": f"{day} {group} {'three ' * n}", "n": n} for n in range(40)]
            for group in groups
        },
        "steps": {f"counts-{group}": counts | {"from": f"texts-{group}"} for group in groups}
        | {f"kept-{group}": kept | {"from": f"counts-{group}"} for group in groups},
        "dataset": {"from": "counts-0"},
    }


async def world_with(database: Database, nodes: int, days: int, seed: int) -> tuple[Watched, Weather]:
    world = Watched(database, START, seed)
    deposit = move("deposit", "one", OUTSIDE, available(REQUESTER), Nano(2 * nodes * days * OPI))
    async with database.begin() as (tx, now):
        await money.post(tx, [deposit], now)
    for number in range(nodes - 2):
        await world.join(f"node-{number}", Doing("word_count", "hold", seconds=0.2))
    await world.join("slow", Doing("word_count", "hold", seconds=4))
    await world.join("liar", Wrong("word_count", keeps=False))
    return world, Weather(world, Climate())


async def run(
    database: Database, nodes: int, days: int, seed: int, after: Callable[[int], None] = lambda day: None
) -> tuple[Watched, Weather]:
    """`after` is called with the number of days that have passed."""
    world, weather = await world_with(database, nodes, days, seed)
    for day in range(days):
        async with database.begin() as (tx, now):
            await campaigns.submit(tx, now, campaign(day, days - day, nodes), REQUESTER)
        await live(world, weather, Instant(START + timedelta(days=day + 1)))
        after(day + 1)
    return world, weather


async def outcome(database: Database, world: Watched, weather: Weather, most: int = 8) -> Outcome:
    """Recomputes at most so many epochs."""
    async with database.begin() as (tx, _):
        sums = dict(await money.sums(tx))
        kept = await tx.fetchval(KEPT, list(world.acknowledged))
        parked = await tx.fetchval("select count(*) from task where state = 'parked' and pinned is null")
        liar = await tx.fetchval(
            "select coalesce(sum(amount), 0)::bigint from earning join node using (owner) where node.name = 'liar'"
        )
        versions = await tx.fetchval("select count(*) from version")
        accepted = await tx.fetchval("select count(*) from assignment where state = 'accepted'")
        heads = await tx.fetch(
            "select number, head, bundle from epoch where closed is not null order by number"
        )
    key = bytes(database.network.key.verify_key)
    wrong = []
    for row in heads[:: max(1, len(heads) // most)]:
        report = bundle.verify(envelope.read(row["head"]), await database.blobs.get(row["bundle"]), key)
        wrong += [f"epoch {row['number']}: {line}" for line in report.wrong]
    return Outcome(
        sums=sums,
        lost=len(world.acknowledged) - kept,
        parked=parked,
        liar_earned=liar,
        wrong=wrong,
        versions=versions,
        accepted=accepted,
        epochs=len(heads),
        crashes=weather.crashes,
        partitions=weather.partitions,
    )


async def _by_hand(nodes: int, days: int, seed: int, folder: Path) -> Outcome:
    dsn = await asyncio.to_thread(postgres.start, folder)
    began = time.perf_counter()

    def after(day: int) -> None:
        spent = time.perf_counter() - began
        left = spent / day * (days - day)
        print(f"day {day} of {days}: {spent:,.0f} s so far, about {left:,.0f} s left", flush=True)

    try:
        database = await Database.connect(dsn, MemoryBlobs(), NETWORK)
        await database.migrate(catalog.tables())
        world, weather = await run(database, nodes, days, seed, after)
        found = await outcome(database, world, weather, most=50)
        await database.close()
    finally:
        await asyncio.to_thread(postgres.stop, folder)
    return found


def main() -> None:
    words = argparse.ArgumentParser(prog="python -m tests.weather")
    words.add_argument("--nodes", type=int, default=200)
    words.add_argument("--days", type=int, default=30)
    words.add_argument("--seed", type=int, default=1)
    asked = words.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="optimai-weather-"))
    try:
        found = asyncio.run(_by_hand(asked.nodes, asked.days, asked.seed, folder))
        print(json.dumps(found._asdict(), indent=2))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
