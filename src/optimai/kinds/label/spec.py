"""A question about each row of a text, answered by people who choose one of a few answers.

An answer is a person's choice for each row of a task. Nobody who answers is told which
rows have a known answer; the judge knows, for the known answers are an option.
"""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Annotated

from msgspec import Meta, Struct

from optimai.core.chance import MILLION, Ppm
from optimai.core.ids import RowId
from optimai.kinds.contract import Kind, News, Piece, Plan, Shard
from optimai.kinds.label import order
from optimai.kinds.label.range import parse_range

KIND = Kind(
    name="label",
    version=1,
    hands=frozenset({"person"}),
    reads="all",  # a sample is drawn from all rows
    gives=("label", "votes", "of"),
    unit="answer",
    lease=timedelta(minutes=30),
    audit=Ppm(0),
    checks="opinions",
    tolerates=Ppm(500_000),  # people err, and some known answers are disputable
    good=Ppm(500_000),
    files=frozenset({"known"}),
    carries=True,
)

MOST_ROWS = 50  # of a task

Choice = Annotated[str, Meta(min_length=1, max_length=100)]


class Options(Struct, frozen=True, forbid_unknown_fields=True):
    """What a campaign may write under the step."""

    question: Annotated[str, Meta(min_length=1, max_length=1_000)]
    choices: Annotated[tuple[Choice, ...], Meta(min_length=2, max_length=20)]
    column: str = "text"  # what is shown of a row
    by: str = "url"  # the column by which a known row is found
    sample: Annotated[int, Meta(ge=1)] | None = None  # so many rows, and the known ones; None: all
    answers: str = "3..7"  # owners asked about a row: at least, at most
    known: tuple[dict[str, str], ...] = ()  # rows {BY: …, "answer": …}
    batch: Annotated[int, Meta(ge=1, le=MOST_ROWS)] = 5  # rows of a task

    def __post_init__(self) -> None:
        parse_range(self.answers)
        if len(set(self.choices)) < len(self.choices):
            raise ValueError("a choice stands twice in choices")
        for number, row in enumerate(self.known, 1):
            if not row.get(self.by) or row.get("answer") not in self.choices:
                raise ValueError(f"known row {number} needs {self.by!r}, and as 'answer' one of the choices")
        if len(known_answers(self)) < len(self.known):
            raise ValueError(f"two known rows have the same {self.by!r}")


def known_answers(options: Options) -> Mapping[str, str]:
    return {row[options.by]: row["answer"] for row in options.known}


def chance(options: Options) -> Ppm:
    return Ppm(MILLION // len(options.choices))


class Item(Struct, frozen=True, forbid_unknown_fields=True):
    """A row to answer for. Its name is what its column `by` says, or ""."""

    row: RowId
    name: str


class Part(Struct, frozen=True, forbid_unknown_fields=True):
    """Where to read the text of some rows."""

    shard: Shard
    items: tuple[Item, ...]


class Task(Struct, frozen=True, forbid_unknown_fields=True):
    question: str
    choices: tuple[str, ...]
    column: str
    parts: tuple[Part, ...]

    def items(self) -> Iterator[Item]:
        return (item for part in self.parts for item in part.items)


class Opinion(Struct, frozen=True, forbid_unknown_fields=True):
    row: RowId
    choice: Choice


class Answers(Struct, frozen=True, forbid_unknown_fields=True, tag="answers"):
    """What one person says: an opinion for each row of the task."""

    opinions: Annotated[tuple[Opinion, ...], Meta(max_length=MOST_ROWS)]


class Label(Struct, frozen=True, forbid_unknown_fields=True):
    row: RowId
    choice: str
    votes: int  # for this choice,
    of: int  # of all that counted


class Labels(Struct, frozen=True, forbid_unknown_fields=True, tag="labels"):
    """What the judge makes of the answers. From anybody else it is refused."""

    labels: tuple[Label, ...]


Result = Answers | Labels


def needs(options: Options) -> tuple[str, ...]:
    return (options.column, options.by) if options.known else (options.column,)


def looks(options: Options) -> tuple[str, ...]:
    return ("_row", options.by)


def plan(options: Options, state: bytes, news: News[Task, Result]) -> Plan[Task]:
    """All tasks at once, in the order in which they should be asked."""
    known = known_answers(options)
    shards = {shard.blob: shard for shard in news.sealed}
    lines = [
        order.Line(row, name or "", blob)
        for blob in shards
        for row, name in zip(news.columns[blob]["_row"], news.columns[blob][options.by], strict=True)
    ]
    asked = order.arrange(lines, known, options.sample)
    pieces = []
    for start in range(0, len(asked), options.batch):
        batch = asked[start : start + options.batch]
        parts = tuple(_part(shards[blob], batch) for blob in sorted({line.blob for line in batch}))
        pieces.append(
            Piece(
                task=Task(options.question, options.choices, options.column, parts),
                units=len(batch),
                reads=tuple(part.shard for part in parts),
                answers=parse_range(options.answers)[0],
            )
        )
    return Plan(pieces, finished=news.ended)


def bound(options: Options, rows: int) -> tuple[int, int]:
    """Each sampled row and each known one is answered by so many people at least and at most."""
    asked = min(rows, (options.sample or rows) + len(options.known))
    least, most = parse_range(options.answers)
    return asked * least, asked * most


def _part(shard: Shard, batch: list[order.Line]) -> Part:
    """In the order of `_row`, so that no place in a task says anything."""
    lines = sorted((line.row, line.name) for line in batch if line.blob == shard.blob)
    return Part(shard, tuple(Item(row, name) for row, name in lines))
