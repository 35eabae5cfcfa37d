"""Standing work is paid for answers to challenges, and for nothing that a node says of itself."""

from datetime import timedelta
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from blake3 import blake3
from msgspec.structs import replace

from optimai.core.clock import Instant
from optimai.core.ids import BlobId, CampaignId, OwnerId
from optimai.core.money import OPI
from optimai.kinds import lines
from optimai.kinds.bundle import Report, verify
from optimai.kinds.hold.spec import Task
from optimai.kinds.lines import Line
from optimai.kinds.ruling import Record
from optimai.network.challenge import TIME
from optimai.network.queries import campaigns
from optimai.network.store import due
from optimai.network.store.sql import Database
from optimai.wire import envelope
from optimai.wire.exchange import Asked, Met, Offer
from tests.road import MINUTE, Node, Road, done

HOLDING = {
    "campaign": "held",
    "budget": "10 OPI",
    "until": "2d",
    "appeal": "10m",
    "inputs": {"texts": [{"text": f"a text of some length, number {n}"} for n in range(50)]},
    "steps": {
        "kept": {"kind": "hold", "from": "texts", "for": "1h", "challenges": 4, "price": "0.5/answer"},
        "none": {"kind": "trial", "from": "texts", "tasks": 0},
    },
    "dataset": {"from": "none"},
}


pytestmark = pytest.mark.usefixtures("trial")


@pytest.fixture
def road(database: Database) -> Road:
    return Road(database)


async def holding(road: Road, *names: str) -> list[tuple[Node, Offer]]:
    """Each of these nodes has its epoch's task in hand."""
    await road.deposit()
    await road.submit(HOLDING)
    nodes = [await road.join(name) for name in names]
    for node in nodes:
        await road.exchange(node, kinds=["hold"], room=1)
    await road.stage("epoch", "plan")
    held = [(node, (await road.offered(node, kinds=["hold"]))[0]) for node in nodes]
    assert await road.stage("challenge") == len(nodes)  # which finds out when it will ask them
    return held


async def until_asked(road: Road, node: Node) -> Asked:
    """Time goes on until the network asks for something."""
    for _ in range(100):
        await road.stage("challenge")
        async with road.database.begin() as (tx, now):
            moment = (await due.moments(tx, now)).get("challenge")
        assert moment is not None
        road.now = moment
        await road.stage("challenge")
        asked = (await road.exchange(node, kinds=["hold"])).challenges
        if asked:
            return asked[0]
    raise AssertionError("nothing was asked")


async def proof(road: Road, asked: Asked) -> str:
    held = await road.database.blobs.get(BlobId(asked.blob), asked.start, asked.length)
    return blake3(asked.nonce + held).hexdigest()


async def meet(road: Road, node: Node, asked: Asked, digest: str) -> None:
    await road.exchange(node, kinds=["hold"], answers=[Met(asked.id, digest)])


async def the_end(road: Road, node: Node, offer: Offer) -> Record:
    """The epoch is over, the node hands in its task, and that is judged."""
    road.now = Instant(offer.lease_until - timedelta(seconds=30))
    await road.exchange(node, done(offer, {"held": 1}), kinds=["hold"])
    await road.stage("judge", "settle")
    body = await road.value("select body from verdict join assignment using (task) where node = $1", node.id)
    return msgspec.json.decode(body, type=Record)


async def answers(road: Road) -> list[Any]:
    return [row["answer"] for row in await road.rows("select answer from challenge order by id")]


async def test_each_node_has_one_task_of_its_own_for_each_epoch(road: Road):
    (ann, first), (bob, second) = await holding(road, "ann", "bob")
    assert msgspec.json.decode(first.task, type=Task).epoch == 1
    assert await road.value("select count(distinct pinned) from task") == 2
    assert await road.stage("plan") == 0
    assert await road.offered(ann, kinds=["hold"]) == []
    assert first.lease_until == second.lease_until > road.now + road.database.network.epoch
    assert await road.offered(bob, kinds=["hold"]) == []


