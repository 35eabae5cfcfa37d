"""How many tasks a second go through: inserted, offered, done and signed, durable before it is acknowledged.

100 nodes over HTTP against one coordinator process, beside procrastinate (16 jobs at once, one process) on the
same PostgreSQL with fsync on; both have their tasks inserted while they run. The median of several runs of each,
in turn. What is measured is dispatch: no stage runs, so nothing is judged or paid; the last line of the table is
the same with every stage running.
"""

import argparse
import asyncio
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import perf_counter

import asyncpg
from msgspec import Struct

from bench.dispatch import load, setting
from bench.dispatch.peer import Peer
from optimai.blobs.memory import MemoryBlobs
from optimai.core.ids import OwnerId
from optimai.core.money import OPI, Nano
from optimai.kinds import catalog
from optimai.network import accounts, campaigns, door, stages
from optimai.network.store import postgres, steps
from optimai.network.store.sql import Database

GOAL = 7.0
WARM = 1.5  # seconds
CHUNK = 500  # tasks inserted at once


class Run(Struct, frozen=True):
    rate: float  # tasks a second
    p50: float = 0.0  # milliseconds from a request to its answer
    p99: float = 0.0
    python: float = 0.0  # microseconds of processor a task
    postgres: float = 0.0
    nodes: float = 0.0
    others: float = 0.0  # processors that somebody else used meanwhile


class Bench:
    def __init__(self, dsn: str, folder: Path, postmaster: int, seconds: float) -> None:
        self.dsn = dsn
        self.folder = folder
        self.postmaster = postmaster
        self.seconds = seconds
        self.serial = 0
        self.number = 0

    async def prepare(self) -> None:
        self.database = await Database.connect(self.dsn, MemoryBlobs(), setting.NETWORK)
        await self.database.migrate(catalog.tables())
        await stages.run(self.database, stages.STAGES[0])
        requester = OwnerId("requester")
        async with self.database.begin() as (tx, now):
            await accounts.deposit(tx, requester, Nano(1_000_000 * OPI), "bench", now)
            await campaigns.submit(tx, now, setting.CAMPAIGN, requester)
            self.step = await tx.fetchval("select id from step where name = 'work'")
        for number in range(setting.NODES):
            await door.enrol(self.database, setting.joining(number))
        async with Peer(self.dsn).app.open_async() as app:
            await app.schema_manager.apply_schema_async()

    async def ours(self, room: int, with_stages: bool = False) -> Run:
        words = ["coordinator", self.dsn, str(self.folder / "blobs"), *(["stages"] if with_stages else [])]
        coordinator = await _start(*words)
        try:
            port = (await _line(coordinator)).strip()
            self.serial += 1_000_000
            nodes = await _start("nodes", port, str(room), str(self.serial), str(WARM), str(self.seconds))
            feeder = asyncio.create_task(self._feed(setting.NODES * room))
            used = await self._used(nodes, coordinator)
            feeder.cancel()
            said = json.loads(await _line(nodes))
            await nodes.wait()
        finally:
            coordinator.terminate()
            await coordinator.wait()
        if said["faults"]:
            raise RuntimeError(said["faults"])
        return _run(said["tasks"], self.seconds, used, said["p50"], said["p99"])

    async def peer(self) -> Run:
        worker = await _start("peer", self.dsn, str(WARM), str(self.seconds))
        peer = Peer(self.dsn)
        async with peer.app.open_async():
            feeder = asyncio.create_task(self._feed_peer(peer))
            used = await self._used(worker, worker)
            rate = float(await _line(worker))
            feeder.cancel()
            await worker.wait()
        return _run(rate * self.seconds, self.seconds, used)

    async def _used(
        self, clock: asyncio.subprocess.Process, server: asyncio.subprocess.Process
    ) -> tuple[float, ...]:
        """Processor time of the server and of PostgreSQL while it is measured, and of strangers."""
        await asyncio.sleep(WARM + 1)
        before, began = load.now(), perf_counter()
        await asyncio.sleep(self.seconds - 1.5)
        after, took = load.now(), perf_counter() - began
        ours, database = load.of(before, after, os.getpid()), load.of(before, after, self.postmaster)
        python = load.of(before, after, server.pid)
        others = after.machine - before.machine - ours - database
        return python / took, database / took, (ours - python) / took, others / took

    async def _feed(self, in_hand: int) -> None:
        """Keep enough tasks open; as many as are done are inserted."""
        inserted = 0
        first = int(await self._value("select last_value from assignment_id_seq"))
        waiting = int(await self._value("select count(*) from task where places > 0 and state = 'open'"))
        while True:
            offered = int(await self._value("select last_value from assignment_id_seq")) - first
            while waiting + inserted - offered < 4_000 + 2 * in_hand:
                await self._insert()
                inserted += CHUNK
            await asyncio.sleep(0.05)

    async def _insert(self) -> None:
        tasks = setting.tasks(self.number, CHUNK)
        self.number += CHUNK
        async with self.database.begin() as (tx, now):
            await steps.add_tasks(tx, self.step, tasks, now)

    async def _feed_peer(self, peer: Peer) -> None:
        while True:
            waiting = int(await self._value("select count(*) from procrastinate_jobs where status = 'todo'"))
            while waiting < 2_000:
                jobs = ({"number": number, "payload": setting.PAYLOAD} for number in range(CHUNK))
                await peer.noop.batch_defer_async(*jobs)
                waiting += CHUNK
            await asyncio.sleep(0.05)

    async def _value(self, sql: str) -> object:
        async with self.database.begin() as (tx, _):
            return await tx.fetchval(sql)


