"""Real processes and `kill -9` at random points: a coordinator, its PostgreSQL and three nodes.

One network lives through all seeds. Each seed is a small campaign in the middle of which
one to three of the processes are killed, with all that they started, and started again.
Which and when follows from the seed; what a process was doing then does not, so any
number of seeds is worth running:

    python -m tests.crashes --seeds 200 --first 1000
"""

import argparse
import asyncio
import json
import random
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import psutil

from optimai.blobs.disk import DiskBlobs
from optimai.cli import connect
from optimai.cli.children import Child, Children
from optimai.client.network import Client
from optimai.core.errors import NotFound, Unreachable
from optimai.core.ids import AssignmentId
from optimai.kinds import bundle
from optimai.kinds.lines import Head
from optimai.network.home import Home, Numbers
from optimai.network.queries import story
from optimai.network.store import postgres
from optimai.network.store.sql import Database
from optimai.node.outbox import Outbox
from tests.processes import alive

NODES = ("ash", "elm", "oak")
TEXTS, ROWS = 6, 3
PATIENCE = 90  # seconds until campaigns that nobody kills any more are done
KINDS = ("--epoch", "10s", "--seal", "1s", "--silence", "5s")


class Kill(NamedTuple):
    after: float  # seconds since the last one
    victim: str


def schedule(seed: int) -> list[Kill]:
    chance = random.Random(seed)
    victims = ("coordinator", *NODES)
    return [Kill(chance.uniform(0, 0.6), chance.choice(victims)) for _ in range(chance.randint(1, 3))]


def campaign(seed: int) -> dict[str, Any]:
    """A task for each of its texts: each input is one shard."""
    return {
        "campaign": f"crash-{seed}",
        "budget": "1 OPI",
        "until": "1h",
        "appeal": "2s",
        "inputs": {
            f"text-{n}": [{"text": f"seed {seed} {'word ' * (n + row)}"} for row in range(ROWS)]
            for n in range(TEXTS)
        },
        "steps": {
            f"count-{n}": {"kind": "word_count", "from": f"text-{n}", "price": "0.001/row"}
            for n in range(TEXTS)
        },
        "dataset": {"from": "count-0"},
    }


class Outcome(NamedTuple):
    unfinished: list[str]  # campaigns
    rows: dict[str, int]  # of each campaign's dataset
    lost: int  # results that a node's outbox calls acknowledged and the database does not have
    detached: int  # results that no kept envelope proves
    sums: dict[str, int]  # all zero, or money is wrong or something was paid twice
    epochs: int
    wrong: list[str]  # in what closed epochs recompute to
    left: list[str]  # processes still there at the end
    killed: dict[str, int]


class Town:
    def __init__(self, folder: Path, children: Children) -> None:
        self.folder = folder
        self.children = children
        self.running: dict[str, Child] = {}
        self.seen: dict[int, psutil.Process] = {}
        self.killed: dict[str, int] = {}
        self.port = 0

    async def begin(self) -> None:
        await self._coordinator()
        invite = msgspec.json.decode((self.folder / "coordinator.json").read_bytes())["invite"]
        for name in NODES:
            await self._node(name, invite, "--name", name, "--cores", "1", "--kinds", "word_count")

    async def _coordinator(self) -> None:
        said, child = await connect.start(self.children, self.folder, *KINDS, port=self.port)
        self.url = said.url
        self.port = int(self.url.rpartition(":")[2])
        self.running["coordinator"] = child

    async def _node(self, name: str, *more: str) -> None:
        home = str(self.folder / "nodes" / name)
        self.running[name] = await self.children.start(name, "optimai", "join", *more, "--home", home)
        if more:  # enrolled; later it knows where it belongs, and nobody waits for it
            await self.running[name].says(1)

    def client(self) -> Client:
        return Client(self.url, (self.folder / "admin.token").read_text().strip())

    def look(self) -> None:
        """Remember every process that there is of ours, so that none is forgotten."""
        for child in self.running.values():
            if child.running:
                one = psutil.Process(child.pid)
                self.seen |= {each.pid: each for each in (one, *one.children(recursive=True))}
        pid = self.folder / "postgres" / "postmaster.pid"
        if pid.exists():
            one = psutil.Process(int(pid.read_text().split()[0]))
            self.seen[one.pid] = one

    async def kill(self, victim: str) -> None:
        self.look()
        await self.running[victim].kill()
        self.killed[victim] = self.killed.get(victim, 0) + 1
        await (self._coordinator() if victim == "coordinator" else self._node(victim))

    def left(self) -> list[str]:
        return [f"{one.pid} {one.name()}" for one in self.seen.values() if alive(one)]