async def test_right_answers_are_paid_each_and_silence_is_not(road: Road):
    [(ann, offer)] = await holding(road, "ann")
    for number in range(4):
        asked = await until_asked(road, ann)
        if number != 2:
            await meet(road, ann, asked, await proof(road, asked))
        else:
            road.later(TIME)
    record = await the_end(road, ann, offer)
    [found] = record.ruled.found
    assert (found.units, found.checked, found.faults) == (3, 3, 0)
    assert await road.balance(f"pending:{ann.owner}") == 3 * OPI // 2
    assert await road.in_escrow(CampaignId(1)) == 10 * OPI - 3 * OPI // 2
    assert await road.in_order()


async def test_what_a_node_says_of_itself_earns_nothing(road: Road):
    [(ann, offer)] = await holding(road, "ann")
    record = await the_end(road, ann, offer)
    assert [one.units for one in record.ruled.found] == [0]
    assert await road.balance(f"pending:{ann.owner}") == 0


async def test_wrong_answers_are_faults_and_suspend(road: Road):
    [(ann, offer)] = await holding(road, "ann")
    for _ in range(4):
        await meet(road, ann, await until_asked(road, ann), "0" * 64)
    record = await the_end(road, ann, offer)
    assert [(one.units, one.checked, one.faults) for one in record.ruled.found] == [(0, 4, 4)]
    assert await road.value("select suspended is not null from conduct where owner = $1", ann.owner)


async def test_only_the_first_answer_counts_in_time_and_from_whoever_was_asked(road: Road):
    [(ann, _), (bob, _)] = await holding(road, "ann", "bob")
    asked = await until_asked(road, ann)
    right = await proof(road, asked)
    await meet(road, bob, asked, right)
    assert set(await answers(road)) == {None}
    await meet(road, ann, asked, "1" * 64)
    await meet(road, ann, asked, right)
    assert [one for one in await answers(road) if one] == ["1" * 64]

    again = await until_asked(road, ann)
    assert again.id != asked.id
    road.later(TIME)
    await meet(road, ann, again, await proof(road, again))
    assert [one for one in await answers(road) if one] == ["1" * 64]


async def test_a_challenge_is_said_again_until_it_is_answered_or_its_time_is_over(road: Road):
    [(ann, _)] = await holding(road, "ann")
    asked = await until_asked(road, ann)
    assert (await road.exchange(ann, kinds=["hold"])).challenges == (asked,)
    await meet(road, ann, asked, await proof(road, asked))
    assert (await road.exchange(ann, kinds=["hold"])).challenges == ()


async def test_answers_to_challenges_are_kept_as_evidence_but_not_those_of_another_or_too_late(road: Road):
    [(ann, _), (bob, _)] = await holding(road, "ann", "bob")
    asked = await until_asked(road, ann)
    await meet(road, bob, asked, "1" * 64)
    assert await road.value("select count(*) from envelope") == 0
    await meet(road, ann, asked, await proof(road, asked))
    assert await road.value("select node from envelope") == ann.id


async def test_nobody_can_tell_when_a_challenge_will_come_but_each_part_of_an_epoch_has_one(road: Road):
    [(ann, _), (_, _)] = await holding(road, "ann", "bob")
    begin, moments = road.now, []
    for _ in range(8):
        async with road.database.begin() as (tx, now):
            road.now = (await due.moments(tx, now))["challenge"]
        assert await road.stage("challenge") == 1
        moments += [
            row["asked"] for row in await road.rows("select asked from challenge order by id desc limit 1")
        ]
    assert await road.stage("challenge") == 0
    mine = [
        row["asked"]
        for row in await road.rows("select asked from challenge where node = $1 order by id", ann.id)
    ]
    length = road.database.network.epoch / 5
    for number, moment in enumerate(mine):
        assert (number + 0.5) * length <= moment - begin < (number + 1.5) * length
    gaps = {round((later - sooner).total_seconds()) for sooner, later in pairwise(mine)}
    assert len(gaps) == 3
    assert set(moments) != set(mine)


async def test_nothing_is_asked_after_the_epoch_is_over(road: Road):
    [(ann, offer)] = await holding(road, "ann")
    road.now = Instant(offer.lease_until - MINUTE)
    await road.stage("challenge")
    assert await road.value("select count(*) from challenge") == 0
    assert await road.stage("challenge") == 0
    assert (await road.exchange(ann, kinds=["hold"])).challenges == ()


