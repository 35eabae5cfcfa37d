"""`optimai estimate FILE`: what it would cost, how long, the first five rows. No money moves."""

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from optimai.cli import children, watch
from optimai.cli.children import Children
from optimai.cli.private import LOCAL, Private
from optimai.client.campaign_file import Written, read
from optimai.client.estimate import Line
from optimai.client.estimate import estimate as compute
from optimai.core.money import opi
from optimai.node.clock import now


def estimate(
    file: Path,
    /,
    *,
    seconds: Annotated[int, Parameter(help="How long to try it, at most.")] = 25,
) -> None:
    """Try the campaign in FILE for a few seconds on a network that is thrown away, and reckon up the whole."""
    out = Console()
    written = read(file)
    with out.status(f"trying it for at most {seconds} s on a network that is thrown away"):
        sample, rows = children.run(_try(written, seconds))
    _show(out, written, compute(written.campaign, sample["steps"]), rows)


async def _try(written: Written, seconds: int) -> tuple[watch.Facts, Any]:
    with TemporaryDirectory(prefix="optimai-estimate-") as folder:
        async with Children(Path(folder) / "logs") as children:
            private = Private(written, Path(folder) / "network", children)
            await private.start_coordinator()
            await private.start_site()
            await private.start_node(LOCAL)
            await private.start_people()
            async with private.client() as network:
                await private.submit(network)
                began = now()
                while True:
                    private.look()
                    facts = await watch.facts(network, written.campaign.name)
                    if facts["state"] != "running" or (now() - began).total_seconds() > seconds:
                        rows = await network.get(
                            f"/v1/campaigns/{written.campaign.name}/rows?most=5", dict[str, Any]
                        )
                        return facts, rows
                    await asyncio.sleep(0.5)


def _show(out: Console, written: Written, lines: list[Line], rows: Any) -> None:
    table = Table(box=None, header_style="dim")
    for column in ("step", "units", "cost, OPI", "rows out, at most", "time here"):
        table.add_column(column, justify="left" if column == "step" else "right")
    for line in lines:
        table.add_row(
            f"[b]{line.step}[/] [dim]{line.kind}[/]",
            f"{_span(f'{line.least:,}', f'{line.most:,}')} {line.unit}s",
            _span(opi(line.cost_least), opi(line.cost_most)),
            f"{line.rows:,}",
            _time(line.seconds),
        )
    out.print(table)
    least, most = sum(line.cost_least for line in lines), sum(line.cost_most for line in lines)
    enough = (
        "which the budget covers" if most <= written.campaign.budget else "[yellow]more than the budget[/]"
    )
    out.print(
        f"\nTogether [b]{_span(opi(least), opi(most))} OPI[/] of {opi(written.campaign.budget)}, {enough}."
    )
    out.print(
        "[dim]The higher figure includes the share that a second owner does again. No money moved.[/]\n"
    )
    if rows["rows"]:
        out.print(f"The first rows of [b]{rows['step']}[/]:")
        for row in rows["rows"]:
            out.print(
                "  " + "  ".join(f"[dim]{key}[/] {_short(value)}" for key, value in row.items() if value)
            )


def _span(least: str, most: str) -> str:
    return least if least == most else f"{least} to {most}"


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "not tried"
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _short(value: object) -> str:
    text = str(value).replace("\n", " ").replace("[", r"\[")
    return text if len(text) <= 48 else f"{text[:45]}…"
