"""Honest hands: what a worker process may do, what it gets to see, and what becomes of its accidents.

The kind `odd` (tests/odd) does what its task says, and most of that is bad.
"""

import asyncio
import contextlib
import io
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pyarrow as pa
import pytest
from msgspec import Raw
from msgspec.structs import replace
from pyarrow import parquet

from optimai.core import rows
from optimai.core.ids import AssignmentId, BlobId, blob_id
from optimai.kinds import catalog
from optimai.kinds.catalog import Loaded
from optimai.kinds.kit import Page, Refused
from optimai.node import clock, limits, process
from optimai.node.cache import Cache
from optimai.node.clock import Clock
from optimai.node.depot import Depot
from optimai.node.frames import Setting
from optimai.node.hands import Declined
from optimai.node.kit import NodeKit, sweep
from optimai.node.workers import Workers
from optimai.wire.exchange import Asked, Offer
from tests.node_coordinator import FakeCoordinator, coordinating

pytestmark = pytest.mark.slow

ODD = Path(__file__).parent / "odd"


class Line:
    def __init__(self) -> None:
        self.challenges: asyncio.Queue[Asked] = asyncio.Queue()
        self.answers: list[tuple[int, str]] = []
        self.told: list[tuple[int, int]] = []

    async def asked(self) -> Asked:
        return await self.challenges.get()

    async def met(self, challenge: int, digest: str) -> None:
        self.answers.append((challenge, digest))

    def progress(self, done: int, of: int) -> None:
        self.told.append((done, of))


