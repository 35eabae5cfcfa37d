"""The demo's summary: fit for a screenshot, and every figure from the report."""

import os
from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from optimai.cli import connect
from optimai.cli.demo_report import NodeLine, Report
from optimai.core.money import OPI, Nano, opi


def begin(out: Console, url: str, campaign: str, site: str) -> None:
    """`site`: where its names lead, in a sentence; an operator has to see which private hosts nodes may reach."""
    out.print(f"Watch it at [b]{url}/campaigns/{campaign}[/b]", soft_wrap=True)
    if site:
        out.print(f"[dim]{site}[/dim]", soft_wrap=True)


def show(out: Console, report: Report, into: Path) -> None:
    """`into`: the demo's own folder."""
    out.print()
    out.print(_steps(report))
    out.print()
    out.print(_nodes(report))
    out.print(" [dim]held: units that hold after all checks; paid, if their node is not suspended[/]\n")
    for fault in report.faults:
        out.print(f"  {'[green]survived[/]' if fault.survived else '[red]NOT SURVIVED[/]'}  {fault.what}")
    verify = report.verify
    ledger = report.ledger
    out.print(
        f"\n  ledger    {_balance(ledger.sum_nopi)}"
        f"\n            {ledger.double_paid or 'no'} results were paid twice; of {ledger.acknowledged_results:,} "
        f"that nodes were told had been taken, {ledger.lost_results or 'none'} lost"
        f"\n  evidence  {verify.verdicts:,} verdicts of epochs 1 to {verify.epoch} recomputed from their bundles: "
        f"{'they hold' if verify.ok else 'WRONG'}; "
        f"\n            copies with one byte changed, of the bundle, its head or the network's key: "
        f"{'all noticed' if verify.tampered_detected else 'NOT ALL NOTICED'}"
        f"\n  dataset   {report.dataset.name}, {report.dataset.rows:,} rows, in {report.dataset.path}"
    )
    optimai, home = _program(), into / "network"
    if report.wrong:
        out.print("\n[red b]Not everything holds:[/]")
        for line in report.wrong:
            out.print(f"  [red]·[/] {line}")
        out.print(
            f"\nWhere to look: {into}/report.json has every figure, {into}/logs what each process said, and with"
            f"\n  {optimai} up --home {home}"
            "\nthe pages are back: each node's has its lines of pay with their reasons."
        )
        return
    out.print(f"\n[green b]Everything holds.[/] {report.seconds:.0f} s. Next, all on this machine:\n")
    commands = (
        (
            f"trace {report.dataset.name} {_a_row(report)} --home {home}",
            "one row, back to signed work and pay",
        ),
        (f"verify {verify.fullest} --home {home}", "recompute the epoch with the most verdicts yourself"),
        (f"up --home {home}", "bring the pages back, until Ctrl-C"),
        ("run examples/docs.yaml", "the same without liars, in a network of your own"),
    )
    width = max(len(command) for command, _ in commands)
    for command, what in commands:
        out.print(f"  {optimai} {command:<{width}}  [dim]# {what}[/]", soft_wrap=True)


def _balance(nopi: int) -> str:
    if nopi == 0:
        return "all accounts together are exactly 0 OPI: no coin was made, none was lost"
    return f"all accounts together are {opi(Nano(nopi))} OPI, and MUST BE 0"


def _program() -> str:
    """What to call this program by, in the shell that it was called from."""
    program = connect.program()
    return os.path.relpath(program) if os.path.isabs(program) else program


def _a_row(report: Report) -> str:
    """The beginning of one row's name."""
    file = next(Path(report.dataset.path).glob("*.parquet"))
    return str(pq.ParquetFile(file).read(columns=["_row"], use_threads=False)["_row"][0].as_py())[:12]


def _steps(report: Report) -> Table:
    table = Table(box=None, pad_edge=True, header_style="dim")
    for name in ("step", "rows in", "rows out", ""):
        table.add_column(name, justify="right" if name.startswith("rows") else "left")
    for step in report.steps:
        makes = "–" if step.answers else f"{step.rows_out:,}"
        told = (
            f"[dim]makes none, it keeps them: {step.answers:,} proofs of it held[/]" if step.answers else ""
        )
        table.add_row(f"[b]{step.name}[/]", f"{step.rows_in:,}", makes, told)
    return table


def _nodes(report: Report) -> Table:
    table = Table(box=None, pad_edge=True, header_style="dim")
    table.add_column("node", no_wrap=True)
    table.add_column("habit", no_wrap=True)
    table.add_column("units done", justify="right")
    table.add_column("held", justify="right")
    table.add_column("earned, OPI", justify="right")
    table.add_column("bond", justify="right")
    table.add_column("")
    for one in _together(report.nodes):
        style = "red" if one.caught_by else "none"
        earned = f"{one.earned_nopi / OPI:.4f}"
        table.add_row(
            f"[b]{one.name}[/]{', simulated' if one.simulated else ''}",
            f"[{style}]{one.habit}[/]",
            f"{one.done:,}",
            f"{one.accepted:,}",
            earned,
            f"{one.bond_nopi / OPI:.4f}" if one.bond_nopi else "",
            _why(one),
        )
    return table


def _together(nodes: Sequence[NodeLine]) -> list[NodeLine]:
    """The simulated people who are honest in one line; the report has each."""
    people = [one for one in nodes if one.simulated and one.habit == "honest" and not one.caught_by]
    rest = [one for one in nodes if one not in people]
    if not people:
        return rest
    crowd = NodeLine(
        f"{len(people)} people",
        "honest",
        True,
        sum(one.done for one in people),
        sum(one.accepted for one in people),
        None,
        sum(one.earned_nopi for one in people),
        0,
        sum(one.bond_nopi for one in people),
        "",
    )
    return [crowd, *rest]


def _why(one: NodeLine) -> str:
    if one.caught_by:
        kept = "; what it has was free before" if one.earned_nopi and not one.undue_nopi else ""
        return f"[red]suspended, caught by {one.caught_by}{kept}[/]"
    return f"[dim]{one.why}[/]" if not one.earned_nopi + one.bond_nopi else ""
