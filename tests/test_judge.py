"""The judge's promises, on real PostgreSQL: who is checked, what a lie costs, what a broken case stops."""

from collections.abc import Sequence
from datetime import timedelta

import msgspec
import pytest
from msgspec import Raw
from msgspec.structs import replace

from optimai.core import rows
from optimai.core.assignment import Role
from optimai.core.conduct import Conduct, State
from optimai.core.money import OPI
from optimai.core.rows import row_id
from optimai.core.version import Version
from optimai.kinds.contract import Shard
from optimai.kinds.ruling import Record
from optimai.network import shards
from optimai.network.queries import campaigns as queries
from optimai.network.queries import nodes
from optimai.network.store import conducts
from optimai.network.store.sql import Database
from optimai.wire import envelope
from optimai.wire.exchange import Done
from tests.road import MINUTE, Node, Road, campaign, done, later_clean, stand

pytestmark = pytest.mark.usefixtures("trial")


@pytest.fixture
def road(database: Database) -> Road:
    return Road(database)


async def verdicts(road: Road) -> list[Record]:
    found = await road.rows("select body from verdict order by id")
    return [msgspec.json.decode(row["body"], type=Record) for row in found]


async def trust(road: Road, *nodes: Node) -> None:
    """Their probation is over."""
    await stand(road.database, *nodes)


async def states(road: Road) -> list[str]:
    return [row["state"] for row in await road.rows("select state from assignment order by id")]


async def tasks(road: Road) -> list[tuple[str, int, str]]:
    found = await road.rows("select state, places, role from task order by id")
    return [(row["state"], row["places"], row["role"]) for row in found]


# Audits


async def test_the_first_units_of_everybody_are_checked_by_another_owner(road: Road):
    await road.begin()
    ann, bob = await road.join("ann"), await road.join("bob")
    await road.offered(bob, room=0)
    await road.answer(ann)
    await road.stage("judge")
    assert await tasks(road) == [("open", 1, "audit")]
    assert await road.offered(ann) == []
    await road.answer(bob)
    await road.stage("judge")
    [record] = await verdicts(road)
    assert (record.draw.audit, record.draw.why) == (True, "probation")
    assert [one.role for one in record.asked.given] == ["answer", "audit"]
    assert [(one.units, one.checked, one.faults) for one in record.ruled.found] == [(1, 1, 0)] * 2


async def test_later_only_a_share_is_checked_that_the_epochs_secret_seed_draws(road: Road):
    await road.begin(step={"tasks": 64, "validate": {"audit": "25%"}})
    ann, bob = await road.join("ann"), await road.join("bob")
    await trust(road, ann, bob)
    await road.offered(bob, room=0)
    offers = await road.offered(ann, room=64)
    await road.exchange(ann, *(done(offer) for offer in offers))
    await road.stage("judge")
    audits = [role for state, _, role in await tasks(road) if state == "open"]
    assert set(audits) == {"audit"}
    assert 4 <= len(audits) <= 32
    assert {record.draw.why for record in await verdicts(road)} == {"chance"}


async def test_what_a_plan_wants_audited_always_is(road: Road):
    await road.begin(step={"audited": True})
    ann, bob = await road.join("ann"), await road.join("bob")
    await trust(road, ann, bob)
    await road.offered(bob, room=0)
    await road.answer(ann)
    await road.stage("judge")
    assert await tasks(road) == [("open", 1, "audit")]


async def test_a_private_network_waives_the_audit_that_nobody_else_can_do_and_says_so(road: Road):
    await road.begin()
    await road.answer(await road.join("ann"))
    await road.quiet()
    [record] = await verdicts(road)
    assert record.draw.why == "nobody else"
    assert record.ruled.reason == "checked by nobody else"
    [version] = await road.rows("select manifest from version")
    card = msgspec.json.decode(envelope.read(version["manifest"]).payload, type=Version).card
    assert card["checked_by_nobody_else"] == ["tried"]
    assert card["steps"][0]["waived"] == 1


async def test_an_audit_that_nobody_takes_is_waived_after_a_while_but_not_while_somebody_could(road: Road):
    await road.begin()
    ann, bob = await road.join("ann"), await road.join("bob")
    await road.offered(bob, room=0)
    await road.answer(ann)
    await road.stage("judge")
    road.later(1.5 * MINUTE)
    assert await road.stage("judge") == 0
    road.later(3 * MINUTE)  # nobody has heard of bob for longer than that
    assert await road.stage("judge") == 1
    [record] = await verdicts(road)
    assert record.draw.audit
    assert record.asked.last
    assert await road.value("select count(*) from assignment where role = 'audit'") == 0


