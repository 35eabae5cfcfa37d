"""Whose turn a task is, in a network of strangers: by a draw that anybody can repeat, and once a network."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from optimai.core.chance import Ppm
from optimai.core.errors import BadCampaign
from optimai.core.protocol import OPEN
from optimai.kinds.bundle import verify
from optimai.kinds.lines import Judged
from optimai.network.store.sql import Database
from tests.closing import closing, epochs, key
from tests.road import ANYBODY, Node, Road, campaign, done, stand
from tests.test_epoch_forged import change, forged

pytestmark = pytest.mark.usefixtures("trial")


@pytest.fixture
def road(database: Database) -> Road:
    database.network = replace(database.network, private=False, protocol=ANYBODY)
    return Road(database)


async def crowd(road: Road, many: int) -> list[Node]:
    return [await road.join(f"node-{number}") for number in range(many)]


async def test_owners_of_one_network_do_not_both_try_a_task(road: Road):
    await road.begin(step={"answers": 3})
    ann, bob, cid = await crowd(road, 3)
    assert len(await road.offered(ann, address="203.0.113.7")) == 1
    assert await road.offered(bob, address="203.0.113.200") == []
    assert len(await road.offered(cid, address="203.0.114.7")) == 1


async def test_nor_when_they_ask_together_or_behind_a_full_queue(road: Road):
    await road.begin(budget="1000 OPI", step={"tasks": 20, "answers": 2})
    ann, bob, cid = await crowd(road, 3)
    two = [road.request(node, room=64) for node in (ann, bob)]
    first, second = await road.send(*two, address="2001:db8:1::7")
    assert sorted([len(first.offers), len(second.offers)]) == [10, 10]
    assert not {offer.assignment for offer in first.offers} & {offer.assignment for offer in second.offers}
    assert await road.offered(cid, room=64, address="2001:db8:1:9::1") == []
    assert len(await road.offered(cid, room=64, address="2001:db8:2::1")) == 20


async def test_a_campaign_may_say_that_its_networks_are_shared_and_its_card_tells_it(road: Road):
    await road.begin(terms={"networks": "shared"}, step={"answers": 2})
    ann, bob = await crowd(road, 2)
    for node in (ann, bob):
        assert len(await road.offered(node, address="203.0.113.7")) == 1
    with pytest.raises(BadCampaign, match="networks"):
        await road.submit(campaign(campaign="other", terms={"networks": "yes"}))


@pytest.mark.parametrize(("private", "address"), [(True, "203.0.113.7"), (False, "127.0.0.1"), (False, "")])
async def test_in_a_private_network_and_on_one_machine_they_may(road: Road, private: bool, address: str):
    road.database.network = replace(road.database.network, private=private)
    await road.begin(step={"answers": 2})
    for node in await crowd(road, 2):
        assert len(await road.offered(node, address=address)) == 1


async def test_a_new_task_is_for_few_and_in_the_end_for_everybody(road: Road):
    road.database.network = replace(road.database.network, protocol=OPEN)
    await road.begin(budget="1000 OPI", step={"tasks": 40, "answers": 40})
    nodes = await crowd(road, 10)
    at_once = [len(await road.offered(node, room=64)) for node in nodes]
    assert 20 < sum(at_once) < 140, "a newcomer's quality is 1, so a fifth of 400 may"
    road.later(timedelta(seconds=2))
    soon = [len(await road.offered(node, room=64)) for node in nodes]
    assert sum(soon) > sum(at_once) / 3
    road.later(timedelta(seconds=30))
    later = [len(await road.offered(node, room=64)) for node in nodes]
    assert [sum(some) for some in zip(at_once, soon, later, strict=True)] == [40] * 10


async def test_whose_turn_it_was_is_recomputed(road: Road):
    protocol = replace(OPEN, again=replace(OPEN.again, newcomer=Ppm(1), audit=Ppm(1)))
    road.database.network = replace(road.database.network, protocol=protocol)
    await road.begin(budget="1000 OPI", step={"tasks": 40, "validate": {"audit": "0%"}})
    nodes = await crowd(road, 4)
    await stand(road.database, *nodes)
    for seconds in (0, 3, 30):
        road.later(timedelta(seconds=seconds))
        for node in nodes:
            await road.exchange(node, *(done(offer) for offer in await road.offered(node, room=64)))
    await road.stage("judge", "settle")
    await closing(road)

    def turns(wrong: tuple[str, ...]) -> int:
        return sum("not its owner's turn" in one for one in wrong)

    assert turns(verify(*(await epochs(road))[0], key(road)).wrong) == 0

    def hurry(some: list[Any]) -> None:
        """As if all had been offered at once."""
        for line in [one for one in some if isinstance(one, Judged)]:
            given = tuple(replace(one, waited=0) for one in line.record.asked.given)
            asked = replace(line.record.asked, given=given)
            change(some, Judged, lambda one, line=line: one is line, record=replace(line.record, asked=asked))

    head, data = await forged(road, hurry)
    assert turns(verify(head, data, key(road)).wrong) > 5
    assert msgspec.json.decode(head.payload)["epoch"] == 1
