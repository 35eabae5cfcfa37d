"""`optimai sim`: simulated owners with strategies against the protocol's rules, and what that brings and costs."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from msgspec.structs import replace
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from optimai.core.errors import BadValue
from optimai.sim.lab import laboratory, scenario, strategies

if TYPE_CHECKING:
    from optimai.sim.lab.laboratory import Figure, Report

COLUMNS = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
SHOWN = (
    ("ratio", "pay for the same effort, beside honesty", False),
    ("net", "pay, beside honesty", True),
    ("suspended", "suspended, times each", False),
    ("accuracy", "results that are right", True),
    ("accuracy_honest", "  with nobody lying", True),
    ("cost", "answers for each item", False),
    ("cost_honest", "  with nobody lying", False),
    ("honest_pay", "honest pay, of the price", True),
    ("honest_suspended", "honest owners suspended", True),
)


def sim(
    *scenarios: Path,
    compare: Annotated[bool, Parameter(help="Of two scenarios: what differs.", negative="")] = False,
    seeds: Annotated[int | None, Parameter(help="Instead of as many as the file says.")] = None,
) -> None:
    """Play SCENARIO, a TOML file, in the attack laboratory. Without one: what strategies there are."""
    console = Console(highlight=False, markup=False)
    if not scenarios and not compare:
        console.print(_list())
        return
    if compare and len(scenarios) != 2:
        raise BadValue(
            "two scenarios to compare", str(len(scenarios)), "optimai sim --compare old.toml new.toml"
        )
    if seeds is not None and seeds < 1:
        raise BadValue("one seed or more", str(seeds), "20")
    read = [scenario.read(path) for path in scenarios]
    for path, one in zip(scenarios, read, strict=True):
        scenario.strategy(one.strategy, one.share, path.parent)
    reports = []
    for path, one in zip(scenarios, read, strict=True):
        one = one if seeds is None else replace(one, seeds=seeds)
        with Progress(*COLUMNS, console=Console(stderr=True), transient=True) as progress:
            bar = progress.add_task(escape(str(path)), total=one.seeds)
            reports.append(laboratory.run(one, path.parent, partial(progress.advance, bar)))
    console.print(_table(scenarios, reports, compare))


def _list() -> Table:
    table = Table("strategy", "what its simulated owners do", box=None, pad_edge=False)
    for name, kind in strategies.BY_NAME.items():
        table.add_row(name, (kind.__doc__ or "Honest in everything.").partition("\n")[0])
    table.caption = f"Play one: optimai sim {scenario.EXAMPLE}"
    return table


def _table(paths: tuple[Path, ...], reports: "list[Report]", compare: bool) -> Table:
    table = Table("", *(path.stem for path in paths), *(["difference"] if compare else []), box=None)
    table.add_row("strategy", *(f"{one.strategy} {one.share:g}" for one in reports))
    table.add_row("simulated attackers, of owners", *(f"{one.attackers:.0%}" for one in reports))
    table.add_row("seeds", *(str(one.seeds) for one in reports))
    for name, words, share in SHOWN:
        figures: list[Figure] = [getattr(one, name) for one in reports]
        cells = [_cell(figure, share, one.seeds) for figure, one in zip(figures, reports, strict=True)]
        if compare:
            cells.append(_said(figures[1].mean - figures[0].mean, share, sign="+"))
        table.add_row(words, *cells)
    return table


def _cell(figure: "Figure", share: bool, seeds: int) -> str:
    """One seed knows nothing of its own spread."""
    spread = f" ± {_said(figure.either_way, share)}" if seeds > 1 else ""
    return _said(figure.mean, share) + spread


def _said(value: float, share: bool, sign: str = "") -> str:
    return f"{value:{sign}.2%}" if share else f"{value:{sign}.3f}"
