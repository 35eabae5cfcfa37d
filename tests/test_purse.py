"""Money under random histories: whatever crashes, repeats, lapses, is overturned or comes late, the ledger holds."""

from contextlib import suppress
from datetime import timedelta
from random import Random

import pytest

from optimai.core import ledger
from optimai.core.assignment import Role
from optimai.core.conduct import Conduct, Split
from optimai.core.conduct import State as Stands
from optimai.core.earning import UNPAID, State
from optimai.core.ids import AssignmentId, CampaignId
from optimai.core.ledger import Transfer
from optimai.core.money import OPI, Nano
from optimai.network import door, exchange, purse, stages
from optimai.network.purse import Freed, Owed
from optimai.network.store import conducts, money
from optimai.network.store.sql import Database
from optimai.wire.exchange import Done, Offer, Reply
from tests.road import MINUTE, REQUESTER, Node, Road, done, later_clean, stand

pytestmark = pytest.mark.usefixtures("trial")


@pytest.fixture
def road(database: Database) -> Road:
    return Road(database)


class Died(Exception):
    """The coordinator, in the middle of a transaction."""


class Player:
    def __init__(self, node: Node) -> None:
        self.node = node
        self.in_hand: list[Offer] = []
        self.unsent: bytes | None = None


class History:
    """Five owners, one of whom always lies; stages in any order; any transaction may die, any reply may be lost."""

    def __init__(self, road: Road, seed: int) -> None:
        self.road = road
        self.chance = Random(seed)
        self.acknowledged: set[AssignmentId] = set()
        self.free: dict[str, int] = {}

    async def begin(self) -> None:
        step = {"tasks": 30, "units": 2, "price": "0.5/row", "validate": {"audit": "40%"}}
        await self.road.begin(budget="28 OPI", until="6h", appeal="40m", step=step)
        self.players = [Player(await self.road.join(name)) for name in ("ann", "bob", "cid", "dan", "liar")]
        await stand(self.road.database, *(player.node for player in self.players))

    async def step(self) -> None:
        happens = [self.exchange, self.decline, self.stage, self.judge, self.later]
        [what] = self.chance.choices(happens, [8, 1, 4, 3, 2])
        await what()
        assert await self.road.in_order()
        await self.what_is_free_stays_free()

    async def exchange(self) -> None:
        """The coordinator may die before it commits, or the reply be lost: then the same is sent again, as it is."""
        player = self.chance.choice(self.players)
        value = 666 if player is self.players[-1] else 7
        ready = player.in_hand[: self.chance.choice([0, 1, 9])]
        results = [done(offer, value) for offer in ready]
        request = player.unsent or self.road.request(player.node, results, room=self.chance.randint(0, 3))
        player.unsent = request
        fate = self.chance.choice(["heard", "heard", "heard", "lost", "died"])
        with suppress(Died):
            async with self.road.database.begin() as (tx, now):
                [reply] = await exchange.handle(tx, now, [await door.read(tx, request)])
                if fate == "died":
                    raise Died
            assert isinstance(reply, Reply)
            if fate == "heard":
                self.hear(player, reply)

    def hear(self, player: Player, reply: Reply) -> None:
        player.unsent = None
        gone = {*reply.taken, *(refusal.assignment for refusal in reply.refused)}
        player.in_hand = [offer for offer in player.in_hand if offer.assignment not in gone]
        player.in_hand += reply.offers
        self.acknowledged |= set(reply.taken)

    async def decline(self) -> None:
        player = self.chance.choice(self.players)
        if player.in_hand and not player.unsent:
            offer = player.in_hand.pop()
            await self.road.exchange(player.node, Done(offer.assignment, declined="busy"))

    async def stage(self) -> None:
        stage = self.chance.choice(stages.STAGES)
        if self.chance.random() < 0.3:
            with suppress(Died):
                async with self.road.database.begin(snapshot=stage.snapshot) as (tx, now):
                    await stage.run(tx, now, stage.limit)
                    raise Died
        await self.road.stage(stage.name)

    async def judge(self) -> None:
        await self.road.stage("judge", "settle")

    async def later(self) -> None:
        self.road.later(timedelta(seconds=self.chance.choice([5, 20, 61, 400, 900])))

    async def what_is_free_stays_free(self) -> None:
        lines = await self.road.rows(
            """
            select owner, sum(amount - fined - kept)::bigint as amount from earning where state = 'available'
             group by owner
            """
        )
        free = {row["owner"]: row["amount"] for row in lines}
        assert all(free.get(owner, 0) >= amount for owner, amount in self.free.items())
        for owner, amount in free.items():
            assert await self.road.balance(f"available:{owner}") == amount
        self.free = free

    async def end(self) -> None:
        """When all is over, each coin is with somebody, and nothing that was acknowledged was forgotten."""
        for _ in range(10):
            self.road.later(timedelta(hours=1))
            await self.road.quiet()
        assert await self.road.value("select state from campaign") in ("done", "cancelled")
        owners = await self.road.value("select sum(balance) from account where name like 'available:%'")
        assert owners + (await self.road.balance("pool")) == 1_000 * OPI
        kept = await self.road.rows(
            "select assignment.id, assignment.state from assignment join envelope on envelope.id = assignment.envelope"
        )
        judged = {row["id"] for row in kept if row["state"] in ("accepted", "rejected")}
        declined = await self.road.rows("select id from assignment where state = 'declined'")
        assert self.acknowledged <= judged | {row["id"] for row in declined}


