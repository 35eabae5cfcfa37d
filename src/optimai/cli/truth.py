"""`optimai truth infer`: what is true in one's own votes, and whom one can believe. Nothing leaves the machine."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from optimai.core.errors import BadTable
from optimai.node.clock import now

if TYPE_CHECKING:
    from optimai.measures.truth import Votes

COLUMNS = ("item", "worker", "label")
MOST_LABELS = 256
SHOWN = 20  # workers
PARTS, LONGEST = 20, 40  # of the plot: lines, and cells of the longest


def infer(
    votes: Path,
    /,
    *,
    out: Annotated[Path | None, Parameter(help="item,label,confidence go there.")] = None,
    workers: Annotated[Path | None, Parameter(help="worker,votes,right of all of them go there.")] = None,
) -> None:
    """The likeliest label of each item in VOTES, a CSV file with the columns item, worker, label."""
    from optimai.measures import truth
    from optimai.measures.binary import ONE

    began = now()
    names, said = _read(votes)
    with _progress(truth.PASSES) as passed:
        beliefs = truth.infer(said, told=passed)
    sure = (beliefs.share.max(axis=0) / ONE).tolist()
    counts = ((beliefs.record.all + ONE // 2) // ONE).tolist()
    right = (beliefs.record.right / beliefs.record.all).tolist()
    if out:
        labels = [names["label"][k] for k in beliefs.share.argmax(axis=0).tolist()]
        _write(out, ("item", "label", "confidence"), zip(names["item"], labels, _digits(sure), strict=True))
    if workers:
        _write(
            workers, ("worker", "votes", "right"), zip(names["worker"], counts, _digits(right), strict=True)
        )

    console = Console(highlight=False)
    guess = 1 / said.classes
    console.print(
        f"{len(said.item):,} votes of {said.workers:,} workers on {said.items:,} items with {said.classes} labels: "
        f"{(now() - began).total_seconds():.1f} s.\n"
        f"{sum(one >= 0.95 for one in sure) / said.items:.1%} of the items are sure to 95 %, "
        f"{sum(one < 0.7 for one in sure) / said.items:.1%} not even to 70 %.\n\n"
        f"How many of a worker's votes are right; a guess would be for {guess:.0%}:"
    )
    console.print("\n".join(_plot(right, guess)) + "\n")
    console.print(_busiest(names["worker"], counts, right))
    if said.workers > SHOWN:
        console.print(f"[dim]and {said.workers - SHOWN:,} more, with --workers FILE[/]")
    for path in filter(None, (out, workers)):
        console.print(f"Written to {path}", soft_wrap=True)


def _read(path: Path) -> tuple[dict[str, list[str]], "Votes"]:
    """What items, workers and labels are called; and the votes."""
    import numpy as np
    from pyarrow import csv

    from optimai.measures import truth

    text = dict.fromkeys(COLUMNS, "string")
    convert = csv.ConvertOptions(include_columns=COLUMNS, column_types=text, strings_can_be_null=False)
    try:
        with path.open("rb") as file:
            table = csv.read_csv(file, convert_options=convert)
    except OSError as fault:
        raise BadTable(str(path), f"it can't be read ({fault.strerror})") from None
    except (ValueError, KeyError) as fault:
        raise BadTable(str(path), str(fault).split(". ")[0].rstrip(".")) from None
    if not table.num_rows:
        raise BadTable(str(path), "it has no votes")
    columns = {name: table[name].combine_chunks().dictionary_encode() for name in COLUMNS}
    names = {name: one.dictionary.to_pylist() for name, one in columns.items()}
    item, worker, label = (one.indices.to_numpy().astype(np.int64) for one in columns.values())
    if len(names["label"]) > MOST_LABELS:
        raise BadTable(str(path), f"it has {len(names['label']):,} labels, and {MOST_LABELS} are the most")
    first = np.argsort(names["label"])  # of two that are equally likely the first by name is taken
    names["label"] = [names["label"][one] for one in first]
    try:
        said = truth.collect(item, worker, np.argsort(first)[label], *(len(names[name]) for name in COLUMNS))
    except ValueError as fault:
        raise BadTable(str(path), str(fault)) from None
    return names, said


def _digits(shares: Iterable[float]) -> list[str]:
    return [f"{one:.4f}" for one in shares]


def _write(path: Path, header: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    import csv

    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            lines = csv.writer(file, lineterminator="\n")
            lines.writerow(header)
            lines.writerows(rows)
    except OSError as fault:
        raise BadTable(str(path), f"it can't be written ({fault.strerror})") from None


@contextmanager
def _progress(passes: int) -> Iterator[Callable[[], None]]:
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as shown:
        bar = shown.add_task("infer", total=passes)
        yield lambda: shown.advance(bar)


def _plot(shares: Sequence[float], guess: float) -> list[str]:
    """A line for each twentieth, from the first that anybody is in: how many workers are."""
    counts = [0] * PARTS
    for share in shares:
        counts[min(PARTS - 1, int(share * PARTS))] += 1
    guessed = int(guess * PARTS)
    first = min(guessed, next(part for part, count in enumerate(counts) if count))
    lines = []
    for part, count in enumerate(counts[first:], first):
        bar = "█" * -(-count * LONGEST // max(counts))
        lines.append(
            f"{part / PARTS:>5.0%} [cyan]{bar}[/] {count or ''}{' [dim]a guess[/]' if part == guessed else ''}"
        )
    return lines


def _busiest(names: Sequence[str], counts: Sequence[int], right: Sequence[float]) -> Table:
    table = Table(box=None, header_style="dim")
    for column in ("worker", "votes", "right"):
        table.add_column(column, justify="left" if column == "worker" else "right")
    for one in sorted(range(len(names)), key=lambda one: -counts[one])[:SHOWN]:
        table.add_row(escape(names[one]), f"{counts[one]:,}", f"{right[one]:.1%}")
    return table
