"""What the API and the web read, held against a town in virtual time."""

from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import NamedTuple

import msgspec
import pytest
import pytest_asyncio

from optimai.client.estimate import estimate
from optimai.core.campaign import parse
from optimai.core.clock import Instant
from optimai.core.errors import BadValue, NotFound, Private
from optimai.core.ids import EarningId
from optimai.core.money import OPI, Nano
from optimai.kinds.kit import Refused
from optimai.network import accounts
from optimai.network.campaigns import submit
from optimai.network.queries import (
    Database,
    campaigns,
    datasets,
    earnings,
    health,
    ledger,
    look,
    nodes,
    trace,
    workers,
)
from optimai.network.queries.campaigns import Campaign
from optimai.network.queries.steps import Step
from optimai.network.queries.workers import Worker
from optimai.sim.doing import Doing
from optimai.sim.world import World
from tests import town
from tests.road import Road
from tests.town import fresh

pytestmark = pytest.mark.asyncio(loop_scope="module")


MOMENTS = (0, 0.3, 0.6, 1, 1.5, 2, 3, 5, 15, 21, 24, 31, 60, 110)  # minutes


class Story(NamedTuple):
    """The town's whole life, and what its campaign looked like at each of MOMENTS."""

    database: Database
    world: World
    at: dict[float, Campaign]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def story(server: str) -> AsyncIterator[Story]:
    async with fresh(server) as database:
        world = await town.settle(database)
        at = {}
        for minutes in MOMENTS:
            await town.live(world, minutes)
            at[minutes] = await seen(database)
        yield Story(database, world, at)


async def seen(database: Database) -> Campaign:
    async with look(database) as (tx, now):
        return await campaigns.named(tx, now, "plants")


def step(campaign: Campaign, name: str) -> Step:
    return next(one for one in campaign.steps if one.name == name)


def worker(campaign: Campaign, name: str) -> Worker:
    return next(one for one in campaign.workers if one.name == name)


async def test_every_coin_of_the_budget_is_in_exactly_one_place_at_every_moment(story: Story):
    places = ("available", "pending", "reserved", "escrow", "returned")
    for money in (campaign.money for campaign in story.at.values()):
        assert sum(getattr(money, place) for place in places) == money.budget
        assert money.spent == money.available + money.pending
    assert all(any(getattr(one.money, place) for one in story.at.values()) for place in places)


async def test_a_step_flows_waits_for_something_or_is_sealed(story: Story):
    begin, middle, end = story.at[0], story.at[1.5], story.at[110]
    assert step(begin, "texts").state == "sealed"
    assert step(begin, "topic").waits_for == "a node that can do label"
    assert step(begin, "length").waits_for == "rows of topic"

    topic = step(middle, "topic")
    assert (topic.state, topic.waits_for, topic.wanted) == ("flows", "", 120)
    assert 0 < topic.done < 120
    assert topic.per_second > 0
    assert topic.in_hand > 0
    assert middle.time_left == timedelta(seconds=(120 - topic.done) / topic.per_second)

    assert end.state == "done"
    assert [one.state for one in end.steps] == ["sealed"] * 4
    assert [one.rows for one in end.steps] == [120, 120, 120, 0]
    assert end.time_left is None
    assert end.version is not None
    assert end.version.rows == 120


class Undone(Exception):
    pass


async def test_rows_of_a_sealed_step_are_those_of_its_version_whatever_was_published_twice(story: Story):
    with suppress(Undone):
        async with story.database.begin() as (tx, now):
            await tx.execute(
                """
                insert into shard (step, blob, rows, bytes, sealed)
                select step, blob, rows, bytes, sealed from shard where rows > 0
                """
            )
            found = await campaigns.named(tx, now, "plants")
            raise Undone
    assert [one.rows for one in found.steps] == [120, 120, 120, 0]