@pytest.mark.parametrize("seed", range(8))
async def test_money_is_never_made_lost_or_paid_twice_whatever_happens_in_whatever_order(
    road: Road, seed: int
):
    history = History(road, seed)
    await history.begin()
    for _ in range(120):
        await history.step()
    await history.end()
    assert history.acknowledged


# Verdicts that change


def owed(road: Road, amount: int, assignment: int = 1, reason: str = "so says the judge") -> Owed:
    return Owed(
        assignment=AssignmentId(assignment),
        campaign=CampaignId(1),
        owner=Node("ann").owner,
        amount=Nano(amount),
        reason=reason,
        release_at=road.now,
    )


async def settle(road: Road, *some: Owed) -> None:
    async with road.database.begin() as (tx, now):
        await purse.settle(tx, some, now)


async def lines(road: Road) -> list[tuple[str, int, str]]:
    found = await road.rows("select state, amount, reason from earning order by id")
    return [(row["state"], row["amount"], row["reason"]) for row in found]


async def offered_one(road: Road, units: int = 4) -> None:
    await road.begin(budget="10 OPI", step={"units": units})
    [_] = await road.offered(await road.join("ann"))


async def test_a_verdict_that_is_settled_twice_changes_nothing(road: Road):
    await offered_one(road)
    for _ in range(3):
        await settle(road, owed(road, 3 * OPI))
    assert await lines(road) == [("pending", 3 * OPI, "so says the judge")]
    assert await road.in_order()


async def test_a_zero_is_told_once_for_each_reason(road: Road):
    await road.begin(step={"price": None})
    [_] = await road.offered(await road.join("ann"))
    for reason in ("first", "first", "second"):
        await settle(road, owed(road, 0, reason=reason))
    assert await lines(road) == [("void", 0, "first"), ("void", 0, "second")]


async def test_an_amount_that_changes_is_a_new_line_beside_the_old_one(road: Road):
    await offered_one(road)
    await settle(road, owed(road, 3 * OPI))
    await settle(road, owed(road, 1 * OPI, reason="now it is less"))
    assert await lines(road) == [("void", 0, "now it is less"), ("pending", 1 * OPI, "now it is less")]
    assert await road.in_escrow(CampaignId(1)) == 9 * OPI
    assert await road.in_order()


async def test_what_a_changed_verdict_owes_and_escrow_has_not_is_a_zero_with_its_reason(road: Road):
    await offered_one(road)
    await settle(road, owed(road, 0, reason="wrong"))
    async with road.database.begin() as (tx, now):
        spent = await purse.money.balances(tx, [purse.ledger.escrow(CampaignId(1))])
        [(account, has)] = spent.items()
        transfer = purse.ledger.move("expire", "all of it", account, purse.ledger.available(REQUESTER), has)
        await money.post(tx, [transfer], now)
    await settle(road, owed(road, 3 * OPI, reason="right after all"))
    assert await lines(road) == [("void", 0, "wrong"), ("void", 0, UNPAID)]
    assert await road.in_order()


