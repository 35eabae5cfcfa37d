"""`optimai demo`: the whole road on this machine, with liars, crashes and a bill at its end.

A real documentation site, served here, goes through all five kinds of work. Among the
nodes are a slow one, one that is killed, and three that cheat; the site changes while
it is crawled, and the coordinator is killed too. Nothing is scripted about who is
caught: the ordinary road does it, and every claim of the summary is then looked up in
the database, the bundles and the files.
"""

import asyncio
import shutil
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import aiohttp
import msgspec
from cyclopts import Parameter
from msgspec import Struct
from rich.console import Console
from rich.live import Live

from optimai.cli import children, watch
from optimai.cli.children import Child, Children
from optimai.cli.private import Private
from optimai.cli.watch import Facts
from optimai.client.campaign_file import read
from optimai.client.get import get
from optimai.client.network import Client
from optimai.core.errors import Missing, Unreachable
from optimai.node import lock
from optimai.node.clock import now

if TYPE_CHECKING:
    from optimai.cli.demo_report import Report

EXAMPLE = Path("examples/docs.yaml")
HONEST = ("birch", "cedar", "alder")
KILLED = "maple"
PLAYERS = (("oak", "slow"), ("fern", "fabricator"))
LATE = (("reed", "replayer"),)
PEOPLE = (
    *((f"simulated-person-{n}", "person") for n in range(1, 9)),
    ("tattler", "tattler"),
    ("moss", "copier"),
)
# So few tasks fall to each that one fault has to tell, and a probation to end, within them.
PROTOCOL = """
again = {probation = 3, bond = 10, faults = 1}
opinions = {probation = 5, bond = 10, window = 8}
challenges = {bond = 5}
auditing = {probation = 3, bond = 10}
"""
CHANGE_AT, KILL_AT, CRASH_AT = 40, 90, 130  # pages fetched
CHANGED = 0.8  # share of the pages that can change


class _Moment(Struct):
    """What has been done to the network so far."""

    changed: bool = False
    killed: bool = False
    crashed: bool = False
    back_after: float = 0.0


def demo(
    *,
    keep: Annotated[bool, Parameter(help="Leave the web page up, until Ctrl-C.", negative="")] = False,
    into: Path = Path("out/demo"),
    port: int = 0,
) -> None:
    """Run the whole road on this machine, step by step, with liars and crashes. Status 0 if every claim holds."""
    if not all(find_spec(one) for one in ("asyncpg", "daft", "litestar")):
        raise Missing("The demo", "coordinator,engine")
    with alone(into):
        report = children.run(_demo(keep, into, port))
    sys.exit(0 if report.ok else 1)


def alone(into: Path) -> AbstractContextManager[None]:
    """For one demo in this folder, which it empties first. The lock stands beside it. Raises InUse."""
    folder = into.resolve()
    folder.parent.mkdir(parents=True, exist_ok=True)
    fix = "That is another demo. Stop it with Ctrl-C, or give this one a folder of its own with --into."
    return lock.held(folder.with_name(f"{folder.name}.lock"), f"The demo's folder {into}", fix)


async def _demo(keep: bool, into: Path, port: int) -> "Report":
    from optimai.cli import demo_checks, demo_summary  # they read the database, which a base install can't

    out = Console(highlight=False, width=max(Console().width, 100))  # without a terminal it would be narrower
    if into.exists():
        shutil.rmtree(into)
    began = now()
    written = read(EXAMPLE)
    async with Children(into / "logs") as children:
        private = Private(written, into / "network", children, protocol=PROTOCOL)
        with out.status(
            "starting a coordinator, a web site, four machines, two simulated ones, ten simulated people"
        ):
            coordinator = await private.start_coordinator(port)
            await private.start_site()
            nodes = [await private.start_node(name) for name in (*HONEST, KILLED)]
            await private.start_players("players", PLAYERS)
            await private.start_players("people", PEOPLE)
        demo_summary.begin(out, private.url, written.campaign.name, private.where())
        async with private.client() as network:
            await private.submit(network)
            run = _Run(private, network, coordinator, nodes[-1], out)
            await run.watch()
            await run.until_epoch_closed()
            version, folder = await get(network, written.campaign.name, 0, "parquet", into)
            story = demo_checks.Story(
                began=began,
                name=f"{version.name}@{version.number}",
                folder=folder,
                killed=KILLED,
                habits=dict((*PLAYERS, *LATE, *PEOPLE)) | {KILLED: "killed"},
                back_after=run.moment.back_after,
                key=(await network.network()).key,
            )
            report = await demo_checks.check(private.home, network, story)
        (into / "report.json").write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
        demo_summary.show(out, report, into)
        if keep:
            out.print(f"[dim]The page stays up at {private.url}. Ctrl-C ends it.[/dim]")
            await asyncio.Event().wait()
    return report


