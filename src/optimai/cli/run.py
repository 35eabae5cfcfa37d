"""`optimai run FILE`: a campaign from its first task to its dataset; and `optimai cancel NAME`.

On a private network, which is started for it and stopped after it; or, with --url or with the --home of a
coordinator that runs, on that one, where nothing is started.
"""

import asyncio
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.markup import escape

from optimai.cli import children, connect, running, watch
from optimai.cli.children import Children
from optimai.cli.connect import Folder, Url
from optimai.cli.private import LOCAL, Private
from optimai.client.campaign_file import Written, read
from optimai.client.get import first_row
from optimai.client.network import Client


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
) -> None:
    """Run the campaign in FILE to its dataset: alone on this machine, or on a network that runs.

    The same command again goes on with what it was stopped in.
    """
    out = Console()
    written = read(file)
    folder = home or connect.own()
    if url:
        children.run(_elsewhere(written, out, connect.network(url), f" --url {url}"))
        return
    with connect.alone(folder):
        up = running.locked(folder)
        if not up:
            children.run(_here(written, out, folder, port, keep, f" --home {home}" if home else ""))
    if up:
        children.run(_elsewhere(written, out, connect.network(home=folder), f" --home {folder}"))


async def _here(written: Written, out: Console, folder: Path, port: int, keep: bool, where: str) -> None:
    name = written.campaign.name
    async with Children(folder / "logs") as processes:
        private = Private(written, folder, processes)
        with out.status("starting a private network"):
            await private.start_coordinator(port)
            await private.start_site()
            await private.start_node(LOCAL)
            await private.start_people()
        async with private.client() as network:
            await private.submit(network)
            out.print(f"[b]{name}[/b]: watch it at {private.url}/campaigns/{name}", soft_wrap=True)
            if hosts := list(private.hosts):
                names = " to ".join(dict.fromkeys((hosts[0], hosts[-1])))
                leads = "leads" if len(hosts) == 1 else "lead"
                out.print(
                    f"[dim]Its site is served here: {names} {leads} to {private.hosts[hosts[0]]}.[/dim]"
                )
            done = await watch.until_done(
                network,
                name,
                out,
                look=private.look,
                goes_on=f"The same command goes on with it; `optimai cancel {name}{where}` ends it.",
            )
            await _summary(out, network, done, where)
        if keep:
            out.print("[dim]The network stays up. Ctrl-C ends it.[/dim]")
            await asyncio.Event().wait()


async def _elsewhere(
    written: Written, out: Console, there: AbstractAsyncContextManager[Client], where: str
) -> None:
    name = written.campaign.name
    async with there as network:
        await network.submit(written.raw)
        out.print(f"[b]{name}[/b]: watch it at {network.url}/campaigns/{name}", soft_wrap=True)
        goes_on = f"It goes on without this command; `optimai cancel {name}{where}` ends it."
        await _summary(out, network, await watch.until_done(network, name, out, goes_on=goes_on), where)


async def _summary(out: Console, network: Client, done: watch.Facts, where: str) -> None:
    out.print(watch.table(done))
    if version := done["version"]:
        name = f"{version['name']}@{version['number']}"
        if done["no_rows"]:
            out.print(f"\n[yellow b]{name}[/]: no rows: {escape(done['no_rows'])}", soft_wrap=True)
            return
        row = await first_row(network, version["name"], version["number"])
        out.print(f"\n[green b]{name}[/]: {version['rows']:,} rows. Next:")
        out.print(f"  optimai get {name} --to parquet{where}", soft_wrap=True)
        if row:
            out.print(f"  optimai trace {name} {row}{where}", soft_wrap=True)
        out.print(f"  optimai verify{where}", soft_wrap=True)
    else:
        out.print("\n[yellow]It ended without a dataset[/]: see above what its steps waited for.")


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
