"""Honest hands: what a worker process may do, what it gets to see, and what becomes of its accidents.

The kind `odd` (tests/odd) does what its task says, and most of that is bad.
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import psutil
import pytest
from msgspec.structs import replace

from optimai.node import limits
from optimai.node.hands import Declined, Unable
from tests.node_crew import ODD, Hire, Line, hiring
from tests.processes import alive

pytestmark = pytest.mark.slow


@pytest.fixture
async def hire(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Hire]:
    async with hiring(tmp_path, monkeypatch) as hire:
        yield hire


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


async def test_a_kind_whose_worker_can_not_even_begin_is_not_done_here(hire: Hire):
    crew = hire()
    crew.kinds["absent"] = replace(crew.kinds["odd"], kind=replace(crew.kinds["odd"].kind, name="absent"))
    assert await crew.workers.do(crew.offer("absent", {}), Line()) == Unable(
        "The worker of absent can't begin here."
    )


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
async def test_a_cancelled_task_that_does_not_listen_is_killed(hire: Hire, busy: str, tmp_path: Path):
    crew = hire()
    pid = await crew.do("pid")
    working = asyncio.create_task(crew.do(busy, str(tmp_path / "begun")))
    await crew.coordinator.until((tmp_path / "begun").exists)
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
    crew = hire()
    dying = crew.do("child and die", str(tmp_path / "pids"))
    assert "died over it twice" in await asyncio.wait_for(dying, 20)
    children = [int(line) for line in (tmp_path / "pids").read_text().split()]
    assert len(children) == 2
    await crew.coordinator.until(lambda: not any(alive(child) for child in children), 3)


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
    offer = crew.offer("odd", {"do": "spin in c", "argument": str(tmp_path / "begun")})
    setting = msgspec.json.encode(crew.setting).decode()
    agent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", AGENT, str(ODD), setting, msgspec.json.encode(offer).decode()),
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    inside = psutil.Process(agent.pid)
    await crew.coordinator.until(inside.children)
    worker = inside.children()[0]
    await crew.coordinator.until((tmp_path / "begun").exists)
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
