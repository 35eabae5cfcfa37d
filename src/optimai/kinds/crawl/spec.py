"""Fetches the pages of web sites, politely, and keeps what the servers sent, by hash.

A task is some pages of one host, and a host has one open task at a time, so that it
never meets two of our nodes at once. What is still to be fetched, the frontier, is
the store's; the plan only deals it out. An audit is a task too: another owner is
handed the first one's outcomes and says of each whether the web agrees.
"""

from datetime import timedelta
from typing import Annotated, Literal

from msgspec import Meta, Struct

from optimai.core.chance import Ppm
from optimai.kinds.contract import Kind, News, Piece, Plan
from optimai.kinds.crawl.outcome import MOST_PAGES, Outcome, Second, Url

KIND = Kind(
    name="crawl",
    version=1,
    hands=frozenset({"machine"}),
    reads="nothing",
    gives=("url", "site", "status", "type", "encoding", "body", "length", "fetched_at", "last_modified"),
    unit="page",
    lease=timedelta(minutes=5),
    key=("url",),
    tolerates=Ppm(100_000),  # pages change between two looks
    parallel=4,
)

Delay = Annotated[int, Meta(ge=0, le=60_000)]
Glob = Annotated[str, Meta(pattern=r"\A[a-z0-9*][a-z0-9.*-]{0,252}\Z")]


class Options(Struct, frozen=True, forbid_unknown_fields=True):
    """What a campaign may write under the step."""

    max: Annotated[int, Meta(ge=1, le=10_000_000)]  # pages
    within: tuple[Glob, ...] = ()  # hosts that links may lead to, `docs-*.example`; else the seeds' own
    batch: Annotated[int, Meta(ge=1, le=MOST_PAGES)] = 10  # pages a task
    delay_ms: Delay = 1_000  # between two requests to a host; its robots.txt may ask for more


class Fetch(Struct, frozen=True, kw_only=True, tag="fetch", forbid_unknown_fields=True):
    urls: tuple[Url, ...]  # all of one host
    delay_ms: Delay
    within: tuple[str, ...]  # hosts that links may lead to; () is the page's own
    since: Second  # no answer can be older


class Compare(Struct, frozen=True, kw_only=True, tag="compare", forbid_unknown_fields=True):
    pages: tuple[Outcome, ...]  # what the first one says
    delay_ms: Delay
    within: tuple[str, ...]


class Fetched(Struct, frozen=True, tag="fetched", forbid_unknown_fields=True):
    outcomes: Annotated[tuple[Outcome, ...], Meta(max_length=MOST_PAGES)]  # of each URL, in the task's order


class Seen(Struct, frozen=True, forbid_unknown_fields=True):
    """What an auditor got itself: evidence that it has looked."""

    at: Second
    status: Annotated[int, Meta(ge=0, le=599)]
    digest: Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]  # BLAKE3 of the bytes, which stay with it
    length: Annotated[int, Meta(ge=0)]


class Found(Struct, frozen=True, forbid_unknown_fields=True):
    """What an auditor found at a URL.

    same, differs, gone  it agrees with the first one's outcome; it does not; there is no page
    changed              it has changed since, by the server's own word, or is never twice the same
    unreachable          nothing to compare with
    """

    url: Url
    says: Literal["same", "differs", "gone", "changed", "unreachable"]
    seen: Seen | None = None  # at the last look; nothing where there was none


class Compared(Struct, frozen=True, tag="compared", forbid_unknown_fields=True):
    found: Annotated[tuple[Found, ...], Meta(max_length=MOST_PAGES)]  # of each page, in the task's order


Task = Fetch | Compare
Result = Fetched | Compared


class Frontier(Struct, frozen=True, kw_only=True):
    """What the store knows when a plan is asked for."""

    free: tuple[tuple[str, ...], ...]  # of each host without an open task: URLs that wait, oldest first
    room: int  # pages that may still be asked for
    within: tuple[str, ...]
    since: str


def needs(options: Options) -> tuple[str, ...]:
    """The seeds."""
    return ("url",)


looks = needs


def plan(options: Options, frontier: Frontier, news: News[Task, Result]) -> Plan[Task]:
    """A task for each free host, while there is room. Finished when nothing is open and nothing waits."""
    pieces: list[Piece[Task]] = []
    room = frontier.room
    for waiting in frontier.free:
        urls = waiting[: min(options.batch, room)]
        if not urls:
            break
        room -= len(urls)
        task = Fetch(urls=urls, delay_ms=options.delay_ms, within=frontier.within, since=frontier.since)
        pieces.append(Piece(task=task, units=len(urls)))
    idle = not pieces and not news.open
    return Plan(pieces, finished=idle and news.ended)


def bound(options: Options, rows: int) -> tuple[int, int]:
    """At least the seeds; how far their links lead nobody knows before."""
    return min(rows, options.max), options.max
