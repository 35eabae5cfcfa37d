"""The batcher: exchanges that wait share a commit, and nobody suffers for another's."""

import asyncio

import pytest
from msgspec import Raw

from optimai.network.batch import Batcher
from optimai.network.store.sql import Database
from optimai.wire.exchange import Done, Reply
from tests.road import Road

pytestmark = pytest.mark.usefixtures("trial")


@pytest.fixture
def road(database: Database) -> Road:
    return Road(database)


async def test_exchanges_that_wait_share_a_commit_and_one_that_breaks_it_is_told_alone(
    road: Road, caplog: pytest.LogCaptureFixture
):
    await road.begin(step={"tasks": 4})
    nodes = [await road.join(name) for name in ("ann", "bob", "cid")]
    batcher = Batcher(road.database)
    work = asyncio.create_task(batcher.run())
    for node in nodes:
        await batcher.submit(road.request(node))
    requests = [road.request(node, room=1) for node in nodes]
    broken = road.request(nodes[2], [Done(1 << 62, Raw(b"null"))], serial=9, room=1)
    async with road.database.begin() as (tx, _):  # a row that no exchange can write beside
        await tx.execute("alter table assignment add check (node <> '" + nodes[2].id + "')")
    replies = await asyncio.gather(
        *(batcher.submit(one) for one in [*requests[:2], broken]), return_exceptions=True
    )
    work.cancel()
    assert [len(reply.offers) for reply in replies if isinstance(reply, Reply)] == [1, 1]
    assert [getattr(reply, "code", "") for reply in replies] == ["", "", "internal"]
    assert "a batch of 3 exchanges failed" in caplog.text


async def test_two_exchanges_of_one_node_are_handled_one_after_the_other(road: Road):
    await road.begin(step={"tasks": 4})
    ann = await road.join("ann")
    batcher = Batcher(road.database)
    first, second = road.request(ann, room=1), road.request(ann, room=1)
    work = asyncio.create_task(batcher.run())
    replies = await asyncio.gather(batcher.submit(first), batcher.submit(second))
    work.cancel()
    assert [len(reply.offers) for reply in replies] == [1, 1]


async def test_a_flood_of_nonsense_keeps_nobody_waiting(road: Road):
    await road.begin()
    ann = await road.join("ann")
    batcher = Batcher(road.database)
    work = asyncio.create_task(batcher.run())
    await batcher.submit(road.request(ann))

    async def flood() -> None:
        while True:
            await asyncio.gather(*(batcher.submit(b"{}") for _ in range(4)), return_exceptions=True)

    floods = [asyncio.create_task(flood()) for _ in range(2)]
    async with asyncio.timeout(20):
        reply = await batcher.submit(road.request(ann, room=1))
    for task in (work, *floods):
        task.cancel()
    assert len(reply.offers) == 1


async def test_work_that_nobody_hears_of_is_not_lost_when_the_caller_goes_away(road: Road):
    await road.begin()
    ann, bob = await road.join("ann"), await road.join("bob")
    batcher = Batcher(road.database)
    batcher.submit(road.request(ann, room=1)).cancel()
    work = asyncio.create_task(batcher.run())
    reply = await batcher.submit(road.request(bob, room=1))
    work.cancel()
    assert len(reply.offers) == 1
