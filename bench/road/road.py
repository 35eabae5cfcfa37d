"""The road itself: a private network of real processes as `optimai run` starts it, but with two nodes of two owners.

One kind goes after the other, so that what the coordinator and PostgreSQL used is a kind's own: for each kind two
new nodes join that take on nothing else, and its turn is over when its steps are sealed, everything is paid, and the
epoch in which that happened is closed. The second owner is who audits the first. The site is simulated, and apart.
"""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import asyncpg
from msgspec import Struct

from bench.road import account
from bench.road.seen import Seen, Sort
from optimai.blobs.disk import DiskBlobs
from optimai.cli.children import Child, Children
from optimai.cli.private import Private
from optimai.client.campaign_file import read
from optimai.network.store import postgres
from optimai.node.home import Home

NODES = ("ash", "elm")
LOOK = 0.2  # seconds between two looks at whether it is over


class Used(Struct, frozen=True):
    """Processor seconds."""

    coordinator: float
    postgres: float
    agents: float = 0.0
    workers: float = 0.0

    def __sub__(self, other: "Used") -> "Used":
        return Used(
            self.coordinator - other.coordinator,
            self.postgres - other.postgres,
            self.agents - other.agents,
            self.workers - other.workers,
        )


class Node(Struct, frozen=True):
    child: Child
    home: Home

    @property
    def pid(self) -> int:
        return self.child.pid


class Rest(Struct, frozen=True):
    """A network with two nodes and nothing to do."""

    used: Used
    seconds: float


class Turn(Struct, frozen=True):
    used: Used
    begin: float  # processor seconds of the two nodes until they had joined; not in `used`
    seconds: float
    workers: int  # processes
    done: Mapping[str, Sort]


class Road:
    def __init__(self, folder: Path, children: Children) -> None:
        self.private = Private(read(Path(__file__).with_name("campaign.yaml")), folder, children)
        self._turns = 0

    async def begin(self) -> None:
        self.coordinator = (await self.private.start_coordinator()).pid
        await self.private.start_site()
        home = self.private.home / "postgres"
        database = await asyncpg.connect(await asyncio.to_thread(postgres.start, home))
        self.postmaster = int((home / "postmaster.pid").read_text().split()[0])
        self.looking = database.get_server_pid()
        self.seen = Seen(database, DiskBlobs(self.private.home / "blobs"))

    async def rest(self, seconds: float) -> Rest:
        nodes = [await self._node(name, "crawl") for name in NODES]
        for node in nodes:
            node.home.resume()
        before, began = self._used(nodes), perf_counter()
        await asyncio.sleep(seconds)
        used, took = self._used(nodes) - before, perf_counter() - began
        await _stop(nodes)
        return Rest(used, took)

    async def turn(self, kind: str, raw: Mapping[str, Any], *, submit: bool = False) -> Turn:
        """The kind's steps of a campaign, which is handed in first where it is not there yet."""
        name = str(raw["campaign"])
        before, began = self._used(()), perf_counter()
        if submit:
            async with self.private.client() as network:
                await network.deposit(str(raw["budget"]), name)
                await network.submit(dict(raw))
        nodes = await asyncio.gather(*(self._node(one, kind) for one in NODES))
        begin = self._used(nodes).agents
        for node in nodes:
            node.home.resume()
        await self._over(name, kind)
        used, took = self._used(nodes) - before - Used(0, 0, begin), perf_counter() - began
        workers = sum(len(account.below(node.pid)) for node in nodes)
        await _stop(nodes)
        return Turn(used, begin, took, workers, await self.seen.done(name, kind))

    async def _over(self, campaign: str, kind: str) -> None:
        while await self.seen.going_on(campaign, kind):  # noqa: ASYNC110 - other processes are waited for
            await asyncio.sleep(LOOK)
        epoch = await self.seen.epoch()
        while not await self.seen.closed(epoch):  # noqa: ASYNC110
            await asyncio.sleep(LOOK)

    async def _node(self, name: str, kind: str) -> Node:
        """A new one, whose cache is empty. It has joined, and is paused."""
        self._turns += 1
        name = f"{name}-{self._turns}"
        home = Home(self.private.home / "nodes" / name)
        home.folder.mkdir(mode=0o700, parents=True)
        (home.folder / "paused").touch()  # `home.pause` wants a node that has joined; this one never begins
        child = await self.private.start_node(name, kinds=[kind])
        while (status := home.status()) is None or status.heard is None:
            if not child.running:
                raise RuntimeError(child.log.read_text())
            await asyncio.sleep(LOOK)
        return Node(child, home)

    def _used(self, nodes: Sequence[Node]) -> Used:
        workers = sum(sum(account.below(node.pid).values()) for node in nodes)
        return Used(
            account.used(self.coordinator),
            account.used(self.postmaster, without={self.looking}),
            sum(account.used(node.pid) for node in nodes) - workers,
            workers,
        )


async def _stop(nodes: Sequence[Node]) -> None:
    await asyncio.gather(*(node.child.stop() for node in nodes))