async def test_the_series_holds_every_unit_that_is_believed(story: Story):
    for one in story.at[15].steps:
        assert len(one.series) == 40
        assert sum(one.series) == one.done


@pytest.mark.usefixtures("trial")
async def test_a_step_whose_only_nodes_are_paused_says_that_they_are_here(server: str):
    async with fresh(server) as database:
        road = Road(database)
        await road.begin()
        ann, bob = await road.join("ann"), await road.join("bob")
        said = [await waits(road)]
        await road.exchange(ann, kinds=())  # as one does that is paused
        await road.exchange(bob, kinds=())
        said.append(await waits(road))
        async with look(database) as (tx, now):
            assert [(one.asked, one.kinds) for one in await nodes.listed(tx, now)] == [(True, ())] * 2
        await road.exchange(ann)
        assert [*said, await waits(road)] == [
            "a node that can do trial",
            "a node that can do trial now: 2 are here and taking nothing, paused or with other code",
            "a node to ask for work",
        ]


async def waits(road: Road) -> str:
    async with look(road.database) as (tx, now):
        return (await campaigns.named(tx, now, "trials")).steps[-1].waits_for


async def test_a_step_that_its_escrow_cannot_pay_says_so(server: str):
    async with fresh(server) as database:
        world = await town.settle(database)
        async with database.begin() as (tx, _):
            await tx.execute("update step set price = 100 * price where name = 'topic'")
        await town.live(world, 1)
        for node in world.nodes:
            world.crash(node)
        await town.live(world, 2)
        async with database.begin() as (tx, _):
            await tx.execute("update account set balance = 0 where name = 'escrow:1'")
            await tx.execute("update assignment set state = 'lapsed' where state = 'offered'")
            await tx.execute("update task set places = 1 where state = 'open'")
        said = step(await seen(database), "topic").waits_for
        assert said == "money: the next task may cost 2.000 OPI, and escrow has 0.000"


async def test_what_was_refused_or_overturned_says_whose_it_was_and_where_its_money_went(story: Story):
    found = story.at[3]
    dans = [one for one in found.checks if one.name == "dan"]
    assert {(one.what, one.unit, one.step) for one in dans} == {("refused", "row", "length")}
    assert all((one.returned, one.paid) == (one.units * 1_000_000, 0) for one in dans)
    assert all(one.units > 0 for one in dans)
    [overturned] = [one for one in found.checks if one.what == "overturned"]
    assert overturned.name == "fay"
    assert overturned.units > 0
    assert "too many known answers" in overturned.why
    prices = {"topic": 4_000_000, "length": 1_000_000, "kept": 5_000_000}
    for one in found.checks:
        if one.what in ("refused", "overturned"):
            assert one.returned + one.paid == one.units * prices[one.step], "the money is that of these units"
    moved = "select sum((entry.value)::bigint)::bigint from transfer, jsonb_each_text(entries) as entry"
    async with look(story.database) as (tx, _):
        sums = await tx.fetchval(f"{moved} where event = 'overturn' and entry.key like 'escrow:%'")
    assert overturned.returned == sums, "and the ledger says the same"
    told = [one.title for one in found.checks if one.what == "told"]
    assert "Suspended fay for label" in told
    assert "Suspended dan for word_count" in told
    assert list(found.checks) == sorted(found.checks, key=lambda one: one.at, reverse=True)


async def test_a_place_that_somebody_left_says_whether_others_have_done_the_task(story: Story):
    [lapsed] = [one for one in story.at[5].checks if one.what == "lapsed"]
    assert (lapsed.name, lapsed.step, lapsed.units, lapsed.done) == ("cid", "length", 1, 1)


async def test_simulated_people_without_trouble_are_one_line_and_liars_stand_by_name(story: Story):
    found = story.at[3]
    people = worker(found, "6 people")
    assert (people.count, people.node, people.simulated) == (6, None, True)
    assert people.available + people.pending > 0
    fay, dan = worker(found, "fay"), worker(found, "dan")
    assert [one.kind for one in (*fay.suspended, *dan.suspended)] == ["label", "word_count"]
    assert (fay.available + fay.pending, dan.available + dan.pending) == (0, 0)
    assert fay.zero_why
    assert dan.quality == 0


