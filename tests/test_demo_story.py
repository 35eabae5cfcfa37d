"""What the demo looks up in the database: each claim is found to be so where it is, and not where it is not."""

from typing import Any

import pytest
from msgspec.structs import astuple

from optimai.core.money import OPI
from optimai.network.queries import story
from optimai.network.queries.story import Seen
from optimai.network.store.sql import Database
from tests.road import MINUTE, Node, Road, done, later_clean
from tests.test_judge import find_out, liar_and_two

pytestmark = pytest.mark.usefixtures("trial")


@pytest.fixture
def road(database: Database) -> Road:
    return Road(database)


async def seen(road: Road, killed: str = "dan") -> Seen:
    async with road.database.begin() as (tx, _):
        return await story.of(tx, "trials@1", killed)


async def change(road: Road, sql: str, *args: Any) -> None:
    """What no coordinator ever does."""
    async with road.database.begin() as (tx, _):
        await tx.execute(sql, *args)


async def liar(road: Road) -> story.Node:
    return next(one for one in (await seen(road)).nodes if one.name == "dan")


# Who was killed


async def lapse(road: Road) -> None:
    road.later(2 * MINUTE)
    await road.stage("expire")


async def do_all(road: Road, *nodes: Node) -> None:
    for _ in range(3):
        for node in nodes:
            await road.exchange(node, *(done(offer) for offer in await road.offered(node, room=9)))
        await road.stage("judge")


async def test_what_the_killed_node_had_in_hand_is_undone_until_another_has_done_it_and_it_is_judged(
    road: Road,
):
    await road.begin(step={"tasks": 2})
    dan, ann, bob = [await road.join(name) for name in ("dan", "ann", "bob")]
    await road.offered(dan, room=2)
    assert ((await seen(road)).in_hand, (await seen(road)).undone) == (2, 2)
    await lapse(road)
    await road.offered(bob, room=0)
    await road.exchange(ann, *(done(offer) for offer in await road.offered(ann, room=2)))
    assert ((await seen(road)).in_hand, (await seen(road)).undone) == (2, 2)  # nobody has judged it
    await do_all(road, bob, ann)
    assert ((await seen(road)).in_hand, (await seen(road)).undone) == (2, 0)


async def test_that_another_nodes_tasks_were_done_says_nothing_of_the_killed_one(road: Road):
    await road.begin(step={"tasks": 1})
    eve, ann, bob = [await road.join(name) for name in ("eve", "ann", "bob")]
    await road.offered(eve)
    await lapse(road)
    await do_all(road, ann, bob)
    assert (await seen(road, killed="eve")).in_hand == 1
    assert (await seen(road, killed="dan")).in_hand == 0

    await road.submit_more("more", {"tasks": 1})
    dan = await road.join("dan")
    await road.offered(dan)
    await lapse(road)
    assert (await seen(road)).undone == 1
    assert (await seen(road, killed="eve")).undone == 0


async def test_a_task_that_it_let_lapse_while_it_was_there_was_not_in_its_hand(road: Road):
    await road.begin()
    dan = await road.join("dan")
    await road.offered(dan)
    await lapse(road)
    await road.exchange(dan)
    assert (await seen(road)).in_hand == 0


# Early verdicts


async def test_tasks_are_overturned_where_pay_of_one_who_is_suspended_was_pending_and_went_void(road: Road):
    people = await liar_and_two(road, tasks=4)
    assert (await seen(road)).overturned == 0
    await find_out(road, *people)
    assert (await seen(road)).overturned == 4
    await change(road, "update transfer set event = 'return' where event = 'overturn'")
    assert (await seen(road)).overturned == 0


async def test_that_an_amount_of_an_honest_node_changed_overturns_nothing(road: Road):
    await find_out(road, *await liar_and_two(road, tasks=4))
    await change(road, "update conduct set suspended = null")
    assert (await seen(road)).overturned == 0


async def test_what_was_free_before_the_later_verdict_was_not_overturned_in_time(road: Road):
    people = await liar_and_two(road, tasks=1)
    road.later(11 * MINUTE)
    await later_clean(road.database, *people)
    await road.stage("release")
    await find_out(road, *people)
    assert (await seen(road)).overturned == 0


# What a liar has


async def one_free(road: Road, tasks: int = 1) -> None:
    """`dan` was paid for so many tasks, then found out."""
    people = await liar_and_two(road, tasks)
    road.later(11 * MINUTE)
    await later_clean(road.database, *people)
    await road.stage("release")
    road.later(MINUTE)
    await find_out(road, *people)


async def test_what_was_free_before_he_was_found_is_his(road: Road):
    await one_free(road)
    dan = await liar(road)
    assert (dan.suspended, dan.earned, dan.by_answers, dan.undue) == (("trial",), OPI, OPI, 0)


@pytest.mark.parametrize(
    "wrong",
    [
        "update earning set at = suspended + interval '1s' from conduct where conduct.owner = earning.owner "
        "and conduct.role = 'answer' "
        "and earning.state = 'available'",
        "update earning set state = 'pending' where state = 'available'",
    ],
)
async def test_what_was_not_free_yet_when_he_was_found_is_undue(road: Road, wrong: str):
    await one_free(road)
    await change(road, wrong)
    assert (await liar(road)).undue == OPI


async def test_what_an_audit_earned_is_told_from_what_an_answer_did(road: Road):
    await one_free(road)
    await change(road, "update assignment set role = 'audit'")
    assert ((await liar(road)).earned, (await liar(road)).by_answers) == (OPI, 0)


async def test_what_was_kept_in_the_bond_or_taken_for_fines_he_never_had(road: Road):
    await one_free(road)
    await change(road, "update earning set fined = amount / 2, kept = amount / 4 where state = 'available'")
    dan = await liar(road)
    assert (dan.earned, dan.by_answers) == (OPI // 4, OPI // 4)


# Results


async def test_results_are_told_by_their_assignments_and_whether_an_envelope_proves_them(road: Road):
    await road.begin(step={"tasks": 2})
    ann = await road.join("ann")
    first, second = await road.offered(ann, room=2)
    assert (await seen(road)).nodes[0].results == set()
    await road.exchange(ann, done(second))
    there = await seen(road)
    assert (there.nodes[0].results, there.detached) == ({second.assignment}, 0)
    await change(road, "delete from envelope")
    assert (await seen(road)).detached == 1
    assert first.assignment not in (await seen(road)).nodes[0].results


async def test_verdicts_are_counted_and_who_is_simulated_is_known(road: Road):
    people = await liar_and_two(road, tasks=4)
    assert (await seen(road)).verdicts == 4
    await change(road, "update node set simulated = true where name = 'ann'")
    assert {one.name for one in (await seen(road)).nodes if one.simulated} == {people[1].name}


async def test_where_nothing_happened_nothing_is_told(road: Road):
    there = await seen(road)
    assert astuple(there)[1:] == ((), (), 0, 0, 0, 0, 0, 0)
    assert set(there.sums.values()) == {0}