async def test_a_public_network_waives_nothing(road: Road):
    road.database.network = replace(road.database.network, private=False)
    await road.begin()
    await road.answer(await road.join("ann"))
    road.later(timedelta(days=1))
    await road.stage("judge")
    assert await tasks(road) == [("open", 1, "audit")]
    assert await verdicts(road) == []


async def test_cases_in_which_somebody_will_come_do_not_keep_the_judge_from_those_behind_them(road: Road):
    await road.begin(budget="1000 OPI", step={"tasks": 250, "audited": True})
    ann, bob = await road.join("ann"), await road.join("bob")
    await road.offered(bob, room=0)
    for _ in range(4):
        offers = await road.offered(ann, room=64)
        await road.exchange(ann, *(done(offer) for offer in offers))
    await road.stage("judge", "judge")
    for _ in range(3):
        road.later(MINUTE)
        await road.offered(bob, room=0)
        assert await road.stage("judge") == 0
    last = await road.value("select max(id) from task")
    async with road.database.begin() as (tx, _):
        await tx.execute("update task set places = 0 where id = $1", last)
    assert await road.stage("judge") == 1
    assert await road.value("select state from task where id = $1", last) == "closed"


# Trust


async def liar_and_two(road: Road, tasks: int) -> tuple[Node, Node, Node]:
    """`dan` lies about all of them; on all but the first three nobody looks before he is found out."""
    await road.begin(step={"tasks": tasks, "validate": {"audit": "0%"}})
    dan, ann, bob = [await road.join(name) for name in ("dan", "ann", "bob")]
    await trust(road, ann, bob)
    await stand(road.database, dan, checked=20)
    offers = await road.offered(dan, room=tasks)
    await road.exchange(dan, *(done(offer, 666) for offer in offers))
    await road.stage("judge", "settle")
    return dan, ann, bob


async def find_out(road: Road, dan: Node, ann: Node, bob: Node) -> None:
    """Three tasks of his that are checked, and found wrong."""
    await road.submit_more("later", {"tasks": 3, "audited": True})
    offers = await road.offered(dan, room=3)
    await road.exchange(dan, *(done(offer, 666) for offer in offers))
    await road.offered(ann, room=0)
    await road.offered(bob, room=0)
    for _ in range(4):
        await road.stage("judge")
        for honest in (ann, bob):
            offers = await road.offered(honest, room=64)
            await road.exchange(honest, *(done(offer, 7) for offer in offers))
    await road.stage("judge", "settle")


async def test_who_lies_is_suspended_and_his_early_verdicts_are_overturned_before_they_are_paid(road: Road):
    dan, ann, bob = await liar_and_two(road, tasks=4)
    assert await road.balance(f"pending:{dan.owner}") == 4 * OPI
    road.later(31 * timedelta(seconds=1))
    await road.stage("publish", "seal", "dataset")
    assert await road.value("select count(*) from version where name = 'trials'") == 1

    await find_out(road, dan, ann, bob)
    assert await road.value(
        "select suspended is not null from conduct where owner = $1 and role = 'answer'", dan.owner
    )
    assert await road.balance(f"pending:{dan.owner}") == 0
    void = await road.rows("select reason from earning where owner = $1 and state = 'void'", dan.owner)
    assert len(void) >= 4
    assert all(row["reason"] for row in void)

    road.later(31 * timedelta(seconds=1))
    await road.quiet()
    manifests = await road.rows("select manifest from version where name = 'trials' order by number")
    first, second = [
        msgspec.json.decode(envelope.read(one["manifest"]).payload, type=Version) for one in manifests
    ]
    assert (first.number, second.number) == (1, 2)
    assert first.rows == second.rows == 4
    assert await values(road, second) == [7] * 4
    assert await values(road, first) == [666] * 4
    assert await road.in_order()


async def test_the_pages_say_of_a_suspension_what_its_event_said_whatever_is_judged_again_later(road: Road):
    dan, ann, bob = await liar_and_two(road, tasks=4)
    await find_out(road, dan, ann, bob)
    await road.quiet()
    [told] = await road.rows("select why from event where title like 'Suspended%'")
    async with road.database.begin() as (tx, now):
        [worker] = [one for one in (await queries.named(tx, now, "trials")).workers if one.node == dan.id]
        [trust] = [one for one in (await nodes.named(tx, now, dan.id)).node.trust if one.role is Role.ANSWER]
    [suspension] = worker.suspended
    assert told["why"].startswith(f"{suspension.faults} of {suspension.checked} checked units were wrong.")
    assert suspension.since == trust.suspended.since
    assert (trust.suspended.checked, trust.suspended.faults) == (suspension.checked, suspension.faults)
    assert trust.checked != suspension.checked, "his earlier tasks were judged again"


