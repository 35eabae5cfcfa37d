"""Shows a campaign while it runs: a line for each step, who works, where the money is."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from optimai.client.network import Client
from optimai.core.errors import Unreachable
from optimai.core.money import opi

Facts = Mapping[str, Any]
EVERY = 0.5  # seconds
STYLES = {"flows": "cyan", "sealed": "green", "waits": "dim", "stopped": "red"}


async def facts(network: Client, name: str) -> Facts:
    return await network.get(f"/v1/campaigns/{quote(name, safe='')}", dict[str, Any])


async def until_done(
    network: Client, name: str, out: Console, *, look: Callable[[], None] = lambda: None, goes_on: str = ""
) -> Facts:
    """Until the campaign has ended; what is told of it last. A coordinator that is away is waited for.

    `look` raises where waiting is in vain. Told to stop, it says where the campaign stands, and how it goes on.
    """
    last: Facts | None = None
    try:
        with Live(console=out, refresh_per_second=4, transient=True) as live:
            while True:
                look()
                try:
                    last = await facts(network, name)
                except Unreachable as fault:
                    live.update(Text(f"{fault} It is tried again.", style="yellow"))
                else:
                    live.update(table(last))
                    if last["state"] != "running":
                        return last
                await asyncio.sleep(EVERY)
    except asyncio.CancelledError:
        out.print(f"{stands(name, last)}{goes_on}", soft_wrap=True)
        raise


def stands(name: str, campaign: Facts | None) -> str:
    """In one sentence."""
    if campaign is None:
        return f"Nothing was heard of {name} yet. "
    steps = [step for step in campaign["steps"] if step["kind"]]
    sealed = sum(step["state"] == "sealed" for step in steps)
    tasks = sum(step["closed"] for step in steps)
    return f"{name} has {tasks:,} tasks done, {sealed} of {len(steps)} steps sealed. "


def table(campaign: Facts) -> Group:
    steps = Table(box=None, pad_edge=False, header_style="dim")
    for name, justify in (
        ("step", "left"),
        ("rows", "right"),
        ("/s", "right"),
        ("tasks", "right"),
        ("", "left"),
    ):
        steps.add_column(name, justify=justify)  # type: ignore[arg-type]
    for step in campaign["steps"]:
        if step["kind"] is None:
            continue
        style = STYLES[step["state"]]
        told = f"waits for {escape(step['waits_for'])}" if step["waits_for"] else _told(step)
        steps.add_row(
            f"[b]{step['name']}[/b] [dim]{step['kind']}[/dim]",
            f"{step['done'] if step['standing'] else step['rows']:,}",
            f"{step['per_second']:.1f}" if step["state"] == "flows" else "",
            f"{step['closed']:,}/{step['closed'] + step['open']:,}",
            f"[{style}]{told}[/]",
        )
    return Group(steps, Text(""), money(campaign))


def _told(step: Mapping[str, Any]) -> str:
    checked = (
        f", {step['audited']:,} of {step['drawn']:,} tasks checked by another" if step["audited"] else ""
    )
    return f"{step['state']}{checked}"


def money(campaign: Facts) -> Text:
    at = campaign["money"]
    parts = [
        (at["available"], "paid"),
        (at["pending"], "pending"),
        (at["reserved"], "reserved"),
        (at["escrow"], "in escrow"),
        (at["returned"], "returned"),
    ]
    told = " · ".join(f"{opi(nano)} {what}" for nano, what in parts if nano)
    return Text.from_markup(f"[dim]{opi(at['budget'])} OPI:[/dim] {told}")