def _run(tasks: float, seconds: float, used: tuple[float, ...], p50: float = 0.0, p99: float = 0.0) -> Run:
    rate = tasks / seconds
    python, database, nodes, others = used
    return Run(rate, p50, p99, 1e6 * python / rate, 1e6 * database / rate, 1e6 * nodes / rate, others)


async def _start(module: str, *words: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", f"bench.dispatch.{module}", *words, stdout=subprocess.PIPE
    )


async def _line(process: asyncio.subprocess.Process) -> str:
    assert process.stdout
    line = (await process.stdout.readline()).decode()
    if not line:
        raise RuntimeError(f"a process of the bench ended with status {await process.wait()}")
    return line


async def run(dsn: str, folder: Path, postmaster: int, seconds: float, times: int) -> None:
    bench = Bench(dsn, folder, postmaster, seconds)
    await bench.prepare()
    what: dict[str, Callable[[], Awaitable[Run]]] = {
        "1 result a request": lambda: bench.ours(1),
        "procrastinate": bench.peer,
        "10 results a request": lambda: bench.ours(10),
        "1, all stages running": lambda: bench.ours(1, with_stages=True),
    }
    runs: dict[str, list[Run]] = {name: [] for name in what}
    for _ in range(times):
        for name, once in what.items():
            runs[name].append(await once())
            print(".", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    middle = {name: sorted(some, key=lambda one: one.rate)[len(some) // 2] for name, some in runs.items()}
    show(middle)
    peer = middle["procrastinate"].rate
    ratio = middle["1 result a request"].rate / peer
    figures = {
        "tasks_per_s": round(middle["1 result a request"].rate),
        "tasks_per_s_10": round(middle["10 results a request"].rate),
        "tasks_per_s_all_stages": round(middle["1, all stages running"].rate),
        "p99_ms": round(middle["1 result a request"].p99, 1),
        "p99_ms_10": round(middle["10 results a request"].p99, 1),
        "ratio_10": round(middle["10 results a request"].rate / peer, 1),
        "other_load": round(statistics.mean(one.others for some in runs.values() for one in some), 2),
    }
    said = {
        "bench": "dispatch",
        "figures": figures,
        "peer": {"procrastinate_tasks_per_s": round(peer)},
        "ratio": round(ratio, 1),
        "goal": GOAL,
        "met": ratio >= GOAL,
    }
    print(json.dumps(said))


def show(middle: dict[str, Run]) -> None:
    print(
        f"{'':24}{'tasks/s':>9}{'p50 ms':>9}{'p99 ms':>9}{'CPU us a task: Python':>24}{'PostgreSQL':>12}"
        f"{'nodes':>8}{'others':>8}"
    )
    for name, one in middle.items():
        print(
            f"{name:24}{one.rate:9,.0f}{one.p50:9.1f}{one.p99:9.1f}{one.python:24.0f}{one.postgres:12.0f}"
            f"{one.nodes:8.0f}{one.others:8.0%}"
        )


def main() -> None:
    words = argparse.ArgumentParser(prog="make bench NAME=dispatch")
    words.add_argument("--seconds", type=float, default=10)
    words.add_argument("--times", type=int, default=3)
    asked = words.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="optimai-bench-"))
    try:
        dsn = postgres.start(folder / "postgres")
        postmaster = int((folder / "postgres" / "postmaster.pid").read_text().split()[0])
        asyncio.run(_create(dsn))
        base, _, query = dsn.partition("?")
        asyncio.run(
            run(f"{base.rsplit('/', 1)[0]}/bench?{query}", folder, postmaster, asked.seconds, asked.times)
        )
    finally:
        postgres.stop(folder / "postgres")
        shutil.rmtree(folder, ignore_errors=True)


async def _create(dsn: str) -> None:
    admin = await asyncpg.connect(dsn)
    for name in ("fsync", "synchronous_commit"):
        assert await admin.fetchval(f"show {name}") == "on", name
    await admin.execute("create database bench")
    await admin.close()


if __name__ == "__main__":
    main()
