"""The exchange's promises, on real PostgreSQL: what is taken in, what is offered, what twice is."""

import asyncio
import json
from datetime import timedelta

import pytest
from nacl.signing import SigningKey

from optimai.core.assignment import Role
from optimai.core.conduct import Conduct, State
from optimai.core.errors import BadMessage, BadSignature, Replayed, UnknownNode, WrongNetwork
from optimai.core.money import OPI
from optimai.network.door import Door
from optimai.network.store import conducts
from optimai.network.store.sql import Database
from optimai.network.store.tries import MOST_FAILED
from optimai.wire import envelope
from optimai.wire.exchange import EXCHANGE, Done, Reply, read_request
from tests.road import MINUTE, Node, Road, campaign, done

pytestmark = pytest.mark.usefixtures("trial")


@pytest.fixture
def road(database: Database) -> Road:
    return Road(database)


# Offers


async def test_a_node_is_offered_a_task_with_its_price_its_lease_and_a_token(road: Road):
    await road.begin(step={"units": 3, "price": "0.5/row"})
    [offer] = await road.offered(await road.join("ann"))
    assert (offer.kind, offer.step, offer.role, offer.units) == ("trial", "trials/tried", "answer", 3)
    assert offer.price == OPI // 2
    assert offer.lease_until == road.now + MINUTE
    assert road.database.network.token_owner(offer.token) == offer.assignment


async def test_nothing_is_offered_to_a_node_that_has_no_room_or_other_sources_of_the_kind(road: Road):
    await road.begin()
    ann = await road.join("ann")
    assert await road.offered(ann, room=0) == []
    assert await road.offered(ann, kinds=["word_count"]) == []
    assert await road.offered(ann, kinds={"trial": "0" * 64}) == []
    assert len(await road.offered(ann)) == 1


async def test_nobody_gets_more_than_he_has_room_for_and_nodes_that_ask_together_share(road: Road):
    await road.begin(step={"tasks": 5})
    ann, bob = await road.join("ann"), await road.join("bob")
    replies = await road.send(road.request(ann, room=4), road.request(bob, room=4))
    offers = [[offer.task for offer in reply.offers] for reply in replies if isinstance(reply, Reply)]
    assert [len(some) for some in offers] == [3, 2]
    assert len({bytes(task) for some in offers for task in some}) == 5


async def test_a_task_never_gets_more_tries_than_places_and_an_owner_tries_it_once(road: Road):
    await road.begin(step={"answers": 2})
    first, second = await road.join("first", "ann"), await road.join("second", "ann")
    others = [await road.join(name) for name in ("bob", "cid", "dan")]
    assert len(await road.offered(first, room=5)) == 1
    assert await road.offered(second, room=5) == []
    taken = [len(await road.offered(node, room=5)) for node in others]
    assert taken == [1, 0, 0]


async def test_an_escrow_is_never_overdrawn(road: Road):
    number = await road.begin(budget="10 OPI", step={"tasks": 5, "units": 4})
    ann = await road.join("ann")
    assert len(await road.offered(ann, room=5)) == 2
    assert await road.in_escrow(number) == 2 * OPI
    assert await road.offered(ann, room=5) == []
    assert await road.in_order()


async def test_whoever_cannot_be_paid_does_not_stand_in_the_way_of_a_campaign_that_can_pay(road: Road):
    await road.begin(budget="1 OPI", step={"tasks": 60, "units": 2})
    await road.submit(campaign(campaign="others"))
    await road.stage("plan")
    offers = await road.offered(await road.join("ann"))
    assert [offer.step for offer in offers] == ["others/tried"]


async def test_the_whole_queue_is_searched_for_an_owner_who_has_tried_everything_at_its_front(road: Road):
    await road.begin(step={"tasks": 40, "answers": 2})
    ann, bob = await road.join("ann"), await road.join("bob")
    assert len(await road.offered(ann, room=39)) == 39
    [last] = await road.offered(ann)
    assert bytes(last.task) == b'{"number":39}'
    assert len(await road.offered(bob, room=64)) == 40


