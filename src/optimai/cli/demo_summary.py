"""The demo's summary: fit for a screenshot, and every figure from the report."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from optimai.cli.demo_checks import NodeLine, Report
from optimai.core.money import opi


def show(out: Console, report: Report, folder: Path) -> None:
    out.print()
    out.print(_steps(report))
    out.print()
    out.print(_nodes(report))
    out.print()
    for fault in report.faults:
        out.print(f"  {'[green]survived[/]' if fault.survived else '[red]NOT SURVIVED[/]'}  {fault.what}")
    verify = report.verify
    ledger = report.ledger
    out.print(
        f"\n  ledger    sum {ledger.sum_nopi} nano-OPI, paid twice {ledger.double_paid}, "
        f"results lost {ledger.lost_results}"
        f"\n  evidence  epochs 1 to {verify.epoch} recomputed from their bundles: "
        f"{'they hold' if verify.ok else 'WRONG'}; "
        f"a copy with one byte changed: {'noticed' if verify.tampered_detected else 'NOT NOTICED'}"
        f"\n  dataset   {report.dataset.name}, {report.dataset.rows:,} rows, in {folder}"
    )
    if report.wrong:
        out.print("\n[red b]Not everything holds:[/]")
        for line in report.wrong:
            out.print(f"  [red]·[/] {line}")
        return
    out.print(f"\n[green b]Everything holds.[/] {report.seconds:.0f} s. Next, all on this machine:\n")
    out.print("  optimai run examples/docs.yaml", "  optimai trace docs@1 ROW", "  optimai verify", sep="\n")


def _steps(report: Report) -> Table:
    table = Table(box=None, pad_edge=True, header_style="dim")
    for name in ("step", "rows in", "rows out"):
        table.add_column(name, justify="left" if name == "step" else "right")
    for step in report.steps:
        table.add_row(f"[b]{step.name}[/]", f"{step.rows_in:,}", f"{step.rows_out:,}")
    return table


def _nodes(report: Report) -> Table:
    table = Table(box=None, pad_edge=True, header_style="dim")
    table.add_column("node", no_wrap=True)
    table.add_column("habit", no_wrap=True)
    table.add_column("units done", justify="right")
    table.add_column("held", justify="right")
    table.add_column("earned, OPI", justify="right")
    table.add_column("")
    for one in _together(report.nodes):
        style = "red" if one.caught_by else "none"
        earned = opi(one.earned_nopi)
        table.add_row(
            f"[b]{one.name}[/]",
            f"[{style}]{one.habit}[/]",
            f"{one.done:,}",
            f"{one.accepted:,}",
            earned,
            _why(one),
        )
    return table


def _together(nodes: Sequence[NodeLine]) -> list[NodeLine]:
    """The simulated people who are honest in one line; the report has each."""
    people = [one for one in nodes if one.name.startswith("simulated-") and not one.caught_by]
    rest = [one for one in nodes if one not in people]
    if not people:
        return rest
    crowd = NodeLine(
        f"{len(people)} people, simulated",
        "honest",
        sum(one.done for one in people),
        sum(one.accepted for one in people),
        None,
        sum(one.earned_nopi for one in people),
        "",
    )
    return [crowd, *rest]


def _why(one: NodeLine) -> str:
    if one.caught_by:
        return f"[red]suspended, caught by {one.caught_by}[/]"
    return f"[dim]{one.why}[/]" if not one.earned_nopi else ""