class Crew:
    """Workers, a coordinator that keeps their blobs, and a way to give them something to do."""

    def __init__(self, coordinator: FakeCoordinator, folder: Path, **fields: Any) -> None:
        self.coordinator = coordinator
        self.folder = folder
        self.clock = Clock()
        word_count = catalog.load("word_count")
        kind = replace(word_count.kind, **{"name": "odd", "reads": "nothing", "memory_mb": 200, **fields})
        self.kinds: dict[str, Loaded] = {"word_count": word_count, "odd": replace(word_count, kind=kind)}
        self.setting = Setting(
            url=coordinator.url,
            cache=str(folder / "cache"),
            cache_mb=10,
            scratch=str(folder / "scratch"),
            hosts={},
            memory_mb=200,
            parent=os.getpid(),
        )
        self.workers = Workers(self.setting, self.kinds, 2, self.clock)

    def offer(self, kind: str, task: object, lease: float = 30.0) -> Offer:
        self.coordinator.add(kind, task, lease)
        offer = self.coordinator.work.pop()
        self.coordinator.offered.append(offer)
        return offer

    async def do(self, do: str, argument: str = "", *, line: Line | None = None, lease: float = 30.0) -> str:
        """What the odd kind says; its decline in brackets."""
        offer = self.offer("odd", {"do": do, "argument": argument}, lease)
        outcome = await self.workers.do(offer, line or Line())
        if isinstance(outcome, Declined):
            return f"[{outcome.why}]"
        said: str = msgspec.json.decode(outcome)["said"]
        return said

    def processes(self) -> list[psutil.Process]:
        ours = psutil.Process().children(recursive=True)
        return [one for one in ours if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


def alive(pid: int) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


Hire = Callable[..., Crew]


@pytest.fixture
async def hire(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Hire]:
    real = limits.environment

    def with_odd(scratch: Path, threads: int) -> dict[str, str]:
        made = real(scratch, threads)
        return made | {"PYTHONPATH": f"{made['PYTHONPATH']}:{ODD}"}

    monkeypatch.setattr(process, "environment", with_odd)
    crews = []
    async with coordinating(FakeCoordinator()) as coordinator:

        def hire(**fields: Any) -> Crew:
            crews.append(Crew(coordinator, tmp_path, **fields))
            return crews[-1]

        yield hire
        for crew in crews:
            await crew.workers.close()


def shard(coordinator: FakeCoordinator, *texts: str) -> dict[str, Any]:
    """A shard with these texts, at the coordinator."""
    table = pa.table(
        {
            "_row": [rows.row_id("c/before", text) for text in texts],
            "text": list(texts),
            "other": [1] * len(texts),
        }
    )
    parquet.write_table(table, file := io.BytesIO(), compression="zstd")
    data = file.getvalue()
    coordinator.blobs[blob_id(data)] = data
    return {"blob": blob_id(data), "rows": len(texts), "bytes": len(data)}


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


async def test_a_worker_stays_warm_for_the_next_task(hire: Hire):
    crew = hire()
    assert await crew.do("pid") == await crew.do("pid")


async def test_a_kind_that_may_do_several_tasks_does_them_in_one_process_and_others_in_one_each(hire: Hire):
    crew = hire(parallel=2)
    first = asyncio.create_task(crew.do("sleep", "0.5"))
    await asyncio.sleep(0)
    pids = await asyncio.gather(crew.do("pid"), crew.do("pid"))
    assert len({*pids}) == 2
    assert await first == ""
    assert len(crew.processes()) == 2


async def test_what_a_library_prints_does_not_disturb_and_standard_input_is_empty(hire: Hire):
    assert await hire().do("print", "a page of logs") == "''"


async def test_a_worker_sees_nothing_of_the_agents_environment(hire: Hire, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SECRET_TOKEN", "s3cret")
    seen = json.loads(await hire().do("environment"))
    assert "s3cret" not in str(seen)
    assert seen["DO_NOT_TRACK"] == "1"
    assert seen["OMP_NUM_THREADS"] == "1"
    allowed = {
        "PATH",
        "HOME",
        "TMPDIR",
        "LANG",
        "LC_CTYPE",
        "PYTHONPATH",
        "PYTHONDONTWRITEBYTECODE",
        "DO_NOT_TRACK",
    }
    assert {name for name in seen if not name.endswith("_THREADS")} <= {*allowed, "SCARF_NO_ANALYTICS"}


@pytest.mark.skipif(sys.platform != "linux", reason="macOS heeds neither RLIMIT_DATA nor RLIMIT_AS")
async def test_a_task_that_wants_too_much_memory_is_declined_and_the_worker_lives_on(hire: Hire):
    crew = hire()
    pid = await crew.do("pid")
    assert await crew.do("memory", "100") == str(100 << 20)
    assert await crew.do("memory", "600") == "[The work broke over it (MemoryError).]"
    assert await crew.do("pid") == pid


async def test_open_files_core_dumps_and_processor_time_are_limited(hire: Hire):
    said = json.loads(await hire().do("limits", "RLIMIT_NOFILE RLIMIT_CORE RLIMIT_CPU", lease=30))
    assert said["RLIMIT_NOFILE"] == limits.FILES
    assert said["RLIMIT_CORE"] == 0
    assert 100 < said["RLIMIT_CPU"] < 140  # two cores, twice the lease


async def test_an_error_of_ours_is_told_and_any_other_only_named(hire: Hire):
    """Its text may hold a path of this machine, or worse."""
    crew = hire()
    assert "do not have the hash abc" in await crew.do("refuse", "abc")
    assert await crew.do("raise", "/home/ann/secret") == "[The work broke over it (RuntimeError).]"


async def test_a_task_that_its_kind_can_not_read_is_declined(hire: Hire):
    crew = hire()
    outcome = await crew.workers.do(crew.offer("odd", {"dont": 1}), Line())
    assert outcome == Declined("The work broke over it (ValidationError).")


async def test_a_task_whose_worker_died_is_tried_once_more(hire: Hire, tmp_path: Path):
    assert await hire().do("die once", str(tmp_path / "mark")) == "the second time"


async def test_a_task_that_kills_two_workers_is_declined_and_the_others_with_it_are_not(hire: Hire):
    crew = hire(parallel=4)
    await crew.do("pid")
    killer, *others = await asyncio.gather(crew.do("die"), crew.do("sleep", "0.2"), crew.do("sleep", "0.3"))
    assert killer == "[The worker of odd died over it twice.]"
    assert others == ["", ""]


async def test_a_worker_that_is_killed_in_the_middle_costs_time_and_nothing_else(hire: Hire):
    crew = hire()
    pid = int(await crew.do("pid"))
    working = asyncio.create_task(crew.do("sleep", "0.5"))
    await asyncio.sleep(0.1)
    os.kill(pid, signal.SIGKILL)
    assert await working == ""


async def test_a_cancelled_task_stops_at_once_and_its_worker_stays(hire: Hire):
    crew = hire()
    pid = await crew.do("pid")
    working = asyncio.create_task(crew.do("sleep", "60"))
    await asyncio.sleep(0.1)
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(working, 1)
    assert await crew.do("pid") == pid


@pytest.mark.parametrize("busy", ["spin", "spin in c"])
async def test_a_cancelled_task_that_does_not_listen_is_killed(hire: Hire, busy: str):
    crew = hire()
    pid = await crew.do("pid")
    working = asyncio.create_task(crew.do(busy))
    await asyncio.sleep(0.2)
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(working, 1)
    assert await crew.do("pid") != pid


async def test_closing_ends_a_worker_and_all_that_it_started(hire: Hire, tmp_path: Path):
    crew = hire()
    working = asyncio.create_task(crew.do("child", str(tmp_path / "pids")))
    await crew.coordinator.until(lambda: len(crew.processes()) == 2)
    working.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await working
    await crew.workers.close()
    assert crew.processes() == []
    assert await crew.do("echo", "after") == "after"


async def test_what_a_worker_started_dies_with_it(hire: Hire, tmp_path: Path):
    dying = hire().do("child and die", str(tmp_path / "pids"))
    assert "died over it twice" in await asyncio.wait_for(dying, 20)
    children = [int(line) for line in (tmp_path / "pids").read_text().split()]
    assert len(children) == 2
    assert not any(alive(child) for child in children)


async def test_a_worker_whose_agent_is_gone_ends_with_all_that_it_started(hire: Hire, tmp_path: Path):
    """What tells it so on any system is that its standard input ends."""
    crew = hire()
    working = asyncio.create_task(crew.do("child", str(tmp_path / "pids")))
    await crew.coordinator.until(lambda: (tmp_path / "pids").exists() and (tmp_path / "pids").read_text())
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    (worker,) = crew.workers._processes["odd"]
    assert worker._begun
    stdin = worker._begun.result().stdin
    assert stdin
    stdin.close()
    await crew.coordinator.until(lambda: not any(alive(pid) for pid in pids), 3)
    working.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await working


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with its parent")
async def test_a_worker_that_listens_to_nobody_ends_with_its_agent_too(hire: Hire, tmp_path: Path):
    crew = hire()
    offer = crew.offer("odd", {"do": "spin in c"})
    setting = msgspec.json.encode(crew.setting).decode()
    agent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", AGENT, str(ODD), setting, msgspec.json.encode(offer).decode()),
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    inside = psutil.Process(agent.pid)
    await crew.coordinator.until(inside.children)
    worker = inside.children()[0]
    await crew.coordinator.until(lambda: worker.num_threads() > 1)  # it listens
    await asyncio.sleep(0.5)  # and now it does not
    agent.kill()
    await agent.wait()
    await crew.coordinator.until(lambda: not alive(worker.pid), 3)


AGENT = """
import asyncio, os, sys
import msgspec
from optimai.node import frames, limits, process
from optimai.wire.exchange import Offer

real = limits.environment
process.environment = lambda scratch, threads: real(scratch, threads) | {
    "PYTHONPATH": f"{real(scratch, threads)['PYTHONPATH']}:{sys.argv[1]}"
}
setting = msgspec.structs.replace(msgspec.json.decode(sys.argv[2], type=frames.Setting), parent=os.getpid())

class Line:
    async def asked(self):
        await asyncio.sleep(60)

async def main():
    offer = msgspec.json.decode(sys.argv[3], type=Offer)
    await process.Process("odd", setting, 1).do(offer, Line(), ahead=0, cpu=60)

asyncio.run(main())
"""


async def test_the_scratch_folder_of_a_task_goes_with_it_even_if_its_worker_dies(hire: Hire):
    crew = hire()
    assert not Path(await crew.do("scratch")).exists()
    await crew.do("scratch and die")
    assert list((crew.folder / "scratch").glob("task-*")) == []


async def test_the_scratch_folder_of_standing_work_is_there_for_the_steps_next_task(hire: Hire):
    crew = hire()

    async def fetch(url: str, **_: Any) -> Page:
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