async def test_what_is_available_is_final(road: Road):
    await offered_one(road)
    await settle(road, owed(road, 3 * OPI))
    async with road.database.begin() as (tx, now):
        [(earning, _)] = (await money.lock_of(tx, [AssignmentId(1)])).values()
        await purse.release(tx, [Freed(earning, Split(Nano(0), Nano(0), earning.amount))], 1, now)
    await settle(road, owed(road, 0, reason="too late"))
    assert [state for state, *_ in await lines(road)] == [State.AVAILABLE]
    assert await road.in_order()


async def one_pending(road: Road, tasks: int) -> Node:
    """`ann`, a newcomer, has one line of pay pending."""
    await road.begin(step={"tasks": tasks, "validate": {"audit": "0%"}})
    ann = await road.join("ann")
    await road.answer(ann)
    await road.stage("judge", "settle")
    return ann


async def test_money_is_not_free_before_its_time_nor_while_its_task_is_judged_again(road: Road):
    await road.begin(step={"validate": {"audit": "0%"}})
    await road.answer(await road.join("ann"))
    await road.stage("judge", "settle")
    road.later(9 * MINUTE)
    assert await road.stage("release") == 0
    async with road.database.begin() as (tx, _):
        await tx.execute("update task set state = 'open', again = true")
    road.later(2 * MINUTE)
    assert await road.stage("release") == 0
    async with road.database.begin() as (tx, _):
        await tx.execute("update task set state = 'closed', again = false")
    assert await road.stage("release") == 1


async def test_what_was_judged_again_is_not_freed_before_it_is_settled_again(road: Road):
    """Its owner may have been found a liar: what is pending is of the verdict before."""
    ann = await one_pending(road, tasks=1)
    road.later(11 * MINUTE)
    async with road.database.begin() as (tx, now):
        await conducts.save(tx, {(ann.owner, "trial", Role.ANSWER): Conduct(state=Stands.SUSPENDED)})
        await conducts.suspend(tx, (ann.owner, "trial", Role.ANSWER), now)
    assert await road.stage("judge") == 1
    assert await road.stage("release") == 0
    await road.stage("settle", "release")
    assert await road.balance(f"pending:{ann.owner}") == await road.balance(f"available:{ann.owner}") == 0


async def test_what_nobody_looked_at_waits_for_three_later_audits_that_were_clean(road: Road):
    await road.begin(step={"tasks": 9, "validate": {"audit": "0%"}})
    ann, bob = [await road.join(name) for name in ("ann", "bob")]
    await stand(road.database, ann)
    await road.offered(bob, room=0)
    await road.answer(ann)
    await road.stage("judge", "settle")
    road.later(11 * MINUTE)
    assert await road.stage("release") == 0
    assert await road.stage("closing") == 0, "there is more to come in its step"
    await later_clean(road.database, ann)
    assert await road.stage("release") == 1
    assert await road.balance(f"available:{ann.owner}") == OPI


async def test_of_what_would_wait_for_ever_three_are_audited_and_stand_for_the_rest(road: Road):
    await road.begin(step={"tasks": 9, "validate": {"audit": "0%"}})
    ann, bob = [await road.join(name) for name in ("ann", "bob")]
    await stand(road.database, ann)
    await road.offered(bob, room=0)
    await road.exchange(ann, *(done(offer) for offer in await road.offered(ann, room=9)))
    await road.quiet()
    road.later(11 * MINUTE)
    await road.offered(bob, room=0)
    await road.quiet()
    audits = await road.offered(bob, room=9)
    assert [offer.role for offer in audits] == ["audit"] * 3
    await road.exchange(bob, *(done(offer) for offer in audits))
    await road.quiet()
    assert await road.balance(f"available:{ann.owner}") == 9 * OPI
    assert await road.rows("select drawn_at from task where drawn = 'closing'") == [(333_334,)] * 3
    assert await road.in_order()


