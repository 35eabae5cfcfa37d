"""The frontier of a crawl: what is known, what was asked for, what waits.

    waiting   nobody has been asked
    open      in a task that has no verdict
    done      answered for good, and the answer is believed
    refused   the site does not want it fetched, or nobody could
    lost      three tries brought nothing

A URL whose answer was not believed, or whose server was out of reach, waits again. A
later verdict on the same task moves its URLs once more: what an overturned one found
is fetched anew. Where a task's time was up before it came to a URL, that was no try.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

from optimai.blobs.port import Blobs
from optimai.core.clock import Instant
from optimai.core.errors import NotFound, WrongBytes
from optimai.core.ids import BlobId, StepId
from optimai.kinds.contract import News, Plan, Tx
from optimai.kinds.crawl.outcome import MOST_URL, SKEW, Outcome, counts, host, second, transient
from optimai.kinds.crawl.pages import MOST_LINKS
from optimai.kinds.crawl.spec import Fetch, Fetched, Frontier, Options, Result, Task
from optimai.kinds.crawl.urls import inside, normal

MOST_TRIES = 3
MOST_TASKS = 200  # that one plan makes
MOST_KNOWN = 20  # URLs for each page that may be fetched: a calendar without end is not remembered
MOST_HOSTS = 64  # of seeds that make up a scope; where they are more, a page leads only to its own host

ASKED = {"open", "done"}


async def load(
    tx: Tx, blobs: Blobs, step: StepId, options: Options, news: News[Task, Result], now: Instant
) -> Frontier:
    """Takes in the news, and tells what may be asked for next."""
    await tx.execute("insert into kind_crawl.crawls (step) values ($1) on conflict do nothing", step)
    [crawl] = await tx.fetch("select known, asked from kind_crawl.crawls where step = $1 for update", step)
    known, asked = crawl["known"], crawl["asked"]

    known += await _add(tx, step, _seeds(news), seed=True)
    asked += await _settle(tx, step, news)
    within = options.within or await _hosts_of_seeds(tx, step)
    if known < MOST_KNOWN * options.max:
        known += await _add(tx, step, await _found(blobs, news), seed=False)
    await tx.execute(
        "update kind_crawl.crawls set known = $2, asked = $3 where step = $1", step, known, asked
    )

    return Frontier(
        free=await _free(tx, step, options.batch),
        room=max(options.max - asked, 0),
        within=within,
        since=second(now - SKEW),
    )


async def save(tx: Tx, step: StepId, plan: Plan[Task], now: Instant) -> None:
    """What was planned is open."""
    urls = [url for piece in plan.pieces if isinstance(piece.task, Fetch) for url in piece.task.urls]
    await tx.execute(
        """
        update kind_crawl.urls set state = 'open', tries = tries + 1
         where step = $1 and url = any($2::text[])
        """,
        step,
        urls,
    )
    await tx.execute("update kind_crawl.crawls set asked = asked + $2 where step = $1", step, len(urls))


def _seeds(news: News[Task, Result]) -> list[str]:
    """Those that are URLs of web pages."""
    given = (url for columns in news.columns.values() for url in columns["url"])
    return [url for one in given if isinstance(one, str) and (url := normal(one))]


async def _add(tx: Tx, step: StepId, urls: Iterable[str], *, seed: bool) -> int:
    """Those that are new, in this order; returns how many."""
    unique = list(dict.fromkeys(urls))
    added = await tx.fetchval(
        """
        with added as (
            insert into kind_crawl.urls (step, url, host, seed)
            select $1, url, host, $4 from unnest($2::text[], $3::text[]) with ordinality as u (url, host, at)
            order by at
            on conflict do nothing returning 1)
        select count(*) from added
        """,
        step,
        unique,
        [host(url) for url in unique],
        seed,
    )
    return int(added)


async def _settle(tx: Tx, step: StepId, news: News[Task, Result]) -> int:
    """Each URL of a judged task gets its new state; returns by how much `asked` changes."""
    outcomes: dict[str, Outcome | None] = {}
    excused: set[str] = set()
    for task, believed in _fetches(news):
        outcomes |= dict.fromkeys(task.urls) | {one.url: one for one in believed}
        if any(map(counts, believed)):
            excused |= {one.url for one in believed if one.refused == "no_time"}
    rows = await tx.fetch(
        "select url, state, tries from kind_crawl.urls where step = $1 and url = any($2::text[])",
        step,
        list(outcomes),
    )
    tries = [row["tries"] - (row["url"] in excused) for row in rows]
    states = [_after(outcomes[row["url"]], tried) for row, tried in zip(rows, tries, strict=True)]
    await tx.execute(
        """
        update kind_crawl.urls set state = now.state, tries = now.tries
          from unnest($2::text[], $3::text[], $4::smallint[]) as now (url, state, tries)
         where urls.step = $1 and urls.url = now.url
        """,
        step,
        [row["url"] for row in rows],
        states,
        tries,
    )
    return sum(state in ASKED for state in states) - sum(row["state"] in ASKED for row in rows)


def _after(outcome: Outcome | None, tries: int) -> str:
    """The state of a URL with a verdict; None where nothing that was said of it is believed."""
    if outcome is None or transient(outcome):
        return "waiting" if tries < MOST_TRIES else "lost"
    return "done" if counts(outcome) else "refused"


def _fetches(news: News[Task, Result]) -> list[tuple[Fetch, Sequence[Outcome]]]:
    return [
        (one.task, one.result.outcomes if isinstance(one.result, Fetched) else ())
        for one in news.accepted
        if isinstance(one.task, Fetch)
    ]


async def _found(blobs: Blobs, news: News[Task, Result]) -> list[str]:
    """Where believed pages lead, each within its task's scope. Nodes wrote it: nothing is taken unread."""
    pages = [(one, task.within or (host(one.url),)) for task, believed in _fetches(news) for one in believed]
    lists = await asyncio.gather(*(_links(blobs, one.links) for one, _ in pages if one.links))
    of_page: Mapping[BlobId, list[str]] = dict(chain.from_iterable(lists))
    fits: dict[tuple[str, tuple[str, ...]], bool] = {}
    for one, within in pages:
        for url in (*of_page.get(one.links or BlobId(""), ()), *([one.moved_to] if one.moved_to else ())):
            if (url, within) not in fits:
                fits[url, within] = normal(url) == url and inside(url, within)
    return [url for (url, _), fit in fits.items() if fit]


