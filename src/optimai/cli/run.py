"""`optimai run FILE`: a campaign from its first task to its dataset; and `optimai cancel NAME`.

On a private network, which is started for it and stopped after it; or, with --url or with the --home of a
coordinator that runs, on that one, where nothing is started.
"""

import asyncio
import sys
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Annotated, NoReturn

from cyclopts import Parameter
from rich.console import Console
from rich.markup import escape

from optimai.cli import children, connect, running, watch
from optimai.cli.children import Children
from optimai.cli.connect import Folder, Url
from optimai.cli.join import Allow, allowed, told
from optimai.cli.private import LOCAL, Private
from optimai.client.campaign_file import Written, read
from optimai.client.get import first_row
from optimai.client.network import Client
from optimai.core.errors import BadValue, NotFound


def run(
    file: Path,
    /,
    *,
    url: Url = "",
    home: Folder = None,
    port: Annotated[int, Parameter(help="Of the private network's web page; 0 takes any.")] = 0,
    keep: Annotated[
        bool, Parameter(help="Leave the private network up afterwards, until Ctrl-C.", negative="")
    ] = False,
    allow: Allow = None,
) -> None:
    """Run the campaign in FILE to its dataset: alone on this machine, or on a network that runs.

    The same command again goes on with what it was stopped in. Where that has ended it begins anew: it makes
    the next version of the dataset, and all of it is paid again. Status 1 where it ended before it was done.
    """
    out = Console()
    written = read(file)
    hosts = allowed(allow)
    folder = home or connect.own()
    if not url:
        with connect.alone(folder):
            if not running.locked(folder):
                _exit(children.run(_here(written, out, folder, port, keep, connect.named(home), hosts)))
    there = connect.network(url) if url else connect.network(home=folder)
    where = f" --url {url}" if url else connect.named(folder)
    _exit(children.run(_elsewhere(written, out, there, where, hosts)))


def _exit(done: bool) -> NoReturn:
    sys.exit(0 if done else 1)


async def _here(
    written: Written, out: Console, folder: Path, port: int, keep: bool, where: str, hosts: Mapping[str, str]
) -> bool:
    name = written.campaign.name
    async with Children(folder / "logs") as processes:
        private = Private(written, folder, processes, hosts)
        with out.status("starting a private network"):
            await private.start_coordinator(port)
            await private.start_site()
            await private.start_node(LOCAL)
            await private.start_people()
        async with private.client() as network:
            before = await _made_before(network, name)
            await private.submit(network)
            _say_anew(out, before)
            out.print(f"[b]{name}[/b]: watch it at {private.url}/campaigns/{name}", soft_wrap=True)
            if where_is_it := private.where():
                out.print(f"[dim]{where_is_it}[/dim]", soft_wrap=True)
            if hosts:
                out.print(f"[dim]Its node may also fetch from {told(hosts)}.[/dim]", soft_wrap=True)
            end = await watch.until_done(
                network,
                name,
                out,
                look=private.look,
                goes_on=f"The same command goes on with it; `optimai cancel {name}{where}` ends it.",
            )
            done = await _summary(out, network, end, where)
        if keep:
            out.print("[dim]The network stays up. Ctrl-C ends it.[/dim]")
            await asyncio.Event().wait()
        return done


async def _elsewhere(
    written: Written,
    out: Console,
    there: AbstractAsyncContextManager[Client],
    where: str,
    hosts: Mapping[str, str],
) -> bool:
    if hosts:
        what = "an option for a network that runs: what a node there may fetch its own operator says"
        raise BadValue(what, "--allow", "optimai join --allow NAME:PORT=ADDRESS:PORT")
    name = written.campaign.name
    async with there as network:
        before = await _made_before(network, name)
        await network.submit(written.raw)
        _say_anew(out, before)
        out.print(f"[b]{name}[/b]: watch it at {network.url}/campaigns/{name}", soft_wrap=True)
        goes_on = f"It goes on without this command; `optimai cancel {name}{where}` ends it."
        end = await watch.until_done(network, name, out, goes_on=goes_on)
        return await _summary(out, network, end, where)


async def _made_before(network: Client, name: str) -> watch.Facts | None:
    """The version that a campaign of that name has made, where it has ended."""
    try:
        last = await watch.facts(network, name)
    except NotFound:
        return None
    return last["version"] if last["state"] != "running" else None


def _say_anew(out: Console, before: watch.Facts | None) -> None:
    """This is another campaign, and not the same for nothing."""
    if before:
        made, number = before["name"], before["number"]
        out.print(f"{made}@{number} is there already; this makes {made}@{number + 1} and is paid anew.")


async def _summary(out: Console, network: Client, end: watch.Facts, where: str) -> bool:
    """Whether it was done to its end."""
    out.print(watch.table(end))
    whole = end["state"] == "done"
    if not whole:
        out.print(
            f"\n[yellow]{end['name']} was ended before it was done[/]: it was cancelled, or its time was over. What "
            f"was answered is judged and paid, the rest of its budget is back."
        )
    if version := end["version"]:
        name = f"{version['name']}@{version['number']}"
        if end["no_rows"]:
            out.print(f"\n[yellow b]{name}[/]: no rows: {escape(end['no_rows'])}", soft_wrap=True)
            return False
        row = await first_row(network, version["name"], version["number"])
        rows = f"{version['rows']:,} rows" + ("" if whole else ", as far as it came")
        out.print(f"\n[green b]{name}[/]: {rows}. Next:")
        out.print(f"  optimai get {name} --to parquet{where}", soft_wrap=True)
        if row:
            out.print(f"  optimai trace {name} {row}{where}", soft_wrap=True)
        out.print(f"  optimai verify{where}", soft_wrap=True)
    elif whole:
        out.print("\n[yellow]It ended without a dataset[/]: see above what its steps waited for.")
    return whole and version is not None


def cancel(name: str, /, *, url: Url = "", home: Folder = None) -> None:
    """End the campaign NAME before its time: what was answered is judged and paid, the rest of its budget returns."""
    out = Console()

    async def go() -> None:
        started = not url and not running.locked(home or connect.own())
        async with connect.network(url, home=home) as network:
            await network.cancel(name)
            out.print(
                f"{name}: nothing more is offered. What was answered is judged and paid, the rest returns; "
                f"the name is free."
            )
            if started:
                goes_on = "It ends when a coordinator runs again."
                out.print(watch.table(await watch.until_done(network, name, out, goes_on=goes_on)))

    children.run(go())