async def test_every_byte_that_is_held_may_be_asked_for(road: Road, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("optimai.network.challenge.LONGEST", 64)
    [(ann, _)] = await holding(road, "ann")
    [size] = [row["bytes"] for row in await road.rows("select bytes from shard")]
    asked = [await until_asked(road, ann) for _ in range(4)]
    assert len({one.start for one in asked}) > 1
    assert len({one.nonce for one in asked}) == 4
    assert all(one.start >= 0 and one.length == 64 and one.start + one.length <= size for one in asked)


async def test_a_standing_task_that_nobody_took_in_its_epoch_is_given_up(road: Road):
    await road.deposit()
    await road.submit(HOLDING)
    ann = await road.join("ann")
    await road.exchange(ann, kinds=["hold"])
    await road.stage("epoch", "plan")
    assert await road.value("select count(*) from task where places > 0") == 1
    road.later(road.database.network.epoch)
    await road.stage("expire")
    assert [row["state"] for row in await road.rows("select state from task")] == ["parked"]
    async with road.database.begin() as (tx, now):
        steps = (await campaigns.named(tx, now, "held")).steps
    [kept] = [one for one in steps if one.standing]
    assert (kept.parked, kept.unproved) == (1, 1), "and nothing is wrong with that"


async def gone(road: Road, node: Node) -> Record:
    """Nobody hears of the node any more; its epoch and its lease end, and it is judged."""
    await road.stage("expire")
    road.now = await road.value("select until from task where pinned = $1", node.id) + 3 * MINUTE
    await road.stage("expire")
    await road.stage("judge", "settle")
    body = await road.value(
        "select verdict.body from verdict join task on task.id = verdict.task where pinned = $1", node.id
    )
    return msgspec.json.decode(body, type=Record)


async def test_what_a_node_had_proved_is_paid_though_it_is_never_heard_of_again(road: Road):
    [(ann, _), (_, _)] = await holding(road, "ann", "bob")
    for _ in range(2):
        asked = await until_asked(road, ann)
        await meet(road, ann, asked, await proof(road, asked))
    record = await gone(road, ann)
    [given], [found] = record.asked.given, record.ruled.found
    assert (given.result, found.units, found.faults) == ("", 2, 0)
    assert await road.balance(f"pending:{ann.owner}") == OPI
    states = [
        row["state"] for row in await road.rows("select state from task order by pinned = $1 desc", ann.id)
    ]
    assert states == ["closed", "parked"], "bob was asked too, and proved nothing"
    assert await road.in_order()


async def test_who_comes_back_in_the_same_epoch_loses_nothing_that_was_proved_before(road: Road):
    [(ann, first)] = await holding(road, "ann")
    asked = await until_asked(road, ann)
    await meet(road, ann, asked, await proof(road, asked))
    road.database.network = replace(road.database.network, silence=2 * MINUTE)
    road.later(3 * MINUTE)
    await road.stage("expire")
    [second] = await road.offered(ann, kinds=["hold"])
    assert second.assignment != first.assignment
    asked = await until_asked(road, ann)
    await meet(road, ann, asked, await proof(road, asked))
    record = await the_end(road, ann, second)
    assert [(one.units, one.checked) for one in record.ruled.found] == [(2, 2)]


async def test_a_stranger_recomputes_the_pay_of_a_node_that_went_away(road: Road):
    [(ann, _)] = await holding(road, "ann")
    asked = await until_asked(road, ann)
    await meet(road, ann, asked, await proof(road, asked))
    await gone(road, ann)
    for _ in range(2):
        road.now = await road.value("select closes from epoch where closed is null")
        await road.quiet()
    rows = await road.rows("select head, bundle from epoch where closed is not null order by number")
    key = bytes(road.database.network.key.verify_key)
    reports = [
        verify(envelope.read(row["head"]), await road.database.blobs.get(row["bundle"]), key) for row in rows
    ]
    assert [one.wrong for one in reports] == [()] * len(rows)
    assert sum(one.verdicts for one in reports) >= 1


async def proved_and_gone(road: Road) -> tuple[Node, envelope.Envelope, list[Line]]:
    """A node that answered two challenges and went away, and the bundle that says what it is paid for that."""
    [(ann, _), (_, _)] = await holding(road, "ann", "bob")
    for _ in range(2):
        asked = await until_asked(road, ann)
        await meet(road, ann, asked, await proof(road, asked))
    await gone(road, ann)
    road.now = await road.value("select closes from epoch where closed is null")
    await road.quiet()
    [row] = await road.rows(
        """
        select head, bundle from epoch join verdict on verdict.epoch = epoch.number where closed is not null
        """
    )
    return ann, envelope.read(row["head"]), lines.read(await road.database.blobs.get(row["bundle"]))


def recomputed(road: Road, head: envelope.Envelope, some: list[Line]) -> Report:
    """By a stranger, of a bundle that the network made so and signed anew."""
    data = lines.write(some)
    top = replace(msgspec.json.decode(head.payload, type=lines.Head), chunks=lines.chunks(data))
    signed = envelope.sign(lines.HEAD, msgspec.json.encode(top), road.database.network.key)
    return verify(signed, data, bytes(road.database.network.key.verify_key))


def with_given(some: list[Line], **fields: Any) -> list[Line]:
    """The verdict on another answer."""
    found = []
    for line in some:
        if isinstance(line, lines.Judged):
            [given] = line.record.asked.given
            asked = replace(line.record.asked, given=(replace(given, **fields),))
            line = replace(line, record=replace(line.record, asked=asked))
        found.append(line)
    return found


async def test_a_bundle_has_the_signed_answers_of_a_node_that_went_away(road: Road):
    ann, head, some = await proved_and_gone(road)
    report = recomputed(road, head, some)
    assert (report.wrong, report.verdicts, report.proofs) == ((), 1, 2)
    signed = [line.envelope for line in some if isinstance(line, lines.Evidence)]
    assert len(signed) == 2
    assert {one.signatures[0].keyid for one in signed} == {ann.id}


async def test_no_answer_is_believed_that_its_node_did_not_sign(road: Road):
    _, head, some = await proved_and_gone(road)
    [first, second] = (
        next(line for line in some if isinstance(line, lines.Judged)).record.asked.given[0].challenges
    )
    assert first.envelope != second.envelope
    without = [line for line in some if not isinstance(line, lines.Evidence)]
    forged = {
        "the envelope is missing": without,
        "it names none": with_given(some, challenges=(replace(first, envelope=None), second)),
        "it is in another": with_given(some, challenges=(replace(first, envelope=second.envelope), second)),
        "another digest": with_given(some, challenges=(replace(first, answer="0" * 64), second)),
        "another challenge": with_given(some, challenges=(replace(first, id=99), second)),
        "the same twice": with_given(some, challenges=(first, first)),
        "for another owner": with_given(some, owner=OwnerId("eve")),
    }
    believed = [how for how, lines_of in forged.items() if recomputed(road, head, lines_of).ok]
    assert believed == []
    wrong = recomputed(road, head, forged["another digest"]).wrong
    assert f"its node did not sign the answer to challenge {first.id}" in wrong[0]
    assert "counts twice" in recomputed(road, head, forged["the same twice"]).wrong[0]
    assert "another owner's" in recomputed(road, head, forged["for another owner"]).wrong[0]


async def test_nobody_can_sign_the_answer_of_another(road: Road):
    """A forger who has the network's key has no node's: its answers' envelopes are its own."""
    ann, head, some = await proved_and_gone(road)
    bob = await road.join("bob")
    known = lines.Node(bob.id, bytes(bob.key.verify_key), ann.owner)
    assert "did not sign" in recomputed(road, head, [known, *with_given(some, node=bob.id)]).wrong[0]


async def test_what_was_proved_is_paid_when_its_campaign_is_over_before_its_epoch(road: Road):
    [(ann, _)] = await holding(road, "ann")
    asked = await until_asked(road, ann)
    await meet(road, ann, asked, await proof(road, asked))
    async with road.database.begin() as (tx, _):
        await tx.execute("update campaign set ends = $1", road.now)
    road.later(3 * MINUTE)
    async with road.database.begin() as (tx, _):
        await tx.execute("update assignment set lease_until = $1", road.now)
    await road.quiet()
    assert await road.balance(f"pending:{ann.owner}") == OPI // 2
    road.later(11 * MINUTE)
    await road.quiet()
    assert await road.value("select state from campaign") == "cancelled"
    assert await road.balance(f"available:{ann.owner}") == OPI // 2
    assert await road.in_order()