async def _links(blobs: Blobs, blob: BlobId) -> list[tuple[BlobId, list[str]]]:
    """A page whose list of links is missing, or longer than any honest one, leads nowhere."""
    try:
        data = await blobs.get(blob, 0, MOST_LINKS * (MOST_URL + 1) + 1)
    except (NotFound, WrongBytes):
        return []
    lines = data.decode("ascii", "replace").splitlines()
    return [(blob, lines)] if len(lines) <= MOST_LINKS else []


async def _hosts_of_seeds(tx: Tx, step: StepId) -> tuple[str, ...]:
    rows = await tx.fetch(
        "select distinct host from kind_crawl.urls where step = $1 and seed order by host limit $2",
        step,
        MOST_HOSTS + 1,
    )
    return tuple(row["host"] for row in rows) if len(rows) <= MOST_HOSTS else ()


async def _free(tx: Tx, step: StepId, batch: int) -> tuple[tuple[str, ...], ...]:
    """Of each host without an open task its first waiting URLs; the host that waited longest comes first.

    Hosts are found by hopping along the index from one to the next.
    """
    rows = await tx.fetch(
        """
        with recursive hosts (host) as (
            (select host from kind_crawl.urls where step = $1 and state = 'waiting' order by host limit 1)
            union all
            select (select host from kind_crawl.urls
                     where step = $1 and state = 'waiting' and host > hosts.host order by host limit 1)
              from hosts where hosts.host is not null)
        select waiting.urls
          from hosts cross join lateral (
               select array_agg(url order by seen) as urls, min(seen) as oldest
                 from (select url, seen from kind_crawl.urls
                        where step = $1 and state = 'waiting' and host = hosts.host
                        order by seen limit $2) as first) as waiting
         where hosts.host is not null
           and not exists (select from kind_crawl.urls
                            where step = $1 and state = 'open' and host = hosts.host)
         order by waiting.oldest limit $3
        """,
        step,
        batch,
        MOST_TASKS,
    )
    return tuple(tuple(row["urls"]) for row in rows)
