"""Pages as they were fetched to clean text: the main text of each, its title and its language.

A page passes all rules or is dropped by the first that it fails, and each task counts
what its rules dropped: a step that loses most of its rows says why.
"""

from datetime import timedelta
from typing import Annotated

from msgspec import Meta, Struct

from optimai.core.ids import BlobId
from optimai.kinds.contract import Kind, News, Piece, Plan, Shard

KIND = Kind(
    name="clean.text",
    version=1,
    hands=frozenset({"machine"}),
    reads="row",
    gives=("url", "site", "title", "text", "language", "words"),
    unit="row",
    lease=timedelta(minutes=2),
)

MOST_ROWS = 500  # of a task: 5 to 15 s of work

Language = Annotated[str, Meta(pattern="^[a-z]{2,3}$")]


class Options(Struct, frozen=True, forbid_unknown_fields=True):
    """What a campaign may write under the step."""

    language: Language | None = None  # ISO 639 code; None: all
    min_words: Annotated[int, Meta(ge=1)] = 20


class Task(Struct, frozen=True, forbid_unknown_fields=True):
    shard: Shard
    start: int  # rows [start, stop) of the shard
    stop: int
    language: str | None
    min_words: int


class Dropped(Struct, frozen=True, forbid_unknown_fields=True):
    reason: str
    rows: int


class Result(Struct, frozen=True, forbid_unknown_fields=True):
    rows: BlobId  # {"_row", "_from", "url", "site", "title", "text", "language", "words"}
    dropped: tuple[Dropped, ...]  # in the order of rules.REASONS, those that dropped something


def needs(options: Options) -> tuple[str, ...]:
    return ("url", "body", "type", "encoding")


def plan(options: Options, state: bytes, news: News[Task, Result]) -> Plan[Task]:
    """As soon as a shard is sealed, a task for each piece of it."""
    starts = [(shard, start) for shard in news.sealed for start in range(0, shard.rows, MOST_ROWS)]
    return Plan([_piece(options, shard, start) for shard, start in starts], finished=news.ended)


def _piece(options: Options, shard: Shard, start: int) -> Piece[Task]:
    stop = min(start + MOST_ROWS, shard.rows)
    task = Task(shard, start, stop, options.language, options.min_words)
    return Piece(task=task, units=stop - start, reads=(shard,))