async def test_what_workers_have_earned_is_what_the_campaign_has_spent(story: Story):
    for found in story.at.values():
        assert sum(one.available for one in found.workers) == found.money.available
        assert sum(one.pending for one in found.workers) == found.money.pending


async def test_of_a_campaign_that_was_tried_to_its_end_an_estimate_says_what_it_has_cost(story: Story):
    steps = msgspec.to_builtins(story.at[110].steps)
    took = dict.fromkeys(("topic", "length", "kept"), 1.0)
    topic, length, _ = estimate(parse(town.campaign(120, {})), steps, took)
    async with look(story.database) as (tx, _):
        paid = await tx.fetch(
            """
            select name, sum(pending + available)::bigint as cost, sum(held)::bigint as held
              from tally join step on step.id = tally.step group by name
            """
        )
    cost = {one["name"]: one["cost"] for one in paid}
    assert topic.least == topic.most > 3 * 120
    assert (topic.cost_least, topic.cost_most) == (cost["topic"], cost["topic"])
    assert length.cost_least == cost["length"]
    assert (topic.rows, length.rows) == (120, 120)


async def test_a_newcomer_of_a_kind_that_is_done_twice_is_on_probation(story: Story):
    found = story.at[1.5]
    machines = [one for one in found.workers if one.hands == "machine" and not one.suspended]
    assert {kind for one in machines for kind in one.probation} == {"word_count"}
    assert worker(found, "6 people").probation == ()


async def test_who_has_nobody_to_check_him_in_a_private_network_is_not_said_to_be_checked(server: str):
    async with fresh(server) as database:
        world = World(database, town.START)
        ann = await world.join("ann", town.Machine())
        await world.run(to=Instant(world.now + timedelta(minutes=1)))
        async with look(database) as (tx, now):
            assert await workers.alone(tx, now, {"word_count"}, {ann.owner}) == {(ann.owner, "word_count")}
        bob = await world.join("bob", town.Machine())
        await world.run(to=Instant(world.now + timedelta(minutes=1)))
        async with look(database) as (tx, now):
            assert await workers.alone(tx, now, {"word_count"}, {ann.owner, bob.owner}) == set()


async def test_each_zero_in_somebodys_pay_has_its_reason(story: Story):
    zeros = 0
    for node in story.world.nodes:
        async with look(story.database) as (tx, _):
            lines = await earnings.of(tx, node.owner, EarningId(0))
            rest = await earnings.of(tx, node.owner, lines[0].id)
        assert rest == lines[1:]
        for line in lines:
            if line.amount == 0:
                zeros += 1
                assert line.state == "void"
                assert line.reason
            elif line.state != "reserved":
                assert line.amount == line.held * line.price
    assert zeros


async def test_a_node_is_found_by_name_and_by_id_with_its_last_lines(story: Story):
    dan = next(node for node in story.world.nodes if node.name == "dan")
    async with look(story.database) as (tx, now):
        by_name, by_id = await nodes.named(tx, now, "dan"), await nodes.named(tx, now, dan.id)
        listed = await nodes.listed(tx, now)
        with pytest.raises(NotFound):
            await nodes.named(tx, now, "nobody")
    assert by_name == by_id
    assert by_name.node.trust[0].suspended
    assert {line.amount for line in by_name.lines} == {0}
    assert {node.name for node in listed} == {node.name for node in story.world.nodes}
    assert [node.alive for node in listed] == sorted((node.alive for node in listed), reverse=True)