async def test_a_suspended_owner_gets_no_offers_of_that_kind(road: Road):
    await road.begin()
    ann = await road.join("ann")
    async with road.database.begin() as (tx, now):
        await conducts.save(tx, {(ann.owner, "trial", Role.ANSWER): Conduct(state=State.SUSPENDED)})
        await conducts.suspend(tx, (ann.owner, "trial", Role.ANSWER), now)
    assert await road.offered(ann) == []
    assert len(await road.offered(await road.join("bob"))) == 1


async def test_a_pinned_task_goes_to_its_node_only(road: Road):
    await road.begin(step={"tasks": 2})
    ann, bob = await road.join("ann"), await road.join("bob")
    async with road.database.begin() as (tx, _):
        await tx.execute("update task set pinned = $1", ann.id)
    assert await road.offered(bob, room=2) == []
    assert len(await road.offered(ann, room=2)) == 2


async def test_two_replicas_at_once_never_offer_a_place_twice(road: Road):
    await road.begin(budget="200 OPI", step={"tasks": 60, "answers": 2})
    nodes = [await road.join(f"node {number}") for number in range(24)]

    async def some(mine: list[Node]) -> list[Reply]:
        return [await road.exchange(node, room=5) for node in mine]

    together = await asyncio.gather(*(some(nodes[start::6]) for start in range(6)))
    after = await some(nodes)  # of what each had locked before the other
    offers = [offer for replies in (*together, after) for reply in replies for offer in reply.offers]
    assert len(offers) == 120
    tries = await road.rows(
        "select task, count(*) as n, count(distinct owner) as owners from assignment group by task"
    )
    assert {(row["n"], row["owners"]) for row in tries} == {(2, 2)}
    assert await road.in_order()


async def test_a_lease_lasts_as_long_as_its_kind_says_and_standing_work_longer_than_its_epoch(road: Road):
    await road.begin()
    async with road.database.begin() as (tx, now):
        await tx.execute("update task set until = $1", now + timedelta(hours=1))
    [offer] = await road.offered(await road.join("ann"))
    assert offer.lease_until == road.now + timedelta(hours=1) + MINUTE


async def test_who_declined_a_task_is_not_offered_it_again_at_once(road: Road):
    await road.begin(step={"tasks": 1, "validate": {"audit": "0%"}})
    ann = await road.join("ann")
    [offer] = await road.offered(ann)
    reply = await road.exchange(ann, Done(offer.assignment, declined="no memory left"), room=1)
    assert reply.offers == ()
    road.later(MINUTE)
    assert len(await road.offered(ann)) == 1


async def test_a_task_that_all_decline_is_given_up_and_its_campaign_ends(road: Road):
    number = await road.begin(step={"tasks": 1, "validate": {"audit": "0%"}})
    ann = await road.join("ann")
    for _ in range(MOST_FAILED):
        [offer] = await road.offered(ann)
        await road.exchange(ann, Done(offer.assignment, declined="no memory left"))
        road.later(MINUTE)
        await road.stage("expire")
    assert await road.offered(ann) == []
    [told] = await road.rows("select title, why from event")
    assert told["title"] == "Gave up task 1 of trials/tried"
    assert told["why"] == "20 tries brought nothing. The last one said: no memory left."
    await road.quiet()
    assert await road.value("select state from campaign") == "done"
    assert await road.in_escrow(number) == 0


async def test_a_task_that_is_given_up_with_an_answer_is_judged_by_it(road: Road):
    await road.begin(step={"tasks": 1, "audited": True})
    ann, bob = [await road.join(name) for name in ("ann", "bob")]
    [offer] = await road.offered(ann)
    assert await road.offered(bob) == []
    await road.exchange(ann, done(offer))
    await road.stage("judge")
    for _ in range(MOST_FAILED):
        [offer] = await road.offered(bob)
        await road.exchange(bob, Done(offer.assignment, declined="busy"))
        road.later(MINUTE)
        await road.stage("expire", "judge")
    [verdict] = await road.rows("select believed from verdict")
    assert verdict["believed"] != b"null"


# Results


async def test_a_result_is_taken_in_and_its_envelope_kept_as_it_came(road: Road):
    await road.begin()
    ann = await road.join("ann")
    [offer] = await road.offered(ann)
    request = road.request(ann, [done(offer)])
    [reply] = await road.send(request)
    assert isinstance(reply, Reply)
    assert reply.taken == (offer.assignment,)
    [row] = await road.rows(
        "select body, assignment.state, place from envelope join assignment on envelope = envelope.id"
    )
    assert (row["state"], row["place"]) == ("returned", 0)
    kept = envelope.read(row["body"])
    envelope.verify(kept, EXCHANGE, bytes(ann.key.verify_key))
    assert kept == read_request(request)[0]


