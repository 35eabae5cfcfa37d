"""Commands that only show: `status`, `trace`, `pay`, `node status`."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

from cyclopts import Parameter
from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.tree import Tree

from optimai.cli import children, connect, running, settings, watch
from optimai.cli.connect import Folder as NetworkFolder
from optimai.cli.connect import Url
from optimai.cli.join import Folder
from optimai.cli.private import LOCAL
from optimai.client.get import parse_name
from optimai.core.chance import MILLION
from optimai.core.errors import BadValue
from optimai.core.money import opi

Facts = Mapping[str, Any]
MOST_LINES = 20  # of pay, that are shown each by itself


def status(name: str = "", /, *, url: Url = "", home: NetworkFolder = None) -> None:
    """What campaign NAME does, live until it ends; without NAME all campaigns."""
    out = Console()
    folder = home or connect.own()
    asleep = not url and not running.locked(folder)

    async def run() -> None:
        async with connect.network(url, home=home) as network:
            if not name:
                out.print(_campaigns(await network.get("/v1/campaigns", list[dict[str, Any]])))
            elif asleep:
                now = await watch.facts(network, name)
                out.print(f"{watch.stands(name, now)}It is {now['state']}.\n")
                out.print(watch.table(now))
            else:
                out.print(watch.table(await watch.until_done(network, name, out)))
        if asleep:
            out.print(f"[dim]{_asleep(folder, home)}[/dim]", soft_wrap=True)

    children.run(run())


def _asleep(folder: Path, home: Path | None) -> str:
    again = (
        "run FILE" if (folder / "nodes" / LOCAL).exists() else "up"
    )  # only `run` has a node of its own there
    return (
        f"No coordinator runs in {folder}, so nothing goes on there: one was started for this answer. "
        f"`optimai {again}{connect.named(home)}` goes on with what runs."
    )


def _campaigns(campaigns: list[dict[str, Any]]) -> Table:
    table = Table(box=None, header_style="dim")
    for column in ("campaign", "state", "steps sealed", "spent, OPI", "budget, OPI", "dataset"):
        table.add_column(column, justify="right" if "OPI" in column or "sealed" in column else "left")
    for one in campaigns:
        made = f"{one['name']}@{one['version']}, {one['rows']:,} rows" if one["version"] else "none yet"
        sealed = f"{one['sealed']} of {one['steps']}"
        table.add_row(one["name"], one["state"], sealed, opi(one["spent"]), opi(one["budget"]), made)
    return table


def trace(version: str, row: str, /, *, url: Url = "", home: NetworkFolder = None) -> None:
    """From ROW (its `_row`, or how that begins) of VERSION back to signed work, verdicts and pay."""
    name, number = parse_name(version)
    if not row:
        raise BadValue("the name of a row", row, f"optimai trace {version} 404685fb")

    async def run() -> Facts:
        at = f"/v1/versions/{quote(name, safe='')}/{number}/rows/{quote(row, safe='')}/trace"
        async with connect.network(url, home=home) as network:
            return await network.get(at, dict[str, Any])

    Console(highlight=False).print(_trace(children.run(run())))


def _trace(found: Facts) -> Tree:
    first, *_ = found["hops"]
    tree = Tree(
        f"[b]{found['name']}@{found['number']}[/], row [b]{first['row']}[/], signed by {found['keyid'][:12]}"
    )
    for hop in found["hops"]:
        values = "  ".join(f"[dim]{key}[/] {_short(value)}" for key, value in sorted(hop["values"].items()))
        branch = tree.add(f"[b cyan]{hop['step']}[/] {hop['kind'] or 'given by the requester'}  {values}")
        if made := hop["made"]:
            _made(branch, made)
    return tree


def _made(branch: Tree, made: Facts) -> None:
    stands = "" if made["stands"] else "  [red]replaced since[/]"
    verdict = branch.add(f"verdict {made['verdict']}, epoch {made['epoch']}: {made['reason']}{stands}")
    verdict.add(f"[dim]audited: {'yes' if made['draw']['audit'] else 'no'}, {made['draw']['why']}[/]")
    for result in made["results"]:
        pay = "; ".join(f"{opi(line['amount'])} OPI {line['state']}" for line in result["pay"]) or "nothing"
        simulated = " (simulated)" if result["simulated"] else ""
        one = verdict.add(
            f"{result['role']} by [b]{result['name']}[/]{simulated}: "
            f"{result['held']} of {made['units']} units held, {pay}"
        )
        one.add(
            f"[dim]envelope {result['envelope'][:16]}…, result {result['index']}, signed by {result['keyid'][:12]}[/]"
        )
        if result["why"]:
            one.add(f"[dim]{result['why']}[/]")


def _short(value: object) -> str:
    text = str(value).replace("\n", " ").replace("[", r"\[")
    return text if len(text) <= 60 else f"{text[:57]}…"


def pay(
    *,
    home: Folder = None,
    lines: Annotated[bool, Parameter(help="Each line, however many there are.", negative="")] = False,
) -> None:
    """What this machine's owner earned: each line, what, how much, why; each zero too. Many are summed by reason.

    On a machine that has joined nobody: what it earned in your own private network.
    """
    from optimai.core.ids import fingerprint
    from optimai.node import keys
    from optimai.node.home import Home

    place = Home(home or settings.home() / "node")
    private = Home(connect.own() / "nodes" / LOCAL)
    alone = home is None and not place.folder.exists() and private.folder.exists()
    place = private if alone else place
    config = place.config()
    owner = fingerprint(bytes(keys.key(place.folder, keys.OWNER).verify_key))

    async def run() -> tuple[list[dict[str, Any]], int]:
        found: list[dict[str, Any]] = []
        async with connect.network("" if alone else config.url) as network:
            while more := await network.get(
                f"/v1/owners/{owner}/earnings?after={found[-1]['id'] if found else 0}", list[dict[str, Any]]
            ):
                found += more
            has = (await network.get(f"/v1/owners/{owner}", dict[str, Any]))["available_nopi"]
        return found, has

    _pay(Console(highlight=False), *children.run(run()), lines)


def _pay(out: Console, lines: list[dict[str, Any]], has: int, each: bool) -> None:
    """The sums first; then each line, or where they are many one for all of a step that have the same reason."""
    for state, told in (
        ("reserved", "reserved"),
        ("pending", "pending"),
        ("available", "available: earned so far"),
    ):
        out.print(f"{opi(sum(line['amount'] for line in lines if line['state'] == state)):>14} OPI {told}")
    out.print(f"{opi(has):>14} OPI on the account now")
    out.print()
    alike: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    many = len(lines) > MOST_LINES and not each
    for line in lines:
        key = tuple(str(line[name]) for name in ("campaign", "step", "role", "state", "reason", "quality"))
        alike.setdefault(key if many else (str(line["id"]),), []).append(line)
    for some in alike.values():
        _paid(out, some, many)
    if many:
        out.print(
            f"[dim]These are {len(lines):,} lines, those with the same reason together; --lines: each.[/]"
        )


def _paid(out: Console, some: list[dict[str, Any]], many: bool) -> None:
    one = some[0]
    amount, held, units = (sum(line[name] for line in some) for name in ("amount", "held", "units"))
    quality = f" x {one['quality'] / MILLION:.3f} quality" if one["quality"] < MILLION else ""
    taken = (("fined", "paid fines"), ("kept", "kept in the bond"))
    less = [f"; {opi(cut)} {told}" for name, told in taken if (cut := sum(line[name] for line in some))]
    when = f"{len(some):,} lines" if many else one["at"][:19].replace("T", " ")
    out.print(
        f"{opi(amount):>14} OPI {one['state']:<9}  [b]{one['campaign']}/{one['step']}[/] {one['role']}, "
        f"{held:,} of {units:,} {one['unit']}s at {opi(one['price'])}{quality}{''.join(less)}"
    )
    out.print(Padding(f"{when}  {escape(one['reason'])}", (0, 0, 0, 30), expand=False), style="dim")


def node_status(
    *, home: Folder = None, follow: Annotated[bool, Parameter(help="Until Ctrl-C.", negative="")] = False
) -> None:
    """What this machine's node does just now."""
    from optimai.node.home import Home

    place = Home(home or settings.home() / "node")

    name = place.config().name
    if not follow:
        Console().print(_status(name, place.status(), connect.named(home)))
        return

    async def run() -> None:
        where = connect.named(home)
        with Live(_status(name, place.status(), where), console=Console(), refresh_per_second=2) as live:
            while True:
                await asyncio.sleep(0.5)
                live.update(_status(name, place.status(), where))

    children.run(run())


def _status(name: str, now: Any, where: str) -> Table:
    table = Table(box=None, show_header=False)
    if now is None:
        table.add_row(f"[b]{name}[/]", f"is not running; `optimai join{where}` starts it")
        return table
    table.add_row(f"[b]{now.name}[/]", "paused" if now.paused else "works")
    for task in now.running:
        table.add_row(
            "", f"{task.kind} for {task.step}" + (f", {task.done:,} of {task.of:,}" if task.of else "")
        )
    table.add_row("", f"{now.taken:,} results taken in, {now.refused:,} refused, {now.unsent:,} not sent yet")
    for kind, why in now.unable.items():
        table.add_row("", f"[yellow]{kind} is not done here: {escape(why)}[/]")
    if now.trouble:
        table.add_row("", f"[yellow]{escape(now.trouble)} It is tried again by itself.[/]")
    return table