async def values(road: Road, version: Version) -> list[int]:
    async with road.database.begin() as (tx, _):
        return [
            row["value"]
            for part in version.parts
            for row in await shards.read(tx, Shard(part.blob, part.rows, part.bytes))
        ]


async def test_a_suspension_says_how_many_tasks_are_judged_again_and_plainly_where_there_are_none(road: Road):
    await find_out(road, *await liar_and_two(road, tasks=2))
    [told] = await road.rows("select title, why from event")
    assert told["title"] == "Suspended dan for trial"
    assert told["why"].startswith("3 of 23 checked units were wrong. 2 tasks of theirs, judged but not yet")

    await road.submit_more("last", {"tasks": 3, "audited": True})
    eve, fay, gus = [await road.join(name) for name in ("eve", "fay", "gus")]
    await road.exchange(eve, *(done(offer, 666) for offer in await road.offered(eve, room=3)))
    for _ in range(3):
        for honest in (fay, gus):
            await road.exchange(honest, *(done(offer) for offer in await road.offered(honest, room=9)))
        await road.stage("judge", "settle")
    [_, told] = await road.rows("select why from event order by id")
    assert told["why"] == "3 of 3 checked units were wrong. Nothing else of theirs was still to be paid out."


async def test_what_is_free_already_stays_paid_though_the_verdict_is_overturned(road: Road):
    dan, ann, bob = await liar_and_two(road, tasks=1)
    road.later(11 * MINUTE)
    await later_clean(road.database, dan)
    await road.stage("release")
    assert await road.balance(f"available:{dan.owner}") == OPI
    await find_out(road, dan, ann, bob)
    assert await road.balance(f"available:{dan.owner}") == OPI
    assert await road.in_order()


async def test_unpaid_work_of_a_liar_is_judged_again_until_its_time_to_appeal_is_over(road: Road):
    await road.begin(step={"tasks": 2, "price": None, "validate": {"audit": "0%"}})
    dan, ann, bob = [await road.join(name) for name in ("dan", "ann", "bob")]
    await trust(road, dan, ann, bob)
    await road.exchange(dan, *(done(offer, 666) for offer in await road.offered(dan, room=2)))
    await road.stage("judge")
    await stand(road.database, dan, state=State.SUSPENDED)
    async with road.database.begin() as (tx, now):
        assert await conducts.suspend(tx, (dan.owner, "trial", Role.ANSWER), now) == 2
    road.later(11 * MINUTE)
    await road.stage("judge")
    async with road.database.begin() as (tx, now):
        await tx.execute("update task set state = 'closed'")
        assert await conducts.suspend(tx, (dan.owner, "trial", Role.ANSWER), now) == 0


async def wronged(road: Road) -> tuple[Node, Node, Node, Node]:
    """`ann` is right about three tasks, and suspended by two who lie as auditors."""
    await road.begin(step={"tasks": 3, "audited": True})
    ann, eve, max_, bob = [await road.join(name) for name in ("ann", "eve", "max", "bob")]
    await stand(road.database, eve, max_, bob)
    await road.exchange(ann, *(done(offer) for offer in await road.offered(ann, room=3)))
    for liar in (eve, max_):
        for other in (eve, max_):
            await road.offered(other, room=0)
        await road.stage("judge")
        await road.exchange(liar, *(done(offer, 666) for offer in await road.offered(liar, room=3)))
    await road.stage("judge", "settle")
    return ann, eve, max_, bob


async def test_who_was_wrongly_suspended_is_trusted_and_paid_again_when_that_comes_out(road: Road):
    ann, eve, max_, bob = await wronged(road)
    state = "select state from conduct where owner = $1 and role = 'answer'"
    assert await road.value(state, ann.owner) == "suspended"
    assert await road.balance(f"pending:{ann.owner}") == 0
    await road.submit_more("later", {"tasks": 6, "audited": True})
    for liar in (eve, max_):
        await road.exchange(liar, *(done(offer, 666) for offer in await road.offered(liar, room=3)))
    cid = await road.join("cid")
    await stand(road.database, cid)
    for _ in range(6):
        for honest in (bob, cid):
            await road.exchange(honest, *(done(offer) for offer in await road.offered(honest, room=9)))
        await road.stage("judge", "settle")
    assert await road.value(state, eve.owner) == "suspended"
    assert await road.value(state, ann.owner) == "probation"
    assert await road.balance(f"pending:{ann.owner}") == 3 * OPI
    assert await road.value("select count(*) from event where title = 'ann may work on trial again'") == 1
    assert await road.value("select faults from conduct where owner = $1 and role = 'answer'", ann.owner) == 0
    assert await road.in_order()


