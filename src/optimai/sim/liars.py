"""Hands that cheat, and a pair that is only slow. They are offered, sign and submit like all others.

Each docstring says which ordinary rule catches them; nothing in the network knows of them.
"""

from collections.abc import Callable, Mapping
from typing import Protocol
from urllib.parse import urljoin, urlsplit

import msgspec
from blake3 import blake3
from msgspec import Raw

from optimai.core.clock import Instant
from optimai.core.ids import RowId
from optimai.kinds.crawl import spec as crawl
from optimai.kinds.kit import Page
from optimai.kinds.label.spec import Answers, Item, Opinion, Task
from optimai.node.hands import Declined, Hands, Line, Outcome, kind_of
from optimai.node.kit import Fetch
from optimai.sim.people import Pause
from optimai.wire.exchange import Offer


class Slow:
    """Honest, but takes so many seconds longer. A lease that is over gives the place to another."""

    def __init__(self, honest: Hands, pause: Pause, seconds: float) -> None:
        self.honest = honest
        self.pause = pause
        self.seconds = seconds

    async def do(self, offer: Offer, line: Line) -> Outcome:
        await self.pause(self.seconds)
        return await self.honest.do(offer, line)

    async def close(self) -> None:
        await self.honest.close()


class Leak:
    """What one owner tells another behind the network's back.

    Whoever builds it makes it tell something wrong of the rows named in `wrong`.
    """

    def __init__(self, wrong: Mapping[str, str]) -> None:
        self.wrong = wrong
        self.told: dict[RowId, str] = {}

    def publish(self, answers: Answers) -> None:
        self.told |= {opinion.row: opinion.choice for opinion in answers.opinions}

    def read(self, item: Item) -> str | None:
        return self.wrong.get(item.name) or self.told.get(item.row)


class Tattler:
    """Honest, but publishes each answer through a leak. Nobody catches that; it makes copiers possible."""

    def __init__(self, honest: Hands, leak: Leak) -> None:
        self.honest = honest
        self.leak = leak

    async def do(self, offer: Offer, line: Line) -> Outcome:
        result = await self.honest.do(offer, line)
        if isinstance(result, Raw) and kind_of(offer) == "label":
            self.leak.publish(msgspec.json.decode(result, type=Answers))
        return result

    async def close(self) -> None:
        await self.honest.close()


class Copier:
    """Labels without reading: says what a leak says, and the first choice where it says nothing.

    Caught by known answers: a leak that is wrong there is copied, mistakes included.
    """

    def __init__(self, leak: Leak) -> None:
        self.leak = leak

    async def do(self, offer: Offer, line: Line) -> Raw | Declined:
        if kind_of(offer) != "label":
            return Declined("A copier only labels.")
        task = msgspec.json.decode(offer.task, type=Task)
        opinions = (Opinion(item.row, self.leak.read(item) or task.choices[0]) for item in task.items())
        return Raw(msgspec.json.encode(Answers(tuple(opinions))))

    async def close(self) -> None:
        """A copier keeps nothing warm."""


class Desk(Protocol):
    """What liars of the web need of `desk.Desk`."""

    async def do(self, offer: Offer, line: Line, fetch: Fetch | None = None) -> Raw | Declined: ...
    async def fetch(self, url: str, *, delay_ms: int = 0, until: Instant | None = None) -> Page: ...
    async def close(self) -> None: ...


class Fabricator:
    """Invents each page and where it leads, asks no server, and as an auditor calls all pages the same.

    Caught by audits: another owner fetches the same URLs and finds other texts, or none.
    """

    def __init__(self, desk: Desk, now: Callable[[], Instant]) -> None:
        self.desk = desk
        self.now = now

    async def do(self, offer: Offer, line: Line) -> Raw | Declined:
        if kind_of(offer) != "crawl":
            return await self.desk.do(offer, line)
        task = msgspec.json.decode(offer.task, type=crawl.Task)
        if isinstance(task, crawl.Compare):
            same = tuple(crawl.Found(page.url, "same") for page in task.pages)
            return Raw(msgspec.json.encode(crawl.Compared(same)))
        return await self.desk.do(offer, line, self.invent)

    async def invent(self, url: str, *, delay_ms: int = 0, until: Instant | None = None) -> Page:
        return _page(url, invented(url), self.now())

    async def close(self) -> None:
        await self.desk.close()


class Replayer:
    """Crawls from an archive: sends each page as it once was, under the present time.

    Caught by audits, where the page has changed since. Where it has not, the archive is right.
    """

    def __init__(self, desk: Desk, archive: Mapping[str, bytes], now: Callable[[], Instant]) -> None:
        """`archive`: URL -> the body of an older edition. What it lacks is fetched, as others do."""
        self.desk = desk
        self.archive = archive
        self.now = now

    async def do(self, offer: Offer, line: Line) -> Raw | Declined:
        return await self.desk.do(offer, line, self.recall)

    async def recall(self, url: str, *, delay_ms: int = 0, until: Instant | None = None) -> Page:
        if url in self.archive:
            return _page(url, self.archive[url], self.now())
        return await self.desk.fetch(url, delay_ms=delay_ms, until=until)

    async def close(self) -> None:
        await self.desk.close()


def _page(url: str, body: bytes, at: Instant) -> Page:
    return Page(url=url, status=200, headers={"content-type": "text/html"}, body=body, at=at)


PHRASES = """
    This page describes {0} and how it is used together with {1}.
    The default is right for most programs; change {0} only where a measurement says so.
    An application that relies on {1} should also read about {2}.
    Older versions handled {2} in another way, and the difference seldom matters.
    When {0} fails, an error is returned and nothing is changed.
    Several examples of {1} are given below, from the simple to the unusual.
    It is safe to call this more than once, as long as {2} is not in use.
    The cost grows with the size of {0}, not with the number of {1}.
""".strip().splitlines()
SUBJECTS = (
    "the index",
    "a statement",
    "the journal",
    "a cursor",
    "the schema",
    "a transaction",
    "the page cache",
)


def invented(url: str) -> bytes:
    """A page that looks as if it stood there: the same for the same URL, and true nowhere."""
    dice = blake3(url.encode()).digest(17)
    title = urlsplit(url).path.rpartition("/")[2].partition(".")[0] or "overview"
    names = (title, SUBJECTS[dice[0] % len(SUBJECTS)], SUBJECTS[dice[1] % len(SUBJECTS)])
    text = [f"<p>{PHRASES[die % len(PHRASES)].strip().format(*names)}</p>" for die in dice[2:14]]
    links = [f'<a href="{urljoin(url, f"{title}-{die}.html")}">part {die}</a>' for die in dice[14:]]
    return "\n".join([f"<!doctype html><title>{title}</title><h1>{title}</h1>", *text, *links]).encode()
