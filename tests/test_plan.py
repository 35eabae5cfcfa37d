"""A plan is told everything once, whatever crashes; and what it cuts is written as it was cut."""

from contextlib import suppress
from datetime import timedelta

import msgspec
import pytest
from msgspec.structs import replace

from optimai.kinds import catalog
from optimai.kinds.contract import News, Piece, Plan
from optimai.kinds.word_count.spec import Result, Task
from optimai.network import plan
from optimai.network.store.sql import Database
from tests.road import START, Road, campaign, done

pytestmark = pytest.mark.usefixtures("trial")


@pytest.fixture
def road(database: Database) -> Road:
    return Road(database)


class Died(Exception):
    """The coordinator, in the middle of a transaction."""


class Listening:
    """A plan of word_count that remembers all that it was told, and dies with the transaction when it should."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, kind: str = "word_count") -> None:
        self.news: list[News[Task, Result]] = []
        self.loaded = replace(catalog.load(kind), plan=self._plan)
        self.real = catalog.load(kind).plan
        real = catalog.load
        monkeypatch.setattr(catalog, "load", lambda name: self.loaded if name == kind else real(name))

    def _plan(self, options: object, state: bytes, news: News[Task, Result]) -> Plan[Task]:
        self.news.append(news)
        return self.real(options, state, news)


TEXTS = {
    "campaign": "words",
    "budget": "10 OPI",
    "inputs": {"texts": [{"text": "one two"}, {"text": "three"}]},
    "steps": {
        "counts": {"kind": "word_count", "from": "texts", "price": "0.001/row"},
        "again": {"kind": "word_count", "from": "counts", "column": "words", "price": "0.001/row"},
    },
    "dataset": {"from": "again"},
}


async def dying(road: Road) -> None:
    """The stage, rolled back at its very end."""
    with suppress(Died):
        async with road.database.begin() as (tx, now):
            await plan.run(tx, now, 20)
            raise Died


async def test_a_plan_is_told_of_each_shard_and_each_verdict_once_though_the_coordinator_dies_at_it(
    road: Road, monkeypatch: pytest.MonkeyPatch
):
    listening = Listening(monkeypatch)
    await road.deposit()
    await road.submit(TEXTS)
    await road.stage("epoch")
    await dying(road)
    told = len(listening.news)
    await road.stage("plan")
    assert [len(one.sealed) for one in listening.news[told:]] == [1, 0]
    assert await road.value("select count(*) from task") == 1
    assert await road.stage("plan") == 0

    [offer] = await road.offered(ann := await road.join("ann"), kinds=["word_count"])
    await road.exchange(ann, await road.work(offer))
    await road.stage("judge")
    assert await road.stage("plan") == 0  # its plan is finished: no verdict can change it any more
    road.later(timedelta(seconds=31))
    await road.stage("publish")
    await dying(road)
    told = len(listening.news)
    await road.stage("plan")
    assert [len(one.sealed) for one in listening.news[told:]] == [1]
    assert await road.value("select count(*) from task") == 2


async def test_a_plan_that_goes_on_hears_what_was_believed_of_its_tasks(
    road: Road, monkeypatch: pytest.MonkeyPatch
):
    listening = Listening(monkeypatch, "trial")
    real = listening.real
    listening.real = lambda options, state, news: replace(real(options, state, news), finished=False)
    await road.begin(step={"tasks": 2, "validate": {"audit": "0%"}})
    ann = await road.join("ann")
    for value in (3, 4):
        await road.answer(ann, value)
        await road.stage("judge")
        await dying(road)
        await road.stage("plan")
    heard = [(one.task.number, one.result.value) for news in listening.news for one in news.accepted]
    assert sorted(set(heard)) == [(0, 3), (1, 4)]
    committed = [listening.news[number] for number in (0, 2, 4)]
    assert [len(news.accepted) for news in committed] == [0, 1, 1]
    assert [news.open for news in committed] == [0, 1, 0]


async def test_a_piece_is_written_as_it_was_cut(road: Road, monkeypatch: pytest.MonkeyPatch):
    listening = Listening(monkeypatch)

    def cut(options: object, state: bytes, news: News[Task, Result]) -> Plan[Task]:
        [shard] = news.sealed
        task = Task(shard, "text")
        pieces = [
            Piece(task=task, units=2, reads=(shard,), answers=3, audited=True),
            Piece(task=task, units=1, needs="engine"),
            Piece(task=task, units=4, node="n" * 32, holds=(shard,), challenges=4),
        ]
        return Plan(pieces, b"a bookmark", finished=True)

    listening.real = cut
    await road.deposit()
    await road.submit({**TEXTS, "steps": {"counts": TEXTS["steps"]["counts"]}, "dataset": {"from": "counts"}})
    await road.stage("epoch", "plan")
    rows = await road.rows("select * from task order by id")
    assert [row["kind"] for row in rows] == ["word_count", "word_count+engine", "word_count"]
    assert [(row["units"], row["places"], row["audited"]) for row in rows] == [
        (2, 3, True),
        (1, 1, False),
        (4, 1, False),
    ]
    assert [len(msgspec.json.decode(row["reads"])) for row in rows] == [1, 0, 0]
    assert [(row["pinned"], row["challenges"]) for row in rows] == [(None, 0), (None, 0), ("n" * 32, 4)]
    assert [row["until"] for row in rows] == [None, None, START + road.database.network.epoch]
    assert await road.value("select plan_state from step where name = 'counts'") == b"a bookmark"


async def test_tasks_that_need_an_engine_go_to_nodes_that_have_one(road: Road):
    await road.begin()
    async with road.database.begin() as (tx, _):
        await tx.execute("update task set kind = 'trial+engine'")
    ann, bob = await road.join("ann"), await road.join("bob")
    assert await road.offered(bob, engine=False) == []
    [offer] = await road.offered(ann)
    assert offer.kind == "trial"
    assert (await road.exchange(ann, done(offer))).taken == (offer.assignment,)


async def test_work_nearer_to_the_dataset_goes_first_and_audits_before_all(road: Road):
    two = {
        "first": {"kind": "trial", "from": "nothing", "price": "1/row", "tasks": 3},
        "second": {"kind": "trial", "from": "first", "price": "1/row", "tasks": 1, "audited": True},
    }
    await road.begin(campaign(steps=two, dataset={"from": "second"}))
    ann, bob = await road.join("ann"), await road.join("bob")
    [offer] = await road.offered(ann)
    assert offer.step == "trials/second"
    await road.offered(bob, room=0)
    await road.exchange(ann, done(offer))
    await road.stage("judge")
    offers = await road.offered(bob, room=2)
    assert [(one.step, one.role) for one in offers] == [
        ("trials/second", "audit"),
        ("trials/first", "answer"),
    ]


@pytest.mark.parametrize("then", ["judged again, and as before", "parked"])
async def test_a_plan_that_waited_for_an_open_task_is_asked_when_nothing_is_open_any_more(
    road: Road, then: str
):
    """Such an end brings no verdict to be told: the step would wait until its campaign's time is over."""
    await road.begin(step={"tasks": 2, "plan": "waits", "validate": {"audit": "0%"}})
    ann = await road.join("ann")
    await road.answer(ann)
    await road.stage("judge", "plan")
    await road.answer(ann)
    await road.stage("judge")
    async with road.database.begin() as (tx, _):
        await tx.execute("update task set state = 'open', again = true where id = 1")
    await road.stage("plan")
    assert not await road.value("select finished from step where kind is not null")
    if then == "parked":
        async with road.database.begin() as (tx, _):
            await tx.execute("update task set state = 'parked', again = false where id = 1")
    else:
        assert await road.stage("judge") == 1
        assert await road.value("select count(*) from verdict where task = 1") == 2
        assert await road.value("select verdict <> stands from task where id = 1")
    await road.stage("plan")
    assert await road.value("select finished from step where kind is not null")
    assert await road.stage("plan") == 0
