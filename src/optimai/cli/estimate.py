"""`optimai estimate FILE`: what it would cost, how long, the first five rows. No money moves."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

from cyclopts import Parameter
from msgspec import Struct
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from optimai.cli import children, watch
from optimai.cli.children import Children
from optimai.cli.join import Allow, allowed, told
from optimai.cli.private import LOCAL, Private
from optimai.client.campaign_file import Written, read
from optimai.client.estimate import Line
from optimai.client.estimate import estimate as compute
from optimai.core.money import opi
from optimai.node.clock import now

LOOK = 0.25  # seconds between two looks


def estimate(
    file: Path,
    /,
    *,
    seconds: Annotated[int, Parameter(help="How long to try it, at most.")] = 25,
    allow: Allow = None,
) -> None:
    """Try the campaign in FILE for a few seconds on a network that is thrown away, and reckon up the whole."""
    out = Console()
    written = read(file)
    hosts = allowed(allow)
    if hosts:
        out.print(f"[dim]Its node may also fetch from {told(hosts)}.[/]", soft_wrap=True)
    with out.status(f"trying it for at most {seconds} s on a network that is thrown away"):
        sample, took, rows = children.run(_try(written, seconds, hosts))
    _show(out, written, compute(written.campaign, sample["steps"], took), rows, sample["no_rows"])


async def _try(
    written: Written, seconds: int, hosts: Mapping[str, str]
) -> tuple[watch.Facts, Mapping[str, float], Any]:
    """What became of it, how long each step took, and the first rows."""
    with TemporaryDirectory(prefix="optimai-estimate-") as folder:
        async with Children(Path(folder) / "logs") as children:
            private = Private(written, Path(folder) / "network", children, hosts)
            await private.start_coordinator()
            await private.start_site()
            await private.start_node(LOCAL)
            await private.start_people()
            async with private.client() as network:
                await private.submit(network)
                began = now()
                clocks = {step.name: _Clock() for step in written.campaign.steps}
                while True:
                    private.look()
                    facts = await watch.facts(network, written.campaign.name)
                    gone = (now() - began).total_seconds()
                    for step in facts["steps"]:
                        if step["kind"]:
                            clocks[step["name"]].see(step, gone)
                    if facts["state"] != "running" or gone > seconds:
                        rows = await network.get(
                            f"/v1/campaigns/{written.campaign.name}/rows?most=5", dict[str, Any]
                        )
                        return facts, {name: one.took for name, one in clocks.items()}, rows
                    await asyncio.sleep(LOOK)


class _Clock(Struct):
    """How long a step had anything to do."""

    begun: float | None = None
    done: int = 0
    took: float = 0.0

    def see(self, step: watch.Facts, gone: float) -> None:
        if self.begun is None and (step["in_hand"] or step["done"]):
            self.begun = max(0.0, gone - LOOK)
        if self.begun is not None and step["done"] > self.done:
            self.done, self.took = step["done"], gone - self.begun


def _show(out: Console, written: Written, lines: list[Line], rows: Any, no_rows: str) -> None:
    table = Table(box=None, header_style="dim")
    for column in ("step", "units", "cost, OPI", "rows out, at most", "time here"):
        table.add_column(column, justify="left" if column == "step" else "right")
    for line in lines:
        table.add_row(
            f"[b]{line.step}[/] [dim]{line.kind}[/]",
            f"{_span(f'{line.least:,}', f'{line.most:,}')} {line.unit}s",
            _span(opi(line.cost_least), opi(line.cost_most)),
            f"{line.rows:,}",
            _time(line),
        )
    out.print(table)
    least, most = sum(line.cost_least for line in lines), sum(line.cost_most for line in lines)
    enough = (
        "which the budget covers" if most <= written.campaign.budget else "[yellow]more than the budget[/]"
    )
    if no_rows:
        out.print(
            f"\n[yellow b]It was tried to its end, and made no rows[/]: {escape(no_rows)}", soft_wrap=True
        )
        enough = "for no row at all"
    out.print(
        f"\nTogether [b]{_span(opi(least), opi(most))} OPI[/] of {opi(written.campaign.budget)}, {enough}."
    )
    out.print(
        "[dim]The higher figure includes the share that a second owner does again. No money moved.[/]\n"
    )
    for line in lines:
        if line.rows_in and line.least > line.rows_in:
            times = _span(f"{line.least / line.rows_in:.3g}", f"{line.most / line.rows_in:.3g}")
            out.print(
                f"[dim]{line.step}: each row that comes in counts {times} times, "
                f"for {line.kind} goes over it so often, or asks so many about it.[/]"
            )
    if rows["rows"]:
        out.print(f"The first rows of [b]{rows['step']}[/]:")
        table = Table(box=None, header_style="dim")
        for column in rows["rows"][0]:
            table.add_column(column, overflow="ellipsis", no_wrap=True)
        for row in rows["rows"]:
            table.add_row(*(_short(value) for value in row.values()))
        out.print(table)


def _span(least: str, most: str) -> str:
    return least if least == most else f"{least} to {most}"


def _time(line: Line) -> str:
    if not line.tried:
        return "not tried"
    if line.seconds is None:
        return "as people answer"
    if line.seconds < 120:
        return f"{max(1, round(line.seconds))} s"
    return f"{line.seconds / 60:.0f} min"


def _short(value: object) -> str:
    text = str(value).replace("\n", " ").replace("[", r"\[")
    return text if len(text) <= 48 else f"{text[:45]}…"