async def test_where_one_of_the_three_falls_all_that_waits_is_audited_and_the_fine_stands_for_what_was_not(
    road: Road,
):
    await road.begin(step={"tasks": 9, "validate": {"audit": "0%"}})
    dan, ann, bob = [await road.join(name) for name in ("dan", "ann", "bob")]
    await stand(road.database, dan)
    for honest in (ann, bob):
        await road.offered(honest, room=0)
    await road.exchange(dan, *(done(offer, 666) for offer in await road.offered(dan, room=9)))
    await road.quiet()
    road.later(11 * MINUTE)
    for honest in (ann, bob):
        await road.offered(honest, room=0)
    await road.quiet()
    for _ in range(6):
        for honest in (ann, bob):
            await road.exchange(honest, *(done(offer) for offer in await road.offered(honest, room=9)))
        await road.quiet()
    assert await road.balance(f"available:{dan.owner}") == await road.balance(f"pending:{dan.owner}") == 0
    assert await road.value("select count(*) from task where verdict is not null and state = 'closed'") == 9
    [version] = await road.rows("select rows from version order by number desc limit 1")
    assert version["rows"] == 9
    assert (
        await road.value("select owed from conduct where owner = $1 and role = 'answer'", dan.owner) > 9 * OPI
    )
    assert await road.in_order()


async def test_a_newcomer_is_paid_for_an_audit_when_his_step_is_sealed(road: Road):
    await road.begin(step={"tasks": 2, "validate": {"audit": "0%"}})
    ann, bob = [await road.join(name) for name in ("ann", "bob")]
    async with road.database.begin() as (tx, _):
        await tx.execute("update task set audited = true where id = 1")
    await road.offered(bob, room=0)
    await road.answer(ann)
    await road.stage("judge")
    [audit] = await road.offered(bob)
    await road.exchange(bob, done(audit))
    await road.stage("judge", "settle")
    road.later(11 * MINUTE)
    assert await road.stage("release") == 1
    assert await road.balance(f"pending:{bob.owner}") == OPI
    await road.answer(ann)
    for _ in range(3):
        await road.quiet()
        road.later(11 * MINUTE)
    assert await road.value("select state from step where kind is not null") == "sealed"
    assert await road.balance(f"available:{bob.owner}") >= OPI
    assert await road.in_order()


async def test_who_was_suspended_begins_again_a_day_later_without_his_bond(road: Road):
    await road.begin()
    ann = await road.join("ann")
    gone = Conduct(state=Stands.SUSPENDED, bond=Nano(OPI), owed=Nano(7), faults=3)
    async with road.database.begin() as (tx, now):
        await money.post(
            tx,
            [Transfer("deposit", "a bond", {ledger.OUTSIDE: Nano(-OPI), ledger.bond(ann.owner): Nano(OPI)})],
            now,
        )
        await conducts.save(tx, {(ann.owner, "trial", Role.ANSWER): gone})
        await conducts.suspend(tx, (ann.owner, "trial", Role.ANSWER), now)
    assert await road.offered(ann) == []
    road.later(timedelta(hours=23))
    assert await road.stage("release") == 0
    road.later(timedelta(hours=2))
    assert await road.stage("release") == 1
    assert await road.balance("pool") == OPI
    async with road.database.begin() as (tx, now):
        assert await conducts.of(tx, [ann.owner]) == {}
    assert len(await road.offered(ann)) == 1


async def test_who_is_suspended_is_not_paid_for_what_was_pending_though_the_rows_stand(road: Road):
    await road.begin(step={"tasks": 1, "audited": True})
    dan, ann = [await road.join(name) for name in ("dan", "ann")]
    [offer] = await road.offered(dan)
    assert await road.offered(ann) == []
    await road.exchange(dan, done(offer))
    await road.stage("judge")
    await road.answer(ann)
    await road.stage("judge", "settle")
    assert await road.balance(f"pending:{dan.owner}") == OPI
    async with road.database.begin() as (tx, now):
        await conducts.save(tx, {(dan.owner, "trial", Role.ANSWER): Conduct(state=Stands.SUSPENDED)})
        await conducts.suspend(tx, (dan.owner, "trial", Role.ANSWER), now)
    await road.stage("judge", "settle")
    assert await road.balance(f"pending:{dan.owner}") == 0
    assert await road.balance(f"pending:{ann.owner}") == OPI
    [line] = await road.rows("select amount, state, reason from earning where owner = $1", dan.owner)
    assert (line["amount"], line["state"]) == (0, "void")
    assert "suspended" in line["reason"]
    [verdict] = await road.rows("select believed from verdict order by id desc limit 1")
    assert verdict["believed"] != b"null"
    assert await road.in_order()
