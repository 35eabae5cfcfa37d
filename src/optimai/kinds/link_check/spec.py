"""Says of each row's link whether it still works, whether it moved, and where to.

A task is some links of one shard, those of one host side by side, and carries them
itself. An audit is the same task again: another owner looks without knowing what the
first one saw, and `judge` compares link by link.
"""

from datetime import timedelta
from typing import Annotated

from msgspec import Meta, Struct

from optimai.core.chance import Ppm
from optimai.kinds.contract import Kind, News, Piece, Plan
from optimai.kinds.link_check.seen import LONGEST, Link, Seen, is_address

KIND = Kind(
    name="link.check",
    version=1,
    hands=frozenset({"machine"}),
    reads="row",
    gives=("url", "state", "status", "moved_to", "length", "refused"),
    unit="row",
    lease=timedelta(minutes=5),
    tolerates=Ppm(100_000),  # so do servers
    parallel=4,
)

MOST_LINKS = 50


class Options(Struct, frozen=True, forbid_unknown_fields=True):
    """What a campaign may write under the step."""

    column: Annotated[str, Meta(min_length=1, max_length=100)] = "url"
    batch: Annotated[int, Meta(ge=1, le=MOST_LINKS)] = 10  # links a task
    delay_ms: Annotated[int, Meta(ge=0, le=60_000)] = 1_000  # between two requests to a host


class Task(Struct, frozen=True, forbid_unknown_fields=True):
    links: Annotated[tuple[Link, ...], Meta(min_length=1, max_length=MOST_LINKS)]
    delay_ms: int


class Result(Struct, frozen=True, forbid_unknown_fields=True):
    seen: Annotated[tuple[Seen, ...], Meta(max_length=MOST_LINKS)]  # of each link, in the task's order


def needs(options: Options) -> tuple[str, ...]:
    return (options.column,)


def looks(options: Options) -> tuple[str, ...]:
    return ("_row", options.column)


def plan(options: Options, state: bytes, news: News[Task, Result]) -> Plan[Task]:
    """Each shard's links in batches as soon as it is sealed."""
    pieces = []
    for shard in news.sealed:
        columns = news.columns[shard.blob]
        pairs = zip(columns["_row"], columns[options.column], strict=True)
        links = sorted(
            (Link(row, _text(value)) for row, value in pairs),
            key=lambda link: (not is_address(link.url), _host(link.url), link.row),
        )
        for at in range(0, len(links), options.batch):
            batch = tuple(links[at : at + options.batch])
            pieces.append(Piece(task=Task(batch, options.delay_ms), units=len(batch), reads=(shard,)))
    return Plan(pieces, finished=news.ended)


def bound(options: Options, rows: int) -> tuple[int, int]:
    """A row without an address costs nothing, nor does a link of which nothing is known."""
    return 0, rows


def _text(value: object) -> str:
    return value if isinstance(value, str) and len(value) <= LONGEST else ""


def _host(url: str) -> str:
    return url.split("/", 3)[2].lower() if is_address(url) else ""