class _Run:
    """Watches the campaign and does to it what a network must survive."""

    def __init__(
        self, private: Private, network: Client, coordinator: Child, victim: Child, out: Console
    ) -> None:
        self.private = private
        self.network = network
        self.coordinator = coordinator
        self.victim = victim
        self.out = out
        self.moment = _Moment()

    async def watch(self) -> None:
        name = self.private.campaign.name
        with Live(console=self.out, refresh_per_second=4, transient=True) as live:
            while True:
                try:
                    facts = await watch.facts(self.network, name)
                except Unreachable:
                    await asyncio.sleep(0.1)
                    continue
                live.update(watch.table(facts))
                if facts["state"] != "running":
                    return
                await self._meddle(facts)
                await asyncio.sleep(0.4)

    async def _meddle(self, facts: Facts) -> None:
        pages = next(step["done"] for step in facts["steps"] if step["kind"] == "crawl")
        if pages >= CHANGE_AT and not self.moment.changed:
            self.moment.changed = True
            # Before the change: on a busy machine the crawl would be over when he has started.
            await self.private.start_players("late", LATE)
            await self._change_site()
            self.out.print(
                "[dim]·[/] reed, simulated, joined with the pages as they are; then the site changed many of them"
            )
        elif pages >= KILL_AT and not self.moment.killed and self._has_work(facts, KILLED):
            await self._kill_at_work()
        elif pages >= CRASH_AT and not self.moment.crashed:
            self.moment.crashed = True
            await self._crash()
            self.out.print(
                f"[dim]·[/] the coordinator was killed (SIGKILL), and back in {self.moment.back_after:.1f} s"
            )

    async def _kill_at_work(self) -> None:
        """It stands still first: what it had in hand when one looked, it may hand in before it dies."""
        self.victim.freeze()
        try:
            await asyncio.sleep(0.3)  # what was on its way arrives
            if self._has_work(await watch.facts(self.network, self.private.campaign.name), KILLED):
                await self.victim.kill()
                self.moment.killed = True
                self.out.print(f"[dim]·[/] {KILLED} was killed (SIGKILL) in the middle of its work")
        finally:
            self.victim.go_on()

    @staticmethod
    def _has_work(facts: Facts, name: str) -> bool:
        """Standing work counts for nothing: nobody else can do it in its place."""
        standing = {step["name"] for step in facts["steps"] if step["standing"]}
        return any(
            step not in standing
            for one in facts["workers"]
            if one["name"] == name
            for step, _ in one["in_hand"]
        )

    async def _change_site(self) -> None:
        said: Mapping[str, object] = {"share": CHANGED, "now": now().isoformat()}
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{self.private.control}/change", json=said) as answer,
        ):
            answer.raise_for_status()

    async def _crash(self) -> None:
        """Kill it with all that it started, but for PostgreSQL, which it left running; start it on the same port."""
        port = int(self.private.url.rpartition(":")[2])
        began = now()
        await self.coordinator.kill()
        self.coordinator = await self.private.start_coordinator(port)
        self.moment.back_after = (now() - began).total_seconds()

    async def until_epoch_closed(self) -> None:
        """The epoch in which the last payouts were freed."""
        from optimai.cli import demo_evidence

        with self.out.status("waiting for the epoch to close, so that anybody can recompute it"):
            head = await demo_evidence.newest_epoch(self.network)
            while await demo_evidence.newest_epoch(self.network) <= head:
                await asyncio.sleep(0.3)
