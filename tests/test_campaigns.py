"""What a campaign promises about its money and its time, on real PostgreSQL."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from optimai.core.errors import BadCampaign, NotAllowed, NotEnough, NotFound, Taken
from optimai.core.ids import CampaignId, OwnerId
from optimai.core.money import OPI
from optimai.core.version import Version
from optimai.network import campaigns
from optimai.network.queries import campaigns as queries
from optimai.network.queries import evidence
from optimai.network.store import reading
from optimai.network.store.sql import Database
from optimai.network.store.tokens import Bearer
from optimai.wire import envelope
from optimai.wire.exchange import Done
from tests.road import MINUTE, REQUESTER, Road, campaign, done

pytestmark = pytest.mark.usefixtures("trial")

UNCHECKED = {"validate": {"audit": "0%"}}


@pytest.fixture
def road(database: Database) -> Road:
    return Road(database)


async def the(road: Road, what: str, number: int = 1) -> Any:
    return await road.value(f"select {what} from campaign where id = $1", number)


async def test_the_budget_leaves_the_account_at_once(road: Road):
    await road.deposit(150 * OPI)
    number = await road.submit(campaign())
    assert await road.balance(f"available:{REQUESTER}") == 50 * OPI
    assert await road.in_escrow(number) == 100 * OPI


async def test_who_has_too_little_is_told_how_much_is_missing_and_nothing_happens(road: Road):
    await road.deposit(99 * OPI)
    with pytest.raises(NotEnough, match=r"The account of requester has 99\.000 OPI and needs 100\.000"):
        await road.submit(campaign())
    assert await road.value("select count(*) from campaign") == 0
    assert await road.balance(f"available:{REQUESTER}") == 99 * OPI


async def test_a_name_is_taken_while_its_campaign_runs(road: Road):
    await road.begin(step={"tasks": 0})
    with pytest.raises(Taken, match="optimai cancel trials"):
        await road.submit(campaign(budget="2 OPI"))
    await road.quiet()
    await road.submit(campaign(budget="2 OPI"))


async def test_the_same_campaign_again_is_the_one_that_runs_and_is_paid_for_once(road: Road):
    number = await road.begin()
    assert await road.submit(campaign()) == number
    assert await road.balance(f"available:{REQUESTER}") == 900 * OPI
    with pytest.raises(Taken):
        async with road.database.begin() as (tx, now):
            await campaigns.submit(tx, now, campaign(), OwnerId("somebody else"))


async def test_a_campaign_that_is_cancelled_pays_what_was_answered_and_returns_the_rest(road: Road):
    await road.begin(step={"tasks": 3} | UNCHECKED)
    ann = await road.join("ann")
    await road.answer(ann)

    async def cancel(owner: OwnerId, scope: str = "campaign") -> None:
        async with road.database.begin() as (tx, now):
            await campaigns.cancel(tx, now, "trials", Bearer(owner, frozenset({scope})))

    with pytest.raises(NotAllowed):
        await cancel(OwnerId("somebody else"))
    await cancel(REQUESTER)
    await cancel(OwnerId("operator"), "admin")
    await road.stage("end")
    assert await road.offered(ann) == []
    await road.quiet()
    road.later(11 * MINUTE)
    await road.quiet()
    assert await the(road, "state") == "cancelled"
    assert await road.balance(f"available:{ann.owner}") == OPI
    assert await road.balance(f"available:{REQUESTER}") == 999 * OPI
    assert await road.value("select count(*) from event where title = 'Cancelled'") == 1
    assert await road.in_order()
    with pytest.raises(NotFound):
        await cancel(REQUESTER)


async def test_the_name_of_a_cancelled_campaign_is_free_at_once_and_both_go_to_their_end(road: Road):
    first = await road.begin(step={"tasks": 2} | UNCHECKED)
    ann = await road.join("ann")
    judged, late = await road.offered(ann, room=2)
    await road.exchange(ann, done(judged))
    await road.quiet()
    await cancel(road)
    second = await road.submit(campaign(budget="2 OPI", step=UNCHECKED))
    assert second != first
    await road.stage("plan")
    with pytest.raises(Taken):
        await road.submit(campaign(budget="3 OPI"))
    assert (await shown(road)).id == second, "a name leads to its last campaign"
    await road.answer(ann)
    await road.quiet()
    assert await the(road, "state", second) == "running", "its pay is not free yet"
    await road.exchange(ann, done(late))
    for _ in range(3):
        road.later(11 * MINUTE)
        await road.quiet()
    assert [await the(road, "state", number) for number in (first, second)] == ["cancelled", "done"]
    assert await road.balance(f"available:{ann.owner}") == 3 * OPI
    assert await road.balance(f"available:{REQUESTER}") == 997 * OPI
    assert await road.in_order()


async def test_a_campaign_whose_time_is_over_and_whose_pay_is_not_free_gives_up_its_name_too(road: Road):
    await road.begin(until="1h", step=UNCHECKED)
    await road.answer(await road.join("ann"))
    road.later(timedelta(hours=1))
    await road.quiet()
    ended = await the(road, "ends")
    with pytest.raises(Taken, match="frees its name at once"):
        await road.submit(campaign(budget="2 OPI"))
    await cancel(road)
    assert await the(road, "ends") == ended, "it was over before"
    await road.submit(campaign(budget="2 OPI"))


async def test_versions_of_campaigns_of_one_name_have_numbers_of_their_own_and_the_last_campaigns_is_the_newest(
    road: Road,
):
    first = await road.begin(step={"tasks": 2} | UNCHECKED)
    ann = await road.join("ann")
    answered, _ = await road.offered(ann, room=2)  # the other holds its end up
    await road.exchange(ann, done(answered))
    await cancel(road)
    await road.stage("end")
    second = await road.submit(campaign(budget="2 OPI", step=UNCHECKED))
    await road.stage("plan")
    await road.answer(ann)
    await road.quiet()
    road.later(2 * MINUTE)  # the lease ends, and with it the first one
    await road.quiet()
    versions = await road.rows("select number, campaign from version order by number")
    assert [(row["number"], row["campaign"]) for row in versions] == [(1, second), (2, first)]
    async with road.database.begin() as (tx, _):
        assert await evidence.newest(tx, "trials") == 1
        [listed] = await reading.datasets(tx, 9)
    assert (listed["number"], listed["versions"]) == (1, 2)


async def test_two_of_one_name_that_are_ready_together_are_published_one_after_the_other(road: Road):
    first = await road.begin(step={"tasks": 0})
    await road.stage("plan", "seal")
    road.later(MINUTE)
    await cancel(road)
    second = await road.submit(campaign(budget="2 OPI", step={"tasks": 0}))
    await road.stage("plan", "seal")
    assert await road.stage("dataset") == 1
    assert await road.stage("dataset") == 1
    versions = await road.rows("select number, campaign from version order by number")
    assert [(row["number"], row["campaign"]) for row in versions] == [(1, first), (2, second)]


async def test_a_campaign_that_is_cut_short_before_it_has_a_row_publishes_nothing_and_ends(road: Road):
    """The newest version of its name stays the one that somebody waited for."""
    await road.begin(step=UNCHECKED)
    await road.answer(await road.join("ann"))
    await road.quiet()
    road.later(11 * MINUTE)
    await road.quiet()
    second = await road.submit(campaign(budget="2 OPI"))
    await road.stage("plan")
    await cancel(road)
    await road.quiet()
    assert await the(road, "state", second) == "cancelled"
    async with road.database.begin() as (tx, _):
        assert await evidence.newest(tx, "trials") == 1
    assert await road.value("select rows from version") == 1
    assert await road.balance(f"available:{REQUESTER}") == 999 * OPI
    assert await road.in_order()


async def test_a_campaign_that_had_no_row_to_publish_is_looked_at_again_when_a_verdict_is_replaced(
    road: Road,
):
    await road.begin(step=UNCHECKED)
    await cancel(road)
    await road.quiet()
    assert await road.value("select count(*) from version") == 0
    async with road.database.begin() as (tx, _):
        await tx.execute("update campaign set state = 'running', overturned = 1")
    assert await road.stage("dataset") == 1
    assert await road.stage("dataset") == 0


async def cancel(road: Road) -> None:
    async with road.database.begin() as (tx, now):
        await campaigns.cancel(tx, now, "trials", Bearer(REQUESTER, frozenset()))


async def shown(road: Road) -> queries.Campaign:
    async with road.database.begin() as (tx, now):
        return await queries.named(tx, now, "trials")


LABEL = {"kind": "label", "question": "Which?", "choices": ["a", "b"], "price": "1/answer"}


@pytest.mark.parametrize(
    ("raw", "where"),
    [
        ({"step": {"kind": "nothing.there"}}, "steps.tried.kind"),
        ({"step": {"price": "1/page"}}, "steps.tried.price"),
        ({"step": {"judge": "unheard of"}}, "steps.tried.judge"),
        ({"step": {"tasks": "many"}}, "steps.tried.tasks"),
        ({"step": {"kind": "word_count", "column": "txt"}}, "steps.tried: nothing has no column"),
        ({"step": LABEL}, "steps.tried: label asks people"),
    ],
)
async def test_what_only_a_kind_knows_is_checked_before_any_money_moves(
    road: Road, raw: dict[str, Any], where: str
):
    await road.deposit()
    with pytest.raises(BadCampaign, match=f"^{where}"):
        await road.submit(campaign(**raw))
    assert await road.balance(f"available:{REQUESTER}") == 1_000 * OPI


@pytest.mark.parametrize(
    ("steps", "dataset", "said"),
    [
        (
            {"tried": "nothing", "kept": "tried"},
            "kept",
            r"dataset\.from: kept .* no rows\. Name one that does: tried",
        ),
        (
            {"kept": "nothing"},
            "kept",
            r"dataset\.from: kept is of the kind hold, which gives no rows\. Add a step",
        ),
        ({"tried": "nothing", "kept": "tried", "again": "kept"}, "tried", r"steps\.again\.from: kept "),
    ],
)
async def test_of_a_step_that_gives_no_rows_nothing_can_be_made(
    road: Road, steps: dict[str, str], dataset: str, said: str
):
    await road.deposit()
    kinds = {"tried": {"kind": "trial"}}
    written = {
        name: kinds.get(name, {"kind": "hold", "for": "1h"}) | {"from": of} for name, of in steps.items()
    }
    with pytest.raises(BadCampaign, match=f"^{said}"):
        await road.submit(campaign() | {"steps": written, "dataset": {"from": dataset}})


async def test_an_input_may_say_anything_but_not_what_a_row_is_called(road: Road):
    await road.deposit()
    with pytest.raises(BadCampaign, match=r"^inputs\.nothing: '_row' begins with _"):
        await road.submit(campaign(inputs={"nothing": [{"_row": "mine"}]}))
    odd = {"text": 'a " \\ \u0000 \n 🌱', "größe": 9_007_199_254_740_993, "yes": True}
    await road.submit(campaign(inputs={"nothing": [odd]}))
    await road.stage("epoch", "plan")
    assert await road.stage("dataset") == 0


# The end


async def test_what_was_not_spent_returns_to_the_last_nano(road: Road):
    await road.begin(budget="7.000000123 OPI", step={"tasks": 2, "price": "1.000000001/row"} | UNCHECKED)
    ann = await road.join("ann")
    for offer in await road.offered(ann, room=2):
        await road.exchange(ann, done(offer))
    await road.quiet()
    assert await the(road, "state") == "running"
    road.later(11 * MINUTE)
    await road.quiet()
    assert await the(road, "state") == "done"
    paid = 2 * (OPI + 1)
    assert await road.balance(f"available:{ann.owner}") == paid
    assert await road.balance(f"available:{REQUESTER}") == 1_000 * OPI - paid
    assert await road.in_order()


async def test_a_campaign_that_needs_nothing_ends_at_once_with_an_empty_dataset(road: Road):
    await road.begin(step={"tasks": 0})
    await road.quiet()
    assert await the(road, "state") == "done"
    assert await road.value("select rows from version") == 0
    assert await road.balance(f"available:{REQUESTER}") == 1_000 * OPI


async def test_unpaid_work_is_published_before_its_campaign_ends(road: Road):
    await road.begin(step={"price": None} | UNCHECKED)
    await road.answer(await road.join("ann"))
    for name in ("judge", "end", "settle", "end", "publish", "end", "seal", "end"):
        await road.stage(name)
        assert await the(road, "state") == "running"
    await road.stage("dataset", "end")
    assert await the(road, "state") == "done"
    assert await road.value("select rows from version") == 1


async def test_when_its_time_is_over_nothing_more_is_offered_and_what_was_answered_is_judged_paid_and_published(
    road: Road,
):
    await road.begin(until="1h", step={"tasks": 4, "answers": 2} | UNCHECKED)
    ann, bob, cid = [await road.join(name) for name in ("ann", "bob", "cid")]
    first, second, third = await road.offered(ann, room=3)
    await road.exchange(ann, done(first), done(second))
    [his] = await road.offered(bob)
    await road.exchange(bob, done(his))
    road.later(timedelta(hours=1))
    await road.quiet()
    assert await road.offered(cid, room=9) == []
    states = [row["state"] for row in await road.rows("select state from task order by id")]
    assert states == ["closed", "closed", "parked", "parked"]
    assert await road.balance(f"pending:{ann.owner}") == 2 * OPI
    assert await road.balance(f"pending:{bob.owner}") == OPI

    road.later(11 * MINUTE)
    await road.quiet()
    assert await the(road, "state") == "cancelled"
    [version] = await road.rows("select manifest from version")
    assert msgspec.json.decode(envelope.read(version["manifest"]).payload, type=Version).rows == 2
    assert await road.balance(f"available:{REQUESTER}") == 997 * OPI
    assert await road.in_order()
    assert third.assignment  # it never came back


async def test_a_try_that_is_out_when_the_time_is_over_may_still_come_in(road: Road):
    await road.begin(until="1h", step=UNCHECKED)
    ann = await road.join("ann")
    road.later(timedelta(minutes=59, seconds=30))
    [offer] = await road.offered(ann)
    road.later(MINUTE / 2)
    await road.quiet()
    assert (await road.exchange(ann, done(offer))).taken == (offer.assignment,)
    await road.quiet()
    assert await road.balance(f"pending:{ann.owner}") == OPI


async def test_an_audit_that_did_not_come_in_time_is_done_without(road: Road):
    await road.begin(until="1h", step={"audited": True})
    ann, bob = await road.join("ann"), await road.join("bob")
    await road.offered(bob, room=0)
    await road.answer(ann)
    await road.stage("judge")
    [audit] = await road.offered(bob)
    assert audit.role == "audit"
    await road.exchange(bob, Done(audit.assignment, declined="no"))
    road.later(timedelta(hours=1))
    await road.offered(bob, room=0)
    await road.quiet()
    assert await road.balance(f"pending:{ann.owner}") == OPI


async def test_the_money_of_a_parked_task_returns_at_once_with_its_reason(
    road: Road, caplog: pytest.LogCaptureFixture
):
    await road.begin(step={"tasks": 3, "judge": "raises"} | UNCHECKED)
    ann = await road.join("ann")
    await road.exchange(ann, *(done(offer) for offer in await road.offered(ann, room=2)))
    assert await road.balance("reserved:1") == 2 * OPI
    await road.stage("judge", "settle")
    assert await the(road, "state") == "running"
    assert await road.balance("reserved:1") == 0
    assert await road.in_escrow(CampaignId(1)) == 100 * OPI
    lines = await road.rows("select state, amount, reason from earning")
    assert {(row["state"], row["amount"]) for row in lines} == {("void", 0)}
    assert {row["reason"] for row in lines} == {
        "its judge broke, or its kind was changed, so the task was never judged"
    }
    assert await road.in_order()


async def test_a_campaign_ends_though_a_judge_broke(road: Road, caplog: pytest.LogCaptureFixture):
    await road.begin(step={"tasks": 2, "judge": "raises"} | UNCHECKED)
    ann = await road.join("ann")
    await road.exchange(ann, *(done(offer) for offer in await road.offered(ann, room=2)))
    await road.quiet()
    assert await the(road, "state") == "done"
    assert await road.balance(f"available:{REQUESTER}") == 1_000 * OPI


async def test_a_cards_rows_are_those_that_stand_and_its_steps_those_that_it_was_made_of(road: Road):
    raw = campaign(step={"tasks": 3} | UNCHECKED)
    raw["steps"]["counted"] = {"kind": "word_count", "from": "tried"}
    await road.begin(raw)
    ann, bob = await road.join("ann"), await road.join("bob")
    await road.exchange(ann, *(done(offer, 666) for offer in await road.offered(ann, room=3)))
    await road.stage("judge", "settle")
    road.later(MINUTE)
    await road.quiet()
    assert await card(road, 1) == (3, [("tried", 3)])

    async with road.database.begin() as (tx, _):  # one of them is judged again, and bob knows better
        await tx.execute("update task set state = 'open', again = true, places = 1 where id = 1")
        await tx.execute(
            "update conduct set suspended = $2, state = 'suspended' where owner = $1", ann.owner, road.now
        )
    await road.exchange(bob, *(done(offer, 7) for offer in await road.offered(bob)))
    await road.stage("judge", "settle")
    road.later(MINUTE)
    await road.quiet()
    assert (
        await road.value("select sum(rows) from shard join step on step.id = step where name = 'tried'") == 4
    )
    assert await card(road, 2) == (3, [("tried", 3)])


async def card(road: Road, number: int) -> tuple[int, list[tuple[str, int]]]:
    """Rows of a version, and of each step that it says it was made of."""
    manifest = await road.value("select manifest from version where number = $1", number)
    said = msgspec.json.decode(envelope.read(manifest).payload, type=Version).card
    return said["rows"], [(step["name"], step["rows"]) for step in said["steps"]]


async def test_a_plan_that_raises_ends_its_step_and_says_why_and_the_others_go_on(
    road: Road, caplog: pytest.LogCaptureFixture
):
    await road.begin(step={"plan": "raises"})
    await road.submit_more("sound", {"tasks": 2})
    await road.quiet()
    assert await road.value("select state from campaign where name = 'trials'") == "done"
    assert await road.value("select count(*) from task") == 2
    [told] = await road.rows("select title, why from event where tone = 'bad'")
    assert told["title"] == "The plan of trials/tried broke"
    assert "this plan never works" in told["why"]