async def test_a_version_shows_its_card_its_signature_and_its_first_rows(story: Story):
    async with look(story.database) as (tx, _):
        [summary] = await datasets.listed(tx)
        shown = await datasets.version(tx, "plants", 1)
        with pytest.raises(NotFound):
            await datasets.version(tx, "plants", 2)
    assert (summary.name, summary.number, summary.rows, summary.license) == ("plants", 1, 120, "CC-BY-4.0")
    assert summary.bytes == sum(part.bytes for part in shown.version.parts)
    assert shown.keyid == story.database.network.id
    assert len(shown.first) == datasets.FIRST
    assert {"_row", "label", "text", "url"} <= shown.first[0].keys()


async def test_rows_of_a_private_dataset_are_shown_to_nobody(server: str):
    async with fresh(server) as database:
        world = await town.settle(database, terms={"visibility": "private"})
        await town.live(world, 5)
        async with look(database) as (tx, _):
            shown = await datasets.version(tx, "plants", 1)
            assert (shown.private, shown.first) == (True, ())
            with pytest.raises(Private):
                await trace.row(tx, "plants", 1, "0")


async def all_rows(database: Database) -> Sequence[str]:
    async with look(database) as (tx, _):
        return [row["_row"] for row in (await datasets.version(tx, "plants", 1)).first]


async def test_a_row_is_traced_to_signed_results_their_verdict_and_their_pay(story: Story):
    name = (await all_rows(story.database))[0]
    async with look(story.database) as (tx, _):
        found = await trace.row(tx, "plants", 1, name)
        body = await tx.fetchval(
            "select body from envelope where id = $1", found.hops[0].made.results[0].envelope
        )
    row, given = found.hops
    assert (row.row, row.step, row.kind) == (name, "topic", "label")
    assert (given.step, given.kind, given.made) == ("texts", None, None)
    assert row.made_of == (given.row,)
    assert row.values["text"] == given.values["text"]
    assert row.made is not None
    assert row.made.stands
    assert len(row.made.results) >= 3
    said = [one.said["choice"] for one in row.made.results if one.trusted]
    assert said.count(row.values["label"]) == row.values["votes"]
    assert len(said) == row.values["of"]
    assert all(one.said.keys() == {"choice"} for one in row.made.results)
    for one in row.made.results:
        assert one.keyid == one.node
        assert [pay.amount for pay in one.pay if pay.state != "void"] == [one.held * one.price] * bool(
            one.held
        )
    assert row.made.results[0].keyid.encode() in body


async def test_a_row_is_named_by_any_beginning_that_no_other_has(story: Story):
    first, *_ = rows = await all_rows(story.database)
    length = next(n for n in range(1, 32) if sum(row.startswith(first[:n]) for row in rows) == 1) + 4
    async with look(story.database) as (tx, _):
        assert (await trace.row(tx, "plants", 1, first[:length])).hops[0].row == first
        with pytest.raises(BadValue, match=r"exactly one row's name. Write it like this: [0-9a-f]{32}"):
            await trace.row(tx, "plants", 1, "")
        with pytest.raises(NotFound):
            await trace.row(tx, "plants", 1, "not a row")


async def test_a_dataset_without_rows_says_which_step_made_none_and_what_was_told_of_it(server: str):
    raw = {
        "campaign": "nothing",
        "budget": "1 OPI",
        "inputs": {"seeds": ["http://plants.example/", "http://moss.example/"]},
        "steps": {
            "pages": {"kind": "crawl", "from": "seeds", "max": 10, "price": "0.001/page"},
            "text": {"kind": "clean.text", "from": "pages", "price": "0.001/row"},
        },
        "dataset": {"from": "text"},
    }
    async with fresh(server) as database:
        world = World(database, town.START)
        async with database.begin() as (tx, now):
            await accounts.deposit(tx, town.REQUESTER, Nano(OPI), "all", now)
            await submit(tx, now, raw, town.REQUESTER)
        await world.join("ann", Doing("crawl", "clean.text", web=lambda url: Refused("private")))
        await world.run(to=Instant(town.START + timedelta(hours=1)))
        async with look(database) as (tx, now):
            found = await campaigns.named(tx, now, "nothing")
    assert (found.state, found.version.rows if found.version else None) == ("done", 0)
    assert found.no_rows == "pages: 1 of 1 pages without an answer that counts: 1 at a private address."


