"""Counts the words of each row of a text column. The smallest kind there is: copy it."""

from datetime import timedelta

from msgspec import Struct

from optimai.core.ids import BlobId
from optimai.kinds.contract import Kind, News, Piece, Plan, Shard

KIND = Kind(
    name="word_count",
    version=1,
    hands=frozenset({"machine"}),
    reads="row",
    gives=("words",),
    unit="row",
    lease=timedelta(minutes=1),
    carries=True,  # a number without its text says nothing
)


class Options(Struct, frozen=True, forbid_unknown_fields=True):
    """What a campaign may write under the step."""

    column: str = "text"


class Task(Struct, frozen=True, forbid_unknown_fields=True):
    shard: Shard
    column: str


class Result(Struct, frozen=True, forbid_unknown_fields=True):
    rows: BlobId  # canonical JSON lines: {"_row": …, "_from": […], "words": …}


def needs(options: Options) -> tuple[str, ...]:
    return (options.column,)


def plan(options: Options, state: bytes, news: News[Task, Result]) -> Plan[Task]:
    """A task for each shard as soon as it is sealed."""
    return Plan(
        [Piece(task=Task(shard, options.column), units=shard.rows, reads=(shard,)) for shard in news.sealed],
        finished=news.ended,
    )
