"""The agent of a node and its workers as real processes: they work, they end, they are killed."""

import asyncio
import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pyarrow as pa
import pytest
from pyarrow import parquet

from optimai.core import rows
from optimai.core.ids import blob_id
from optimai.node.home import Home
from optimai.node.invite import Invite
from optimai.node.join import join
from optimai.node.outbox import Outbox
from tests.node_coordinator import FakeCoordinator, coordinating
from tests.processes import alive

pytestmark = pytest.mark.slow

SRC = Path(__file__).parents[1] / "src"


@pytest.fixture
async def coordinator() -> AsyncIterator[FakeCoordinator]:
    async with coordinating(FakeCoordinator()) as fake:
        yield fake


@pytest.fixture
async def home(coordinator: FakeCoordinator, tmp_path: Path) -> Home:
    made = Home(tmp_path / "node")
    await join(made, Invite(coordinator.url, coordinator.id), cores=2, kinds=("word_count",))
    return made


class Run:
    """`python -m optimai.node FOLDER`, and what it starts."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.inside = psutil.Process(process.pid)

    def workers(self) -> list[psutil.Process]:
        with suppress(psutil.NoSuchProcess):
            return [
                one for one in self.inside.children(recursive=True) if "optimai.node.worker" in one.cmdline()
            ]
        return []


@asynccontextmanager
async def running(home: Home) -> AsyncIterator[Run]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "optimai.node", str(home.folder)),
        env={"PYTHONPATH": str(SRC), "PATH": os.defpath},
    )  # what it logs, pytest shows where the test fails
    try:
        yield Run(process)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def texts(coordinator: FakeCoordinator, number: int) -> dict[str, Any]:
    """A task of word_count over `number` rows."""
    names = [rows.row_id("c/before", str(n)) for n in range(number)]
    parquet.write_table(pa.table({"_row": names, "text": ["to be or not"] * number}), file := io.BytesIO())
    coordinator.blobs[blob_id(file.getvalue())] = file.getvalue()
    shard = {"blob": blob_id(file.getvalue()), "rows": number, "bytes": len(file.getvalue())}
    return {"shard": shard, "column": "text"}


async def test_an_agent_with_real_workers_counts_words(coordinator: FakeCoordinator, home: Home):
    wanted = [coordinator.add("word_count", texts(coordinator, 10 + n)) for n in range(6)]
    async with running(home) as agent:
        await coordinator.until(lambda: len(coordinator.results) == 6)
        assert 1 <= len(agent.workers()) <= 2
    for assignment in wanted:
        done = coordinator.result(assignment)
        assert done
        assert not done.declined
        made = rows.read(coordinator.blobs[msgspec.json.decode(done.result)["rows"]], most=100)
        assert {row["words"] for row in made} == {4}


async def test_a_killed_worker_loses_no_task(coordinator: FakeCoordinator, home: Home):
    async with running(home) as agent:
        warm = coordinator.add("word_count", texts(coordinator, 1))
        await coordinator.until(lambda: coordinator.result(warm) is not None)
        wanted = [coordinator.add("word_count", texts(coordinator, 60_000 + n)) for n in range(2)]
        await coordinator.until(lambda: len(coordinator.offered) == 3)
        for worker in agent.workers():
            worker.kill()
        await coordinator.until(lambda: len(coordinator.results) == 3)
    assert all(not coordinator.result(one).declined for one in wanted)  # type: ignore[union-attr]


async def test_a_killed_agent_takes_its_workers_along_and_its_results_survive(
    coordinator: FakeCoordinator, home: Home
):
    """It is killed while it has results that nobody has acknowledged, and work in hand."""
    async with running(home) as agent:
        first = coordinator.add("word_count", texts(coordinator, 1))
        await coordinator.until(lambda: coordinator.result(first) is not None)
        wanted = [coordinator.add("word_count", texts(coordinator, 3 + n)) for n in range(4)]
        coordinator.faults += ["", "lost", *["down"] * 1000]
        await coordinator.until(lambda: len(coordinator.offered) > 3 and len(coordinator.faults) < 998)
        workers = agent.workers()
        assert workers
        agent.process.kill()
        await coordinator.until(lambda: not any(map(alive, workers)), 3)
    coordinator.faults.clear()
    async with running(home):
        await coordinator.until(lambda: len({one.assignment for one in coordinator.results}) == 5)
    arrived = [one.assignment for one in coordinator.results]
    assert sorted(arrived) == sorted([first, *wanted])
    assert not any(one.declined for one in coordinator.results)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_stopped_agent_ends_well_and_leaves_no_process(
    coordinator: FakeCoordinator, home: Home, number: signal.Signals
):
    async with running(home) as agent:
        coordinator.add("word_count", texts(coordinator, 5))
        await coordinator.until(lambda: coordinator.results)
        workers = agent.workers()
        agent.process.send_signal(number)
        assert await asyncio.wait_for(agent.process.wait(), 5) == 0
        assert workers
        assert not any(map(alive, workers))


async def test_another_process_pauses_an_agent_and_its_workers_are_gone_in_two_seconds(
    coordinator: FakeCoordinator, home: Home
):
    async with running(home) as agent:
        coordinator.add("word_count", texts(coordinator, 5))
        await coordinator.until(lambda: coordinator.results)
        workers = agent.workers()
        busy = coordinator.add("word_count", texts(coordinator, 400_000))
        await coordinator.until(lambda: any(one.assignment == busy for one in coordinator.offered))
        home.pause()
        began = time.monotonic()
        await coordinator.until(lambda: workers and not any(map(alive, workers)), 3)
        assert time.monotonic() - began < 2
        await coordinator.until(lambda: coordinator.result(busy) is not None, 3)
        assert coordinator.result(busy).declined  # type: ignore[union-attr]


async def test_an_agent_stays_light(coordinator: FakeCoordinator, home: Home):
    """What is heavy is loaded by workers only."""
    async with running(home) as agent:
        await coordinator.until(lambda: len(coordinator.asks) >= 3)
        maps = (
            {Path(one.path).name for one in agent.inside.memory_maps()} if sys.platform == "linux" else set()
        )
        assert not any(name.startswith(("libarrow", "libparquet", "etree", "daft")) for name in maps)
        assert agent.inside.memory_info().rss < 80 << 20


async def test_two_agents_in_one_folder_are_one_too_many(coordinator: FakeCoordinator, home: Home):
    async with running(home):
        await coordinator.until(lambda: coordinator.asks)
        async with running(home) as second:
            assert await asyncio.wait_for(second.process.wait(), 5) == 1


TALKER = """
import sys
from optimai.node.outbox import Outbox
from tests.test_node_outbox import done, reply, sign
outbox = Outbox(sys.argv[1])
n = 0
while True:
    pending = outbox.envelope(sign)
    outbox.answer(reply(pending.serial, offers=[n]))
    outbox.finish(done(n))
    print(n, flush=True)  # acknowledged: from here on it may not be lost
    n += 1
"""


def test_a_result_that_was_acknowledged_survives_kill_minus_nine(tmp_path: Path):
    path = tmp_path / "outbox.db"
    talker = subprocess.Popen(
        [sys.executable, "-c", TALKER, str(path)],
        stdout=subprocess.PIPE,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    assert talker.stdout
    for _ in range(50):
        talker.stdout.readline()
    talker.send_signal(signal.SIGKILL)
    acknowledged = 50 + len(talker.stdout.read().splitlines())
    talker.wait()
    talker.stdout.close()
    survivor = Outbox(path)
    assert survivor.counts().unsent in (acknowledged, acknowledged + 1)  # one may be safe and not yet said so
    survivor.close()
