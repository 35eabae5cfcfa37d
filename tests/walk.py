"""One task's whole life, as the rows, messages and ledger entries that docs/walk.md shows.

It happens in virtual time, with fixed keys and a fixed seed, on the real exchange, the
real stages and real PostgreSQL; so it is the same each time, to the last hash.

    python -m tests.walk --write        # the page's blocks anew
"""

import argparse
import asyncio
import json
import re
import shutil
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import yaml
from nacl.signing import SigningKey

from optimai.blobs.memory import MemoryBlobs
from optimai.core.clock import Instant, instant
from optimai.core.ids import OwnerId
from optimai.core.ledger import OUTSIDE, available, move
from optimai.core.money import OPI, Nano
from optimai.kinds import catalog
from optimai.kinds.contract import Shard
from optimai.network import campaigns, shards
from optimai.network.identity import Identity
from optimai.network.store import money, postgres
from optimai.network.store.sql import Database
from optimai.sim.doing import Doing
from optimai.sim.world import World
from optimai.wire import envelope
from optimai.wire.exchange import Offer

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "walk.md"
START = instant(2026, 12, 1)
BLOCK = re.compile(r"(<!-- walk: ([a-z-]+) -->\n```json\n)(.*?)(```\n)", re.DOTALL)
HASH = re.compile(r"\b([0-9a-f]{8})[0-9a-f]{24,}\b")


class Watched(Doing):
    """Honest; remembers what it was offered."""

    def __init__(self) -> None:
        super().__init__("word_count", seconds=0.1)
        self.offers: list[Offer] = []

    async def do(self, offer: Offer, world: World) -> Any:
        self.offers.append(offer)
        return await super().do(offer, world)


async def walk(database: Database) -> dict[str, str]:
    """Each block of the page by its name."""
    raw = yaml.safe_load((ROOT / "examples" / "words.yaml").read_text("utf-8"))
    world = World(database, START)
    async with database.begin() as (tx, now):
        deposit = move("deposit", "for the walk", OUTSIDE, available(OwnerId("requester")), Nano(OPI))
        await money.post(tx, [deposit], now)
        await campaigns.submit(tx, now, raw, OwnerId("requester"))
    doings = {name: Watched() for name in ("ann", "bob")}
    for name, doing in doings.items():
        await world.join(name, doing)
    await world.run(to=Instant(START + timedelta(hours=1, minutes=10)))
    async with database.begin() as (tx, _):

        async def every(sql: str) -> list[Any]:
            return [_plain(dict(row)) for row in await tx.fetch(sql)]

        tries = await every(
            "select id, role, node, state, price, units, envelope, place, held, checked, faults, why "
            "from assignment order by id"
        )
        body = await tx.fetchval("select body from envelope where id = $1", tries[0]["envelope"])
        [sealed] = await tx.fetch(
            "select blob, rows, bytes from shard join step on step.id = shard.step where kind is not null"
        )
        published = await shards.read(tx, Shard(sealed["blob"], sealed["rows"], sealed["bytes"]))
        [closed] = await tx.fetch("select head, bundle from epoch where number = 1")
        bundle = await database.blobs.get(closed["bundle"])
        exchange = msgspec.json.decode(body, type=envelope.Envelope)
        [first] = [
            offer for doing in doings.values() for offer in doing.offers if offer.assignment == tries[0]["id"]
        ]
        said = {
            "campaign": [raw],
            "task": await every(
                "select id, kind, body, units, state, places, asked, drawn, to_audit, verdict from task where id = 1"
            ),
            "offer": [json.loads(msgspec.json.encode(first))],
            "payload": [json.loads(exchange.payload)],
            "assignments": tries,
            "verdict": await every("select id, task, epoch, at, believed, reason, result from verdict"),
            "earnings": await every(
                "select id, assignment, amount, state, release_at, reason from earning order by id"
            ),
            "transfers": await every("select id, event, about, entries, batch from transfer order by id"),
            "row": published[:1],
            "head": [json.loads(envelope.read(closed["head"]).payload)],
            "bundle": _parts(bundle),
        }
    return {name: _text(things) for name, things in said.items()}


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """JSON where a column holds JSON."""
    for name, value in row.items():
        if isinstance(value, bytes):
            row[name] = json.loads(value)
        elif name == "entries":
            row[name] = json.loads(value) if isinstance(value, str) else value
    return row


def _parts(bundle: bytes) -> list[dict[str, Any]]:
    """The bundle's first line of each type; what was shown above already, and is long, is left out."""
    first: dict[str, dict[str, Any]] = {}
    for line in bundle.splitlines():
        said = json.loads(line)
        first.setdefault(said["type"], said)
    return [
        {name: "…" if len(json.dumps(value)) > 130 else value for name, value in line.items()}
        for line in first.values()
    ]


def _text(things: list[Any]) -> str:
    """A line for each, with hashes cut to eight digits."""
    lines = (msgspec.json.encode(one).decode() for one in things)
    spaced = (json.dumps(json.loads(line), ensure_ascii=False) for line in lines)
    return "".join(HASH.sub(r"\1…", line) + "\n" for line in spaced)


def rewritten(page: str, said: dict[str, str]) -> str:
    return BLOCK.sub(lambda found: found[1] + said[found[2]] + found[4], page)


async def fresh(dsn: str) -> Database:
    """A network that is the same each time."""
    network = Identity(key=SigningKey(b"w" * 32), name="walk", private=True, silence=timedelta(hours=2))
    database = await Database.connect(dsn, MemoryBlobs(), network)
    await database.migrate(catalog.tables())
    return database


async def _write(server: str) -> None:
    admin = await asyncpg.connect(server)
    await admin.execute("create database walk")
    await admin.close()
    base, _, query = server.partition("?")
    database = await fresh(f"{base.rsplit('/', 1)[0]}/walk?{query}")
    try:
        PAGE.write_text(rewritten(PAGE.read_text("utf-8"), await walk(database)), "utf-8")
    finally:
        await database.close()


def main() -> None:
    words = argparse.ArgumentParser(prog="python -m tests.walk")
    words.add_argument("--write", action="store_true", required=True, help="docs/walk.md anew")
    words.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="optimai-walk-"))
    try:
        asyncio.run(_write(postgres.start(folder)))
    finally:
        postgres.stop(folder)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
