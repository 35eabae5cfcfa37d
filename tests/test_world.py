"""A whole network on one small campaign, in virtual time, on real PostgreSQL."""

from datetime import timedelta

import msgspec
from nacl.signing import SigningKey

from optimai.core.clock import Instant, instant
from optimai.core.ids import OwnerId
from optimai.core.ledger import OUTSIDE, available, move
from optimai.core.money import OPI, Nano
from optimai.core.version import Version
from optimai.kinds import bundle
from optimai.network import campaigns
from optimai.network.store import money
from optimai.network.store.sql import Database
from optimai.sim.doing import Doing, Wrong
from optimai.sim.world import World
from optimai.wire import envelope
from optimai.wire.envelope import Envelope

START = instant(2026, 12, 1)
REQUESTER = OwnerId("requester")


def campaign(rows: int = 60) -> dict[str, object]:
    return {
        "campaign": "words",
        "budget": "10 OPI",
        "until": "2d",
        "appeal": "10m",
        "inputs": {"texts": [{"text": f"one two {'three ' * n}", "n": n} for n in range(rows)]},
        "steps": {
            "counts": {"kind": "word_count", "from": "texts", "price": "0.001/row"},
            "again": {
                "kind": "word_count",
                "from": "counts",
                "column": "words",
                "price": "0.001/row",
            },
        },
        "dataset": {"from": "counts"},
    }


async def submit(world: World, raw: dict[str, object]) -> int:
    async with world.database.begin() as (tx, now):
        deposit = move("deposit", "deposit 1", OUTSIDE, available(REQUESTER), Nano(50 * OPI))
        await money.post(tx, [deposit], now)
        return await campaigns.submit(tx, now, raw, REQUESTER)


async def all_sums(database: Database) -> dict[str, int]:
    async with database.begin() as (tx, _):
        return dict(await money.sums(tx))


async def test_a_campaign_goes_from_a_file_to_a_dataset_that_is_checked_paid_and_traced(database: Database):
    world = World(database, START)
    await submit(world, campaign())
    for name in ("ann", "bob", "cid"):
        await world.join(name, Doing("word_count", seconds=0.1))
    liar = await world.join("dan", Wrong("word_count"))

    await world.run(to=Instant(START + timedelta(hours=2, minutes=10)))

    async with database.begin() as (tx, _):
        [version] = await tx.fetch("select * from version")
        [done] = await tx.fetch("select * from campaign")
        earned = await tx.fetch("select owner, sum(amount) as amount from earning group by owner")
    manifest = msgspec.json.decode(envelope.read(version["manifest"]).payload, type=Version)
    assert manifest.rows == 60
    assert done["state"] == "done"
    assert set((await all_sums(database)).values()) == {0}
    assert {row["owner"]: row["amount"] for row in earned}.get(liar.owner, 0) == 0


async def closed_epochs(database: Database) -> list[tuple[Envelope, bytes]]:
    async with database.begin() as (tx, _):
        rows = await tx.fetch("select head, bundle from epoch where closed is not null order by number")
    return [(envelope.read(row["head"]), await database.blobs.get(row["bundle"])) for row in rows]


async def test_a_stranger_recomputes_every_epoch_from_its_bundle_alone(database: Database):
    world = World(database, START)
    await submit(world, campaign())
    for name in ("ann", "bob", "cid"):
        await world.join(name, Doing("word_count", seconds=0.1))
    await world.join("dan", Wrong("word_count"))
    await world.run(to=Instant(START + timedelta(hours=2, minutes=10)))

    key = bytes(database.network.key.verify_key)
    reports = [bundle.verify(head, data, key) for head, data in await closed_epochs(database)]
    assert [report.wrong for report in reports] == [()] * 2
    assert sum(report.verdicts for report in reports) == 2


async def test_one_changed_byte_anywhere_in_a_bundle_is_noticed(database: Database):
    world = World(database, START)
    await submit(world, campaign())
    for name in ("ann", "bob"):
        await world.join(name, Doing("word_count", seconds=0.1))
    await world.run(to=Instant(START + timedelta(hours=2)))

    key = bytes(database.network.key.verify_key)
    head, data = (await closed_epochs(database))[0]
    assert bundle.verify(head, data, key).ok
    for place in range(0, len(data), 97):
        changed = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
        assert not bundle.verify(head, changed, key).ok
    other = SigningKey(b"x" * 32)
    assert not bundle.verify(envelope.sign(bundle.HEAD, head.payload, other), data, key).ok