async def run(seeds: Iterable[int], folder: Path) -> Outcome:
    seeds = list(seeds)
    async with Children(folder / "logs") as children:
        town = Town(folder, children)
        await town.begin()
        async with town.client() as network:
            await network.deposit(f"{len(seeds)} OPI", "for all seeds")
            for seed in seeds:
                await network.submit(campaign(seed))
                for kill in schedule(seed):
                    await asyncio.sleep(kill.after)
                    await town.kill(kill.victim)
            campaigns = await ended(network, seeds)
            wrong, epochs = await verified(network)
        town.look()
        seen = await look_up(folder)
    return Outcome(
        unfinished=[one["name"] for one in campaigns if one["state"] != "done"],
        rows={one["name"]: one["rows"] or 0 for one in campaigns},
        lost=sum(len(taken(folder, one.name) - one.results) for one in seen.nodes),
        detached=seen.detached,
        sums=dict(seen.sums),
        epochs=epochs,
        wrong=wrong,
        left=town.left(),
        killed=town.killed,
    )


async def ended(network: Client, seeds: list[int]) -> list[dict[str, Any]]:
    """All campaigns, once each has ended or patience has."""
    wanted = {f"crash-{seed}" for seed in seeds}
    campaigns: list[dict[str, Any]] = []
    for _ in range(PATIENCE * 4):
        try:
            campaigns = await network.get("/v1/campaigns", list[dict[str, Any]])
        except Unreachable:
            continue
        finally:
            await asyncio.sleep(0.25)
        if wanted <= {one["name"] for one in campaigns if one["state"] != "running"}:
            break
    return campaigns


async def verified(network: Client) -> tuple[list[str], int]:
    """What is wrong with any closed epoch, each with the one before; and how many there are."""
    key = (await network.network()).key
    for _ in range(PATIENCE * 4):  # until the first is closed
        try:
            newest, _ = await network.epoch(0)
            break
        except NotFound:
            await asyncio.sleep(0.25)
    last = msgspec.json.decode(newest.payload, type=Head).epoch
    wrong: list[str] = []
    before = None
    for number in range(1, last + 1):
        head, data = await network.epoch(number)
        wrong += [f"epoch {number}: {line}" for line in bundle.verify(head, data, key, before).wrong]
        before = (head, data)
    return wrong, last


async def look_up(folder: Path) -> story.Seen:
    place = Home(folder)
    dsn = await asyncio.to_thread(postgres.start, place.postgres)  # it runs: this adopts it
    database = await Database.connect(dsn, DiskBlobs(place.blobs), place.identity(Numbers()))
    try:
        async with database.begin() as (tx, _):
            name = await tx.fetchval("select name from version order by at limit 1")
            return await story.of(tx, f"{name}@1", killed="")
    finally:
        await database.close()


def taken(folder: Path, name: str) -> frozenset[AssignmentId]:
    """What the node was told had been taken."""
    outbox = Outbox(folder / "nodes" / name / "outbox.db")
    try:
        return frozenset(outbox.taken())
    finally:
        outbox.close()


def main() -> None:
    words = argparse.ArgumentParser(prog="python -m tests.crashes")
    words.add_argument("--seeds", type=int, default=25)
    words.add_argument("--first", type=int, default=0)
    words.add_argument("--keep", action="store_true", help="leave the folder, with its logs")
    asked = words.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="optimai-crashes-"))
    outcome = asyncio.run(run(range(asked.first, asked.first + asked.seeds), folder))
    print(json.dumps(outcome._asdict(), indent=2))
    if asked.keep:
        print(folder)
    else:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
