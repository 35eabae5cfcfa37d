"""A network under bad weather, in virtual time: churn, partitions, lost replies, crashes, liars."""

from datetime import timedelta

import pytest

from optimai.core.clock import Instant, instant
from optimai.core.ids import OwnerId
from optimai.core.ledger import OUTSIDE, available, move
from optimai.core.money import OPI, Nano
from optimai.kinds import bundle
from optimai.network import campaigns
from optimai.network.store import money
from optimai.network.store.sql import Database
from optimai.sim.doing import Doing, Wrong
from optimai.sim.weather import Climate, Weather, live
from optimai.sim.world import World
from optimai.wire import envelope

START = instant(2026, 12, 1)
REQUESTER = OwnerId("requester")


def campaign(day: int, days: int) -> dict[str, object]:
    """Each day some texts are counted and then held: standing work gives every node a task an hour."""
    return {
        "campaign": f"words-{day}",
        "budget": "40 OPI",
        "until": f"{days + 1}d",
        "appeal": "2h",
        "inputs": {"texts": [{"text": f"{day} two {'three ' * n}", "n": n} for n in range(40)]},
        "steps": {
            "counts": {"kind": "word_count", "from": "texts", "price": "0.001/row"},
            "kept": {
                "kind": "hold",
                "from": "counts",
                "for": "23h",
                "copies": 20,
                "challenges": 1,
                "price": "0.001/answer",
            },
        },
        "dataset": {"from": "counts"},
    }


async def world_with(database: Database, nodes: int, days: int, seed: int) -> tuple[World, Weather]:
    world = World(database, START, seed)
    async with database.begin() as (tx, now):
        await money.post(tx, [move("deposit", "one", OUTSIDE, available(REQUESTER), Nano(1000 * OPI))], now)
    for number in range(nodes - 2):
        await world.join(f"node-{number}", Doing("word_count", "hold", seconds=0.2))
    await world.join("slow", Doing("word_count", "hold", seconds=4))
    await world.join("liar", Wrong("word_count", keeps=False))
    return world, Weather(world, Climate())


async def history(world: World) -> list[tuple[object, ...]]:
    async with world.database.begin() as (tx, _):
        rows = await tx.fetch("select task, node, state, held, returned from assignment order by id")
    return [tuple(row.values()) for row in rows]


async def run(database: Database, nodes: int, days: int, seed: int) -> tuple[World, Weather]:
    world, weather = await world_with(database, nodes, days, seed)
    for day in range(days):
        async with database.begin() as (tx, now):
            await campaigns.submit(tx, now, campaign(day, days - day), REQUESTER)
        await live(world, weather, Instant(START + timedelta(days=day + 1)))
    return world, weather


async def holds(database: Database) -> None:
    """What must hold after any weather."""
    async with database.begin() as (tx, _):
        assert set(dict(await money.sums(tx)).values()) == {0}
        assert await tx.fetchval("select count(*) from task where state = 'parked' and pinned is null") == 0
        liar = await tx.fetchval(
            "select coalesce(sum(amount), 0) from earning join node using (owner) where node.name = 'liar'"
        )
        assert liar == 0
        heads = await tx.fetch("select head, bundle from epoch where closed is not null order by number")
    key = bytes(database.network.key.verify_key)
    for row in heads[:: max(1, len(heads) // 8)]:
        report = bundle.verify(envelope.read(row["head"]), await database.blobs.get(row["bundle"]), key)
        assert report.wrong == ()


@pytest.mark.slow
async def test_twenty_nodes_and_three_days_of_weather_lose_nothing_and_pay_nothing_twice(database: Database):
    _, weather = await run(database, nodes=20, days=3, seed=1)
    assert weather.crashes > 20
    assert weather.partitions > 20
    await holds(database)
    async with database.begin() as (tx, _):
        assert await tx.fetchval("select count(*) from version") == 3
        assert await tx.fetchval("select count(*) from assignment where state = 'accepted'") > 500


async def test_the_same_seed_gives_the_same_history(dsn: str, database: Database):
    first, _ = await run(database, nodes=5, days=1, seed=7)
    told = await history(first)
    async with database.begin() as (tx, _):
        await tx.execute(
            "truncate owner, node, campaign, step, task, assignment, earning, verdict, standing, "
            "challenge, blob, version, epoch, account, transfer, batch, envelope, shard, feed "
            "restart identity cascade"
        )
    again, _ = await run(database, nodes=5, days=1, seed=7)
    assert await history(again) == told
    assert len(told) > 10