async def test_who_errs_as_an_auditor_may_still_answer_and_is_asked_for_no_audits(road: Road):
    await road.begin(step={"tasks": 4, "audited": True})
    ann, bob = await road.join("ann"), await road.join("bob")
    await stand(road.database, bob)
    async with road.database.begin() as (tx, now):
        await conducts.save(tx, {(bob.owner, "trial", Role.AUDIT): Conduct(state=State.SUSPENDED)})
        await conducts.suspend(tx, (bob.owner, "trial", Role.AUDIT), now)
    cid = await road.join("cid")
    await road.offered(cid, room=0)
    await road.answer(ann)
    await road.stage("judge")
    assert [offer.role for offer in await road.offered(bob, room=9)] == ["answer"] * 3
    assert [offer.role for offer in await road.offered(cid, room=9)] == ["audit"]


async def test_a_fault_that_chance_found_has_all_that_waits_looked_at_and_costs_more(road: Road):
    await road.begin(step={"tasks": 40, "units": 2, "validate": {"audit": "10%"}})
    ann, bob, cid = [await road.join(name) for name in ("ann", "bob", "cid")]
    await stand(road.database, ann, bob, cid)
    for other in (bob, cid):
        await road.offered(other, room=0)
    offers = await road.offered(ann, room=40)
    await road.exchange(ann, *(done(offer, 666 if number < 30 else 7) for number, offer in enumerate(offers)))
    await road.stage("judge", "settle")
    drawn = await road.value("select count(*) from task where to_audit")
    assert 0 < drawn < 15
    for honest in (bob, cid):
        [first] = await road.offered(honest)
        await road.exchange(honest, done(first))
        await road.stage("judge")
    assert (
        await road.value("select owed from conduct where owner = $1 and role = 'answer'", ann.owner)
        == 30 * OPI
    )
    assert (
        await road.value("select count(*) from task where drawn = 'fault' and state = 'open'") == 40 - drawn
    )


# Broken judges


@pytest.mark.parametrize("judge", ["raises", "nul", "forgets", "misnames"])
async def test_a_judge_that_breaks_parks_its_case_and_the_others_go_on(
    road: Road, judge: str, caplog: pytest.LogCaptureFixture
):
    await road.begin(step={"tasks": 2, "judge": judge, "validate": {"audit": "0%"}})
    await road.submit_more("sound", {"tasks": 2, "validate": {"audit": "0%"}})
    ann = await road.join("ann")
    await trust(road, ann)
    await road.exchange(ann, *(done(offer) for offer in await road.offered(ann, room=4)))
    await road.stage("judge")
    assert [state for state, *_ in await tasks(road)] == ["parked", "parked", "closed", "closed"]
    told = await road.rows("select title, why from event where tone = 'bad'")
    assert len(told) == 2
    assert all("Its judge broke" in row["why"] for row in told)
    assert "the judge of task" in caplog.text


# Results that can't be taken


def row(number: int, **more: object) -> dict[str, object]:
    return {"_row": row_id("trials/tried", str(number)), "number": number, "value": 7, "text": ""} | more


GOOD = [row(0)]
BAD = {
    "another name than its key's": [row(0, _row="f" * 32)],
    "a column of the network's": [row(0), row(1, _verdict=4)],
    "a column that its kind does not give": [row(0), row(1, more=1)],
    "a column too few": [row(0), {name: value for name, value in row(1).items() if name != "value"}],
    "parents, where nothing is read": [row(0), row(1, _from=["a" * 32])],
    "no name": [{"number": 0}],
}


@pytest.mark.parametrize("what", BAD)
async def test_rows_that_do_not_follow_from_the_task_are_a_fault(road: Road, what: str):
    lines = sorted(
        (msgspec.json.encode(one, order="sorted") for one in BAD[what]), key=lambda line: line[-40:]
    )
    await refused(road, b"".join(line + b"\n" for line in lines))


STRAYS = {
    "made of a row that the task was not given": ["f" * 32],
    "not made of exactly one row": [],
    "not named by its key": None,
}