async def test_a_step_that_no_node_here_has_the_engine_for_says_so_as_soon_as_it_stands_still(server: str):
    raw = {
        "campaign": "texts",
        "budget": "1 OPI",
        "inputs": {"texts": [{"text": "one"}, {"text": "two"}]},
        "steps": {"unique": {"kind": "dedup", "from": "texts"}},
        "dataset": {"from": "unique"},
    }
    async with fresh(server) as database:
        world = World(database, town.START)
        async with database.begin() as (tx, now):
            await accounts.deposit(tx, town.REQUESTER, Nano(OPI), "all", now)
            await submit(tx, now, raw, town.REQUESTER)
        await world.join("ann", Doing("dedup", engine=False))
        await world.run(to=Instant(town.START + timedelta(seconds=20)))
        async with look(database) as (tx, now):
            unique = step(await campaigns.named(tx, now, "texts"), "unique")
    assert unique.per_second > 0
    assert (unique.state, unique.closed, unique.in_hand) == ("waits", 1, 0)
    assert unique.waits_for == "a node with the engine for dedup (pip install '.[engine]')"


async def test_a_dataset_with_rows_does_not_say_why_it_has_none(story: Story):
    assert {found.no_rows for found in story.at.values()} == {""}


async def test_the_ledger_is_in_balance_and_each_closed_epoch_has_its_head(story: Story):
    async with look(story.database) as (tx, now):
        balance = await ledger.balance(tx)
        running, *closed = await ledger.epochs(tx)
        alive = await health.health(tx, now)
    assert balance.sum == 0
    assert balance.accounts[0].sort == "outside"
    assert balance.accounts[0].balance == -50_000_000_000
    assert (running.number, running.closed, running.head) == (8, None, "")
    assert alive.epoch == running.number
    assert [one.number for one in closed] == [7, 6, 5, 4, 3, 2, 1]
    assert all(len(one.head) == len(one.bundle) == 64 for one in closed)
    assert {one.keyid for one in closed} == {story.database.network.id}
    assert closed[0].link == balance.link


async def test_epochs_in_a_row_in_which_nothing_happened_are_one_line(server: str):
    async with fresh(server) as database:
        world = await town.settle(database, rows=20)
        await town.live(world, 300)
        async with look(database) as (tx, _):
            running, idle, *busy = await ledger.epochs(tx)
    assert running.first == running.number == idle.number + 1
    assert (idle.verdicts, len(idle.head)) == (0, 64)
    assert idle.number - idle.first > 5
    assert [one.number for one in busy] == list(range(idle.first - 1, 0, -1))
    assert busy[0].closed == idle.opened


async def test_the_list_of_campaigns_says_what_each_has_spent_and_made(story: Story):
    async with look(story.database) as (tx, _):
        [one] = await campaigns.listed(tx)
    assert (one.name, one.state, one.version, one.rows, one.steps) == ("plants", "done", 1, 120, 3)
    assert one.spent == story.at[110].money.spent


async def test_an_empty_network_has_nothing_to_tell_and_says_so(server: str):
    async with fresh(server) as database, look(database) as (tx, now):
        assert await campaigns.listed(tx) == await nodes.listed(tx, now) == await datasets.listed(tx) == ()
        assert (await ledger.balance(tx)).sum == 0
        assert (await health.health(tx, now)).epoch is None
        with pytest.raises(NotFound):
            await campaigns.named(tx, now, "plants")


async def test_what_a_query_returns_goes_over_the_wire_as_it_is(story: Story):
    found = story.at[3]
    assert msgspec.json.decode(msgspec.json.encode(found), type=Campaign) == found
