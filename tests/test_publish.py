"""What verdicts believe becomes rows in sealed shards, each with where it is from."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from optimai.core import rows as canonical
from optimai.core.rows import row_id
from optimai.kinds import catalog
from optimai.kinds.contract import Shard
from optimai.network import shards
from optimai.network.store import publishing
from optimai.network.store.sql import Database
from tests.road import Road, campaign, done

pytestmark = pytest.mark.usefixtures("trial")

UNCHECKED = {"validate": {"audit": "0%"}}


@pytest.fixture
def road(database: Database) -> Road:
    return Road(database)


async def published(road: Road, step: str = "tried") -> list[list[dict[str, Any]]]:
    """The rows of each shard of a step."""
    async with road.database.begin() as (tx, _):
        number = await tx.fetchval("select id from step where name = $1", step)
        return [await shards.read(tx, shard) for shard in await publishing.shards_of(tx, number)]


async def answered(road: Road, tasks: int) -> None:
    node = await road.join("ann")
    await road.exchange(node, *(done(offer) for offer in await road.offered(node, room=tasks)))
    await road.stage("judge")


# When


async def test_a_shard_is_sealed_when_enough_rows_wait(road: Road):
    road.database.network = replace(road.database.network, seal_rows=3)
    await road.begin(step={"tasks": 8} | UNCHECKED)
    ann = await road.join("ann")
    offers = await road.offered(ann, room=7)
    await road.exchange(ann, *(done(offer) for offer in offers[:2]))
    await road.stage("judge")
    assert await road.stage("publish") == 0
    await road.exchange(ann, *(done(offer) for offer in offers[2:]))
    await road.stage("judge")
    while await road.stage("publish"):
        pass
    assert [len(some) for some in await published(road)] == [3, 3]


async def test_a_shard_is_sealed_when_its_first_row_has_waited_long_enough(road: Road):
    await road.begin(step={"tasks": 2} | UNCHECKED)
    await answered(road, 1)
    road.later(timedelta(seconds=29))
    assert await road.stage("publish") == 0
    road.later(timedelta(seconds=1))
    assert await road.stage("publish") == 1
    assert [len(some) for some in await published(road)] == [1]


async def test_a_shard_is_sealed_at_once_when_its_step_has_nothing_more_to_come(road: Road):
    await road.begin(step={"tasks": 2} | UNCHECKED)
    await answered(road, 2)
    assert await road.stage("publish") == 1
    assert await road.stage("seal") == 1
    assert [len(some) for some in await published(road)] == [2]


async def test_a_step_is_not_sealed_while_a_task_is_open_or_has_no_shard(road: Road):
    await road.begin(step={"tasks": 2} | UNCHECKED)
    await answered(road, 1)
    assert await road.stage("seal") == 0
    await answered(road, 1)
    assert await road.stage("seal") == 0
    assert await road.stage("publish", "seal") == 1
    assert await road.value("select state from step where name = 'tried'") == "sealed"


async def test_a_verdict_that_believes_nobody_leaves_no_row_and_still_ends_its_step(road: Road):
    await road.begin(until="1h", step={"answers": 2} | UNCHECKED)
    for name, value in (("ann", 1), ("bob", 2)):
        await road.answer(await road.join(name), value)
    road.later(timedelta(hours=1))
    await road.quiet()
    assert await published(road) == []
    assert await road.value("select state from step where name = 'tried'") == "sealed"


# What


async def test_a_row_names_its_result_and_the_verdict_that_believed_it(road: Road):
    await road.begin(step=UNCHECKED)
    await answered(road, 1)
    await road.stage("publish")
    [[row]] = await published(road)
    envelope, place = await road.value("select (envelope, place) from assignment")
    assert row["_result"] == f"{envelope}.{place}"
    assert row["_verdict"] == await road.value("select id from verdict")
    assert row["_lineage"] == []
    assert (row["_row"], row["number"], row["value"]) == (row_id("trials/tried", "0"), 0, 7)


async def counted_and_counted_again(road: Road) -> None:
    steps = {
        "tried": {"kind": "trial", "from": "nothing", "tasks": 3} | UNCHECKED,
        "words": {"kind": "word_count", "from": "tried", "column": "text"} | UNCHECKED,
    }
    await road.begin(campaign(steps=steps, dataset={"from": "words"}))
    ann = await road.join("ann")
    await road.exchange(ann, *(done(offer) for offer in await road.offered(ann, room=3)))
    await road.stage("judge", "publish", "seal", "plan")
    [offer] = await road.offered(ann, kinds=["word_count"])
    await road.exchange(ann, await road.work(offer))
    await road.stage("judge", "publish")


async def test_a_row_made_of_others_carries_the_verdicts_behind_them(road: Road):
    await counted_and_counted_again(road)
    [before] = await published(road, "tried")
    [after] = await published(road, "words")
    verdicts = {row["_row"]: row["_verdict"] for row in before}
    assert len(set(verdicts.values())) == 3
    assert {row["_from"][0]: row["_lineage"] for row in after} == {
        name: [verdict] for name, verdict in verdicts.items()
    }


async def test_a_kind_that_carries_hands_on_the_columns_of_the_parent_and_its_own_win(
    road: Road, monkeypatch: pytest.MonkeyPatch
):
    loaded = catalog.load("word_count")
    carrying = replace(loaded, kind=replace(loaded.kind, carries=True))
    real = catalog.load
    monkeypatch.setattr(catalog, "load", lambda name: carrying if name == "word_count" else real(name))
    reads: list[str] = []
    read = shards.read

    async def counted(tx: Any, shard: Shard, columns: Any = None) -> list[dict[str, Any]]:
        reads.append(shard.blob) if columns is None else None
        return await read(tx, shard, columns)

    monkeypatch.setattr(shards, "read", counted)
    await counted_and_counted_again(road)
    assert len(reads) == 1
    [rows] = await published(road, "words")
    assert sorted(row["number"] for row in rows) == [0, 1, 2]
    assert {(row["value"], row["words"]) for row in rows} == {(7, 0)}
    assert len({row["_row"] for row in rows} & {row["_from"][0] for row in rows}) == 0


async def test_a_row_whose_ancestor_was_overturned_leaves_every_version_behind_it(road: Road):
    await counted_and_counted_again(road)
    async with road.database.begin() as (tx, now):  # the first task is judged again, and nobody is believed
        epoch = await tx.fetchval("select number from epoch")
        again = await tx.fetchval(
            "insert into verdict (task, epoch, at, believed, reason, body)"
            " select task, $1, $2, 'null', 'again', body from verdict order by id limit 1 returning id",
            epoch,
            now,
        )
        await tx.execute(
            "update task set stands = $1, verdict = $1 where id = (select min(id) from task)", again
        )
    await road.stage("seal", "dataset")
    assert await road.value("select rows from version") == 2


# Parquet

texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
values = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | texts
names = st.sampled_from(["a", "b", "größe", "c d"])


@given(
    st.lists(st.dictionaries(names, values | st.lists(texts, max_size=2), max_size=4), min_size=1, max_size=5)
)
def test_any_row_that_can_be_taken_can_be_written_as_parquet_and_read_again(many: list[dict[str, Any]]):
    rows = [row | {"_row": f"{number:032x}"} for number, row in enumerate(many)]
    taken = canonical.read(canonical.write(rows), most=9)
    back = shards._decode(shards._encode(taken), None)
    assert [row["_row"] for row in back] == [row["_row"] for row in taken]
    for row, again in zip(taken, back, strict=True):
        for name, value in row.items():
            assert again[name] == value or again[name] == str(value)


def test_a_column_that_a_shard_lacks_reads_as_nothing():
    data = shards._encode([{"_row": "1", "a": 1}])
    assert shards._decode(data, ["_row", "b"]) == [{"b": None, "_row": "1"}]