async def test_signed_bytes_are_kept_to_the_byte_however_somebody_writes_json(road: Road):
    await road.begin()
    ann = await road.join("ann")
    [offer] = await road.offered(ann)
    said = json.loads(read_request(road.request(ann, [done(offer)]))[0].payload)
    odd = json.dumps(dict(reversed(said.items())), indent=3).encode() + b"\n"
    signed = json.loads(envelope.write(envelope.sign(EXCHANGE, odd, ann.key)))
    ask = json.loads(road.request(ann, serial=ann.serial))["ask"]
    [reply] = await road.send(json.dumps({"ask": ask, "envelope": signed}, indent=2).encode())
    assert isinstance(reply, Reply)
    assert reply.taken == (offer.assignment,)
    kept = envelope.read(await road.value("select body from envelope"))
    assert kept.payload == odd
    envelope.verify(kept, EXCHANGE, bytes(ann.key.verify_key))


async def test_a_heartbeat_leaves_no_evidence_and_neither_does_a_result_that_was_refused(road: Road):
    await road.begin()
    ann, bob = await road.join("ann"), await road.join("bob")
    [offer] = await road.offered(ann)
    reply = await road.exchange(bob, done(offer), done(999))
    assert [refusal.code for refusal in reply.refused] == ["not_yours", "not_found"]
    assert await road.value("select count(*) from envelope") == 0


async def test_the_results_of_one_exchange_stand_each_for_itself(road: Road):
    await road.begin(step={"tasks": 3})
    ann = await road.join("ann")
    first, second, third = await road.offered(ann, room=3)
    await road.exchange(ann, done(second, 1))
    reply = await road.exchange(ann, done(first), done(second, 2), done(third))
    assert reply.taken == (first.assignment, third.assignment)
    assert [(one.assignment, one.code) for one in reply.refused] == [(second.assignment, "wrong_move")]


async def test_what_is_declined_goes_to_another_at_once_and_its_money_back(road: Road):
    number = await road.begin()
    ann, bob = await road.join("ann"), await road.join("bob")
    [offer] = await road.offered(ann)
    assert await road.in_escrow(number) == 99 * OPI
    reply = await road.exchange(ann, Done(offer.assignment, declined="no memory left"))
    assert reply.taken == (offer.assignment,)
    assert await road.in_escrow(number) == 100 * OPI
    assert len(await road.offered(bob)) == 1
    assert await road.in_order()


async def test_a_late_result_counts_while_nobody_has_taken_its_place(road: Road):
    number = await road.begin()
    ann = await road.join("ann")
    [offer] = await road.offered(ann)
    road.later(2 * MINUTE)
    await road.stage("expire")
    assert await road.in_escrow(number) == 100 * OPI
    assert (await road.exchange(ann, done(offer))).taken == (offer.assignment,)
    assert await road.in_escrow(number) == 99 * OPI
    assert await road.offered(await road.join("bob")) == []
    assert await road.in_order()


async def test_a_late_result_is_refused_when_another_has_its_place(road: Road):
    await road.begin()
    ann, bob = await road.join("ann"), await road.join("bob")
    [offer] = await road.offered(ann)
    road.later(2 * MINUTE)
    await road.stage("expire")
    await road.offered(bob)
    reply = await road.exchange(ann, done(offer))
    assert [refusal.code for refusal in reply.refused] == ["lease_over"]
    assert await road.in_order()


async def test_a_late_result_is_refused_while_its_owner_is_at_the_task_again(road: Road):
    await road.begin(step={"answers": 2})
    ann = await road.join("ann")
    [offer] = await road.offered(ann)
    road.later(2 * MINUTE)
    await road.stage("expire")
    [again] = await road.offered(ann)
    assert again.assignment != offer.assignment
    assert [one.code for one in (await road.exchange(ann, done(offer))).refused] == ["lease_over"]
    assert (await road.exchange(ann, done(again))).taken == (again.assignment,)


