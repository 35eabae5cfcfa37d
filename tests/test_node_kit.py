"""What a task may touch, as a worker gives it: rows, bytes, a folder, the time, challenges."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from msgspec import Raw

from optimai.core import rows
from optimai.core.errors import BadValue
from optimai.core.ids import AssignmentId, BlobId, blob_id
from optimai.kinds.contract import Shard
from optimai.kinds.hold.spec import Task as HoldTask
from optimai.kinds.hold.work import work as hold
from optimai.kinds.kit import Page, Refused
from optimai.node import clock
from optimai.node.cache import Cache
from optimai.node.depot import Depot
from optimai.node.hands import Declined
from optimai.node.kit import NodeKit, sweep
from optimai.wire.exchange import Asked
from tests.node_crew import Crew, Hire, Line, hiring, shard

pytestmark = pytest.mark.slow


@pytest.fixture
async def hire(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Hire]:
    async with hiring(tmp_path, monkeypatch) as hire:
        yield hire


async def test_a_real_kind_reads_a_shard_and_writes_canonical_rows(hire: Hire):
    crew = hire()
    offer = crew.offer(
        "word_count", {"shard": shard(crew.coordinator, "to be or not", "to be"), "column": "text"}
    )
    outcome = await crew.workers.do(offer, Line())
    assert isinstance(outcome, Raw)
    blob = msgspec.json.decode(outcome)["rows"]
    made = rows.read(crew.coordinator.blobs[blob], most=2)
    assert sorted(row["words"] for row in made) == [2, 4]
    assert all(row["_row"] == rows.row_id("test/step", *row["_from"]) for row in made)


async def test_the_scratch_folder_of_a_task_goes_with_it_even_if_its_worker_dies(hire: Hire):
    crew = hire()
    assert not Path(await crew.do("scratch")).exists()
    await crew.do("scratch and die")
    assert list((crew.folder / "scratch").glob("task-*")) == []


async def test_the_scratch_folder_of_standing_work_is_there_for_the_steps_next_task(hire: Hire):
    crew = hire()

    async def fetch(url: str, **how: object) -> Page:
        raise Refused("unreachable")

    def kit() -> NodeKit:
        return NodeKit(
            offer=crew.offer("odd", {}),
            standing=True,
            depot=Depot("http://127.0.0.1:9", Cache(crew.folder / "cache", 1000), clock.now),
            fetch=fetch,
            scratch=crew.folder,
            now=clock.now,
            line=Line(),
        )

    first, second = kit(), kit()
    (first.scratch() / "held").write_text("x")
    first.close()
    assert (second.scratch() / "held").read_text() == "x"


@pytest.mark.parametrize("links", [True, False])
async def test_a_blob_that_is_kept_lies_on_the_disk_once_and_stays_when_the_cache_drops_it(
    hire: Hire, monkeypatch: pytest.MonkeyPatch, links: bool
):
    crew = hire()
    if not links:
        monkeypatch.setattr(os, "link", lambda *_: (_ for _ in ()).throw(OSError("no second names here")))
    data = bytes(range(256)) * 40
    blob = blob_id(data)
    crew.coordinator.blobs[blob] = data
    async with keeping(crew) as kit:
        kept = await kit.keep(blob)
        cached = crew.folder / "kept" / blob[:2] / blob
        assert kept == kit.scratch() / blob
        assert kept.read_bytes() == cached.read_bytes() == data
        assert kept.samefile(cached) == links
        crew.coordinator.blobs.clear()
        cached.unlink()
        assert await kit.keep(blob) == kept, "and it is not asked for again"
        assert kept.read_bytes() == data
        assert [path.name for path in kit.scratch().iterdir()] == [blob]
        with pytest.raises(BadValue):
            await kit.keep(BlobId("../step-of-another/its-file"))


async def test_two_tasks_of_steps_of_one_name_keep_what_each_is_asked_for(hire: Hire):
    """As when a campaign is cancelled and another takes its name: its last epoch still runs."""
    crew = hire()
    first, second = (Shard(blob_id(one), 1, len(one)) for one in (b"one" * 99, b"two" * 99))
    crew.coordinator.blobs |= {first.blob: b"one" * 99, second.blob: b"two" * 99}
    async with keeping(crew) as old, keeping(crew) as new:
        await hold(HoldTask((first,), 1, clock.now()), old)
        await hold(HoldTask((second,), 1, clock.now()), new)
        assert not (old.scratch() / first.blob).exists()
        assert (await old.keep(first.blob)).read_bytes() == b"one" * 99


@asynccontextmanager
async def keeping(crew: Crew) -> AsyncIterator[NodeKit]:
    async def fetch(url: str, **how: object) -> Page:
        raise Refused("unreachable")

    depot = Depot(crew.coordinator.url, Cache(crew.folder / "kept", 1 << 20), clock.now)
    yield NodeKit(
        offer=crew.offer("odd", {}),
        standing=True,
        depot=depot,
        fetch=fetch,
        scratch=crew.folder / "standing",
        now=clock.now,
        line=Line(),
    )
    await depot.close()


def test_before_any_work_begins_what_dead_workers_left_is_swept_away(tmp_path: Path):
    for name in ("task-1", "step-old", "step-new"):
        (tmp_path / name).mkdir()
    os.utime(tmp_path / "step-old", (0, 0))
    sweep(tmp_path, clock.now())
    assert [path.name for path in tmp_path.iterdir()] == ["step-new"]


async def test_blobs_come_from_the_machines_own_cache_the_second_time(hire: Hire):
    crew = hire()
    assert await crew.do("blob", "x") == "10000"
    crew.coordinator.blobs.clear()
    assert await crew.do("blob", "x") == "10000"


async def test_a_coordinator_that_is_down_for_a_moment_is_waited_for(hire: Hire):
    crew = hire()
    crew.coordinator.blob_faults = 3
    assert await crew.do("blob", "x") == "10000"


async def test_a_coordinator_that_stays_down_is_waited_for_until_the_lease_ends(hire: Hire):
    crew = hire()
    crew.coordinator.blob_faults = 10**6
    assert "can't be reached" in await crew.do("blob", "x", lease=1.5)


async def test_damaged_bytes_are_never_worked_on(hire: Hire):
    crew = hire()
    good = shard(crew.coordinator, "a")
    crew.coordinator.blobs[BlobId(good["blob"])] = b"something else"
    outcome = await crew.workers.do(crew.offer("word_count", {"shard": good, "column": "text"}), Line())
    assert isinstance(outcome, Declined)
    assert "do not have the hash" in outcome.why


async def test_progress_is_passed_on(hire: Hire):
    line = Line()
    await hire().do("progress", line=line)
    assert line.told == [(1, 2)]


async def test_challenges_reach_the_task_and_its_answers_come_back_until_the_lease_ends(hire: Hire):
    crew, line = hire(), Line()
    for number in (4, 5):
        line.challenges.put_nowait(Asked(number, AssignmentId(1), "b" * 64, 0, 1, bytes([number])))
    assert await crew.do("challenges", line=line, lease=1.5) == "4 5 "
    assert line.answers == [(4, "04"), (5, "05")]


async def test_a_worker_reads_the_networks_time(hire: Hire):
    crew = hire()
    crew.clock.ahead = timedelta(hours=1)
    assert -3570 > float(await crew.do("rest of the lease", lease=30)) > -3610
