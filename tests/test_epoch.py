"""An epoch's bundle: anybody recomputes it, and a change of its bytes is noticed."""

import asyncio

import msgspec
import pytest
from blake3 import blake3
from nacl.signing import SigningKey

from optimai.kinds import lines
from optimai.kinds.bundle import verify
from optimai.kinds.lines import Head
from optimai.network.store.sql import Database
from optimai.wire import envelope
from tests.closing import a_day, closing, epochs, key
from tests.road import MINUTE, Node, Road, done

pytestmark = pytest.mark.usefixtures("trial")

HOUR = 60 * MINUTE


@pytest.fixture
def road(database: Database) -> Road:
    return Road(database)


# Honest


async def test_every_epoch_verifies_alone_and_after_the_one_before(road: Road):
    await a_day(road)
    await closing(road)
    await closing(road)
    await road.submit_more("more", {"tasks": 2, "validate": {"audit": "0%"}})
    ann = await road.join("ann")
    await road.exchange(ann, *(done(offer) for offer in await road.offered(ann, room=2)))
    await closing(road)
    closed = await epochs(road)
    alone = [verify(head, data, key(road)) for head, data in closed]
    assert [one.wrong for one in alone] == [(), (), ()]
    assert alone[0].verdicts >= 5
    assert alone[0].results > alone[0].verdicts
    after = [verify(*closed[number], key(road), closed[number - 1]) for number in (1, 2)]
    assert [one.wrong for one in after] == [(), ()]


async def test_nobody_knows_a_seed_before_its_epoch_is_over_and_everybody_can_tell_that_it_was_fixed(
    road: Road,
):
    await a_day(road)
    await closing(road)
    await closing(road)
    heads = [msgspec.json.decode(head.payload, type=Head) for head, _ in await epochs(road)]
    assert blake3(heads[1].seed).hexdigest() == heads[0].next_seed
    assert heads[1].before == blake3((await epochs(road))[0][0].payload).hexdigest()
    shown = b"".join(data for _, data in await epochs(road))
    assert await road.value("select seed from epoch where closed is null") not in shown


async def test_an_epoch_waits_until_every_verdict_has_moved_its_money(road: Road):
    await road.begin(step={"validate": {"audit": "0%"}})
    await road.answer(await road.join("ann"))
    await road.stage("judge")
    road.later(HOUR)
    assert await road.stage("epoch") == 1  # no more verdicts
    assert await road.stage("epoch") == 0  # and this one is not paid yet
    await road.stage("settle")
    assert await road.stage("epoch") == 1
    assert len(await epochs(road)) == 1


async def test_an_epoch_closes_from_one_moment_while_exchanges_go_on(road: Road):
    await road.begin(budget="1000 OPI", step={"tasks": 400, "validate": {"audit": "0%"}})
    nodes = [await road.join(f"node {number}") for number in range(4)]
    over = asyncio.Event()

    async def works(node: Node) -> None:
        while not over.is_set():
            await road.exchange(node, *(done(offer) for offer in await road.offered(node, room=3)))

    async def judges() -> None:
        while not over.is_set():
            for name in ("judge", "settle", "release"):
                await road.stage(name)
            await asyncio.sleep(0)

    async def closes() -> None:
        for _ in range(3):
            await asyncio.sleep(0.2)
            road.now = await road.value("select closes from epoch where closed is null")
            before = len(await epochs(road))
            while len(await epochs(road)) == before:
                await road.stage("epoch")
                await asyncio.sleep(0)
        over.set()

    await asyncio.gather(*(works(node) for node in nodes), judges(), closes())
    closed = await epochs(road)
    reports = [verify(head, data, key(road)) for head, data in closed]
    assert [one.wrong for one in reports] == [()] * 3
    assert sum(one.verdicts for one in reports) > 20
    assert [verify(*closed[number], key(road), closed[number - 1]).wrong for number in (1, 2)] == [(), ()]
    assert await road.in_order()


# Bytes


async def test_one_changed_byte_is_noticed_and_so_is_one_too_many(road: Road):
    await a_day(road)
    await closing(road)
    [(head, data)] = await epochs(road)
    for place in range(0, len(data), 211):
        changed = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
        assert not verify(head, changed, key(road)).ok
    for changed in (data + b"\n", data[:-1], b"", data + bytes(lines.CHUNK)):
        assert not verify(head, changed, key(road)).ok


async def test_a_head_that_another_signed_or_that_is_of_another_network_is_refused(road: Road):
    await a_day(road)
    await closing(road)
    [(head, data)] = await epochs(road)
    other = SigningKey(b"x" * 32)
    assert not verify(envelope.sign(lines.HEAD, head.payload, other), data, key(road)).ok
    assert not verify(envelope.sign(lines.HEAD, head.payload, other), data, bytes(other.verify_key)).ok
    assert not verify(
        envelope.sign("text/plain", head.payload, road.database.network.key), data, key(road)
    ).ok