async def test_a_late_result_is_refused_when_there_is_no_money_left_for_it(road: Road):
    number = await road.begin(budget="2 OPI", step={"tasks": 3})
    ann, bob = await road.join("ann"), await road.join("bob")
    [offer] = await road.offered(ann)
    road.later(2 * MINUTE)
    await road.stage("expire")
    async with road.database.begin() as (tx, _):  # its place is the only one that bob can't have
        await tx.execute("update task set places = 0 where id = (select min(id) from task)")
    assert len(await road.offered(bob, room=2)) == 2
    async with road.database.begin() as (tx, _):
        await tx.execute("update task set places = 1 where id = (select min(id) from task)")
    assert await road.in_escrow(number) == 0
    assert [one.code for one in (await road.exchange(ann, done(offer))).refused] == ["lease_over"]
    assert await road.in_order()


async def test_two_late_results_for_one_place_take_it_once(road: Road):
    await road.begin()
    ann, bob = await road.join("ann"), await road.join("bob")
    [first] = await road.offered(ann)
    road.later(2 * MINUTE)
    await road.stage("expire")
    [second] = await road.offered(bob)
    road.later(2 * MINUTE)
    await road.stage("expire")
    replies = await road.send(road.request(ann, [done(first)]), road.request(bob, [done(second)]))
    taken = [len(reply.taken) for reply in replies if isinstance(reply, Reply)]
    assert sorted(taken) == [0, 1]
    assert await road.in_order()


# The same twice


async def test_an_older_serial_is_refused_and_changes_nothing(road: Road):
    await road.begin()
    ann = await road.join("ann")
    [offer] = await road.offered(ann)
    old = road.request(ann, [done(offer)], serial=1)
    [refused] = await road.send(old)
    assert isinstance(refused, Replayed)
    assert await road.value("select state from assignment") == "offered"


async def test_the_same_envelope_again_gets_the_same_reply_again_and_takes_nothing_twice(road: Road):
    await road.begin(step={"tasks": 5})
    ann, bob = await road.join("ann"), await road.join("bob")
    [mine, declined] = await road.offered(ann, room=2)
    [his] = await road.offered(bob)
    results = [done(mine), done(his), Done(declined.assignment, declined="busy")]
    request = road.request(ann, results, room=2)
    [first] = await road.send(request)
    [second] = await road.send(request)
    assert isinstance(first, Reply)
    assert isinstance(second, Reply)
    assert first.taken == second.taken == (mine.assignment, declined.assignment)
    assert [one.code for one in first.refused] == [one.code for one in second.refused] == ["not_yours"]
    assert {one.assignment for one in first.offers} == {one.assignment for one in second.offers}
    assert len(first.offers) == 2
    assert await road.value("select count(*) from assignment") == 5
    assert await road.value("select count(*) from envelope") == 1
    assert await road.in_order()


async def test_offers_of_a_lost_reply_that_have_lapsed_since_are_not_made_again(road: Road):
    await road.begin()
    ann = await road.join("ann")
    request = road.request(ann, room=1)
    await road.send(request)
    road.later(2 * MINUTE)
    await road.stage("expire")
    [again] = await road.send(request)
    assert isinstance(again, Reply)
    assert again.offers == ()


# The door


async def test_an_exchange_for_another_network_is_refused(road: Road):
    ann = await road.join("ann")
    with pytest.raises(WrongNetwork):
        await road.send(road.request(ann, network="0" * 32))


async def test_an_exchange_of_a_node_that_never_joined_is_refused(road: Road):
    with pytest.raises(UnknownNode):
        await road.send(road.request(Node("stranger")))


async def test_an_exchange_signed_with_another_key_is_refused(road: Road):
    ann = await road.join("ann")
    with pytest.raises(BadSignature):
        await road.send(road.request(ann, key=SigningKey(b"x" * 32)))


async def test_an_ask_that_was_not_signed_is_refused(road: Road):
    ann = await road.join("ann")
    with pytest.raises(BadMessage, match="ask"):
        await road.send(road.request(ann, room=1, ask="0" * 64))


async def test_a_node_that_was_met_is_known_without_asking_the_database(road: Road):
    ann = await road.join("ann")
    door = Door(road.database)
    await door.read(road.request(ann))
    await road.database.close()
    assert (await door.read(road.request(ann))).known.owner == ann.owner
