"""A network under bad weather, in virtual time: churn, partitions, lost replies, crashes, liars."""

import pytest

from optimai.network.store.sql import Database
from optimai.sim.world import World
from tests.weather import Outcome, outcome, run


def lost_nothing_and_paid_nothing_twice(found: Outcome) -> None:
    assert set(found.sums.values()) == {0}
    assert found.lost == 0
    assert found.parked == 0
    assert found.liar_earned == 0
    assert found.wrong == []


async def history(world: World) -> list[tuple[object, ...]]:
    async with world.database.begin() as (tx, _):
        rows = await tx.fetch("select task, node, state, held, returned from assignment order by id")
    return [tuple(row.values()) for row in rows]


@pytest.mark.slow
async def test_twenty_nodes_and_three_days_of_weather_lose_nothing_and_pay_nothing_twice(database: Database):
    world, weather = await run(database, nodes=20, days=3, seed=1)
    found = await outcome(database, world, weather)
    assert len(world.acknowledged) > 500
    lost_nothing_and_paid_nothing_twice(found)
    assert found.crashes > 20
    assert found.partitions > 20
    assert found.versions == 3
    assert found.accepted > 500


@pytest.mark.soak
async def test_two_hundred_nodes_and_thirty_days_of_weather_lose_nothing_and_pay_nothing_twice(
    database: Database,
):
    world, weather = await run(database, nodes=200, days=30, seed=1)
    found = await outcome(database, world, weather)
    lost_nothing_and_paid_nothing_twice(found)
    assert found.versions == 30
    assert found.accepted > 100_000  # a task a node-hour, less what the weather took


async def test_the_same_seed_gives_the_same_history(dsn: str, database: Database):
    first, _ = await run(database, nodes=5, days=1, seed=7)
    told = await history(first)
    async with database.begin() as (tx, _):
        await tx.execute(
            "truncate owner, node, campaign, step, task, assignment, earning, verdict, conduct, ended, leaving, "
            "challenge, blob, version, epoch, account, transfer, batch, envelope, shard, feed "
            "restart identity cascade"
        )
    again, _ = await run(database, nodes=5, days=1, seed=7)
    assert await history(again) == told
    assert len(told) > 10
