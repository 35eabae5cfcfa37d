"""Stages: which find something when, one replica at a time where it must be, and that one that fails stops no other."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

import pytest
from msgspec.structs import replace

from optimai.core.assignment import Role
from optimai.network import drive, stages
from optimai.network.drive import Driver
from optimai.network.store import conducts, due
from optimai.network.store.sql import Conflict, Database, DatabaseClock, Tx
from tests.road import START, Road, campaign, done

pytestmark = pytest.mark.usefixtures("trial")


@pytest.fixture
def road(database: Database) -> Road:
    return Road(database)


async def moments(road: Road) -> dict[str, timedelta]:
    """From the first moment on."""
    async with road.database.begin() as (tx, now):
        return {stage: moment - START for stage, moment in (await due.moments(tx, now)).items()}


async def test_whoever_drives_the_stages_is_told_when_each_will_find_something(road: Road):
    second, minute, hour = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
    await road.begin(until="3d", step={"tasks": 3, "validate": {"audit": "0%"}})
    assert await moments(road) == {"epoch": hour, "end": timedelta(days=3)}
    ann = await road.join("ann")
    offers = await road.offered(ann, room=2)
    assert (await moments(road))["expire"] == minute
    await road.exchange(ann, *(done(offer) for offer in offers))
    await road.stage("judge", "settle")
    assert await moments(road) == {
        "epoch": hour,
        "end": timedelta(days=3),
        "publish": 30 * second,
        "release": 10 * minute,
        "closing": 10 * minute,
    }
    await road.offered(await road.join("bob"), room=0)
    await road.answer(ann)
    await road.stage("judge")
    async with road.database.begin() as (tx, _):
        await tx.execute("update task set places = 1, state = 'open' where id = 3")
        await tx.execute("update assignment set state = 'returned' where task = 3")
    assert (await moments(road))["judge"] == minute


@pytest.mark.parametrize("name", ["expire", "release", "publish", "end", "epoch"])
async def test_at_that_moment_it_finds_something_and_not_a_second_before(road: Road, name: str):
    await road.begin(until="2h", appeal="20m", step={"tasks": 3, "validate": {"audit": "0%"}})
    ann = await road.join("ann")
    first, _ = await road.offered(ann, room=2)
    await road.exchange(ann, done(first))
    await road.stage("judge", "settle")
    moment = START + (await moments(road))[name]
    road.now = moment - timedelta(seconds=1)
    assert await road.stage(name) == 0
    road.now = moment
    assert await road.stage(name) > 0


async def test_patience_ends_at_its_moment_too(road: Road):
    await road.begin(step={"audited": True})
    ann, bob = await road.join("ann"), await road.join("bob")
    await road.offered(bob, room=0)
    await road.answer(ann)
    await road.stage("judge")
    road.now = START + (await moments(road))["judge"]
    assert await road.stage("judge") == 0  # bob may still come
    road.now = START + (await moments(road))["judge"]
    assert await road.stage("judge") == 1


async def waited(road: Road, lock: str) -> None:
    """Until somebody waits for that lock."""
    async with road.database.begin() as (tx, _):
        asked = "select count(*) from pg_locks where locktype = 'advisory' and objid = $1 and not granted"
        while not await tx.fetchval(asked, stages.LOCKS[lock]):  # noqa: ASYNC110 - PostgreSQL tells nobody
            await asyncio.sleep(0.01)


async def test_a_stage_waits_while_another_replica_runs_it(road: Road):
    await road.begin(step={"validate": {"audit": "0%"}})
    await road.answer(await road.join("ann"))
    async with road.database.begin(stages.LOCKS["judge"]):
        second = asyncio.create_task(road.stage("judge"))
        await waited(road, "judge")
        assert not second.done()
    assert await second == 1


async def test_a_wait_that_is_broken_off_leaves_the_lock_to_others(road: Road):
    async with road.database.begin(stages.LOCKS["judge"]):
        second = asyncio.create_task(road.stage("judge"))
        await waited(road, "judge")
        second.cancel()
        await asyncio.wait([second])
    async with road.database.begin() as (tx, _):
        assert await tx.fetchval("select pg_try_advisory_xact_lock($1)", stages.LOCKS["judge"])


async def test_nothing_becomes_free_while_its_owner_is_being_suspended(road: Road):
    await road.begin(step={"validate": {"audit": "0%"}})
    ann = await road.join("ann")
    await road.answer(ann)
    await road.stage("judge", "settle")
    road.later(11 * timedelta(minutes=1))
    async with road.database.begin(stages.LOCKS["judge"]) as (tx, now):
        assert await conducts.suspend(tx, (ann.owner, "trial", Role.ANSWER), now) == 1
        releasing = asyncio.create_task(road.stage("release"))
        await waited(road, "judge")
    assert await releasing == 0


async def test_a_stage_that_another_was_faster_than_has_done_nothing(road: Road):
    async def late(tx: Tx, now: object, limit: int) -> int:
        raise Conflict("somebody else wrote that")

    stage = replace(stages.BY_NAME["plan"], run=late)
    numbered = stages.STAGES
    try:
        stages.STAGES = (*numbered, stage)
        assert await stages.run(road.database, stage) == 0
    finally:
        stages.STAGES = numbered


async def test_two_who_wait_for_each_other_are_told_so_and_nothing_of_one_has_happened(road: Road):
    async with road.database.begin() as (tx, _):
        await tx.execute("insert into account values ('a', 1), ('b', 1)")
    ready = [asyncio.Event(), asyncio.Event()]

    async def takes(first: str, second: str, mine: int) -> str:
        try:
            async with road.database.begin() as (tx, _):
                await tx.execute("update account set balance = balance + 1 where name = $1", first)
                ready[mine].set()
                await ready[1 - mine].wait()
                await tx.execute("update account set balance = balance + 1 where name = $1", second)
        except Conflict:
            return "conflict"
        return "done"

    ends = await asyncio.gather(takes("a", "b", 0), takes("b", "a", 1))
    assert sorted(ends) == ["conflict", "done"]
    assert await road.balance("a") == await road.balance("b") == 2


async def test_what_is_written_in_a_part_that_raises_is_not_written_and_the_rest_is(road: Road):
    async with road.database.begin() as (tx, _):
        await tx.execute("insert into account values ('a', 1)")
        with suppress(ZeroDivisionError):
            async with tx.part():
                await tx.execute("update account set balance = 9 where name = 'a'")
                raise ZeroDivisionError
    assert await road.balance("a") == 1


# The driver, in real time


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110 - what is waited for is in the database
            await asyncio.sleep(0.01)


async def test_all_stages_are_driven_and_one_that_fails_is_tried_again_while_the_others_go_on(
    database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    database.clock = DatabaseClock()
    calls: dict[str, int] = {}

    def counted(stage: stages.Stage) -> stages.Stage:
        async def run(tx: Tx, now: object, limit: int) -> int:
            calls[stage.name] = calls.get(stage.name, 0) + 1
            if stage.name == "plan":
                raise ZeroDivisionError
            return await stage.run(tx, now, limit)  # type: ignore[arg-type]

        return replace(stage, run=run, every=timedelta(milliseconds=20))

    monkeypatch.setattr(drive, "AFTER_A_FAULT", 0.02)
    monkeypatch.setattr(stages, "STAGES", tuple(counted(stage) for stage in stages.STAGES))
    monkeypatch.setattr(stages, "BY_NAME", {stage.name: stage for stage in stages.STAGES})
    driving = asyncio.create_task(Driver(database).forever())
    await until(lambda: len(calls) == len(stages.STAGES) and min(calls.values()) > 2)
    driving.cancel()
    await asyncio.gather(driving, return_exceptions=True)
    assert "stage plan failed" in caplog.text
    async with database.begin() as (tx, _):
        assert await tx.fetchval("select count(*) from epoch") == 1


async def test_a_stage_is_woken_by_what_makes_work_for_it(
    database: Database, monkeypatch: pytest.MonkeyPatch
):
    """In the database's own time: no stage looks by itself before a minute is over."""
    database.clock = DatabaseClock()
    slow = tuple(replace(stage, every=timedelta(minutes=1)) for stage in stages.STAGES)
    monkeypatch.setattr(stages, "STAGES", slow)
    monkeypatch.setattr(stages, "BY_NAME", {stage.name: stage for stage in slow})
    road = Road(database)
    database.clock = DatabaseClock()
    driver = Driver(database)
    driving = asyncio.create_task(driver.forever())
    await road.deposit()
    ann = await road.join("ann")
    await road.submit(campaign(step={"validate": {"audit": "0%"}}))
    driver.wake(["plan"])
    offers = []
    while not offers:
        offers = await road.offered(ann)
    await road.exchange(ann, done(offers[0]))
    driver.wake(stages.TAKEN_IN)
    async with asyncio.timeout(20):
        while not await road.value("select count(*) from version"):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    driving.cancel()
    await asyncio.gather(driving, return_exceptions=True)
    assert await road.value("select state from earning") == "pending"