@pytest.mark.parametrize("why", STRAYS)
async def test_rows_that_are_not_made_of_the_rows_that_the_task_was_given_are_a_fault(road: Road, why: str):
    texts = [{"text": "one"}, {"text": "one two"}]
    steps = {"counts": {"kind": "word_count", "from": "texts", "price": "1/row", "validate": {"audit": "0%"}}}
    await road.begin(campaign(inputs={"texts": texts}, steps=steps, dataset={"from": "counts"}))
    ann = await road.join("ann")
    [offer] = await road.offered(ann, kinds=["word_count"])
    honest = msgspec.json.decode((await road.work(offer)).result)["rows"]
    first, second = rows.read(await road.database.blobs.get(honest), most=2)
    parents = STRAYS[why]
    lie = first | {"_from": second["_from"] if parents is None else parents}
    if parents is not None:
        lie["_row"] = row_id("trials/counts", *parents)
    blob = await road.kit(offer).write(rows.write([lie, second]))
    await road.exchange(ann, done(offer, {"rows": blob}), kinds=["word_count"])
    await road.stage("judge")
    [record] = await verdicts(road)
    assert why in record.asked.given[0].refused
    assert [(one.units, one.faults) for one in record.ruled.found] == [(0, 2)]


async def test_rows_that_are_not_in_canonical_form_are_a_fault(road: Road):
    await refused(road, rows.write(GOOD).replace(b":", b": "))


async def test_too_many_rows_are_a_fault(road: Road, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("optimai.network.intake.MOST_ROWS", 2)
    await refused(road, rows.write([row(number) for number in range(3)]))


async def test_a_blob_that_was_never_brought_is_a_fault(road: Road):
    await refused(road, None)


async def test_a_blob_of_another_campaign_is_a_fault(road: Road):
    """Else a result could name what its campaign has no right to, and whoever reads it would be turned away."""
    await road.begin()
    ann = await road.join("ann")
    blob = await road.database.blobs.put(rows.write(GOOD))
    [offer] = await road.offered(ann)
    await road.exchange(ann, done(offer, {"rows": blob}))
    await road.stage("judge")
    assert await states(road) == ["rejected"]


async def refused(road: Road, blob: bytes | None) -> None:
    """What names this blob is refused, checked or not, and the next owner's result stands."""
    await road.begin(step={"validate": {"audit": "0%"}})
    ann, bob = await road.join("ann"), await road.join("bob")
    await trust(road, ann, bob)
    [offer] = await road.offered(ann)
    name = await road.kit(offer).write(blob) if blob is not None else "a" * 64
    await road.offered(bob, room=0)
    await road.exchange(ann, done(offer, {"rows": name}))
    await road.stage("judge")
    assert await tasks(road) == [("open", 1, "answer")]
    await road.answer(bob)
    await road.stage("judge")
    [record] = await verdicts(road)
    assert [bool(one.refused) for one in record.asked.given] == [True, False]
    assert [(one.units, one.faults) for one in record.ruled.found] == [(0, 1), (1, 0)]
    assert await states(road) == ["rejected", "accepted"]


async def test_rows_that_follow_are_taken(road: Road):
    await road.begin()
    ann = await road.join("ann")
    [offer] = await road.offered(ann)
    blob = await road.kit(offer).write(rows.write(GOOD))
    await road.exchange(ann, done(offer, {"rows": blob}))
    await road.stage("judge")
    assert await states(road) == ["accepted"]


async def test_a_result_that_nobody_can_read_is_a_fault_and_never_audited(road: Road):
    await road.begin(step={"audited": True})
    ann, bob = await road.join("ann"), await road.join("bob")
    [offer] = await road.offered(ann)
    await road.offered(bob, room=0)
    await road.exchange(ann, Done(offer.assignment, Raw(b'{"value":"seven","more":[1]}')))
    await road.stage("judge")
    assert await tasks(road) == [("open", 1, "answer")]
    assert await road.value("select drawn is null from task")


# What it looks at


async def test_a_task_that_still_waits_for_opinions_is_not_looked_at(road: Road):
    await road.begin(step={"answers": 3})
    names: Sequence[str] = ("ann", "bob", "cid")
    nodes = [await road.join(name) for name in names]
    for node in nodes[:2]:
        await road.answer(node)
        assert await road.stage("judge") == 0
    [offer] = await road.offered(nodes[2])
    assert await road.stage("judge") == 0
    await road.exchange(nodes[2], done(offer))
    assert await road.stage("judge") == 1


async def test_no_verdict_is_written_while_an_epoch_closes(road: Road):
    await road.begin()
    await road.answer(await road.join("ann"))
    async with road.database.begin() as (tx, _):
        await tx.execute("update epoch set closing = true")
    assert await road.stage("judge") == 0
    assert await verdicts(road) == []
