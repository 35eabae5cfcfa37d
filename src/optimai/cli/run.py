"""`optimai run FILE`: a private network on this machine, a campaign through it, a dataset at its end."""

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console

from optimai.cli import connect, watch
from optimai.cli.children import Children
from optimai.cli.private import Private
from optimai.client.campaign_file import read


def run(
    file: Path,
    /,
    *,
    home: Annotated[
        Path | None, Parameter(help="The network's folder (default: OPTIMAI_HOME/private).")
    ] = None,
    port: Annotated[int, Parameter(help="Of the web page; 0 takes any.")] = 0,
    keep: Annotated[
        bool, Parameter(help="Leave the network up afterwards, until Ctrl-C.", negative="")
    ] = False,
) -> None:
    """Run the campaign in FILE from its first task to its dataset, alone on this machine."""
    out = Console()
    written = read(file)
    folder = home or connect.own()

    async def go() -> None:
        async with Children(folder / "logs") as children:
            private = Private(written, folder, children)
            with out.status("starting a private network"):
                await private.start_coordinator(port)
                await private.start_site()
                await private.start_node("local")
                await private.start_people()
            out.print(
                f"[b]{written.campaign.name}[/b]: watch it at {private.url}/campaigns/{written.campaign.name}"
            )
            if private.hosts:
                first, *_, last = private.hosts
                out.print(
                    f"[dim]Its site is served here: {first} to {last} lead to {private.hosts[first]}.[/dim]"
                )
            async with private.client() as network:
                await private.fund(network)
                await network.submit(written.raw)
                done = await watch.until_done(network, written.campaign.name, out)
            _summary(out, done)
            if keep:
                out.print("[dim]The network stays up. Ctrl-C ends it.[/dim]")
                await asyncio.Event().wait()

    with suppress(KeyboardInterrupt):
        asyncio.run(go())


def _summary(out: Console, done: watch.Facts) -> None:
    out.print(watch.table(done))
    if version := done["version"]:
        name = f"{version['name']}@{version['number']}"
        out.print(f"\n[green b]{name}[/]: {version['rows']:,} rows. Next:")
        out.print(f"  optimai get {name} --to parquet\n  optimai trace {name} ROW\n  optimai verify")
    else:
        out.print("\n[yellow]It ended without a dataset[/]: see above what its steps waited for.")
