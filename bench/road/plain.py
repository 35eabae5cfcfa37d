"""The peer: the same rules called as plain functions, one after the other in one process.

`python -m bench.road.plain FILE` reads what each kind was given (a `Given`, MessagePack) and prints a JSON object:
of each kind, and of each sort of its tasks, the processor seconds. It signs nothing, stores nothing, checks nobody
and waits for nobody. What it reads and loads is in memory before the clock starts; each row is done once, as a worker
does it, for libraries remember what they have seen.
"""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import aiohttp
import msgspec
from msgspec import Struct

from optimai.core.clock import instant
from optimai.core.ids import RowId
from optimai.kinds.clean_text import work as cleaning
from optimai.kinds.clean_text.spec import Task
from optimai.kinds.contract import Shard
from optimai.kinds.crawl.visit import describe
from optimai.kinds.dedup import signatures
from optimai.kinds.dedup import work as dedup
from optimai.kinds.dedup.bands import bands_for
from optimai.kinds.dedup.groups import fates
from optimai.kinds.dedup.spec import Options
from optimai.kinds.kit import Page
from optimai.kinds.words import jaccard, shingles, words

RUN, MOST_RUNS = 25, 20_000
REDIRECTS = {301, 302, 303, 307, 308}
NOON = instant(2026, 1, 1, 12)

Parts = Mapping[str, float]


class Given(Struct):
    site: str  # the address of the simulated site
    urls: list[str]  # for crawl
    pages: list[tuple[str, str, str, bytes]]  # url, type, encoding, body: for clean.text
    texts: list[tuple[RowId, str]]  # for dedup
    links: list[str]  # for link.check

    @property
    def runs(self) -> list[str]:
        """For word_count: the texts cut into runs of RUN words. No two are the same."""
        words = [text.split() for _, text in self.texts]
        cut = (" ".join(some[at : at + RUN]) for some in words for at in range(0, len(some), RUN))
        return list(dict.fromkeys(cut))[:MOST_RUNS]


class Clock:
    """Processor time of the parts of one pass."""

    def __init__(self) -> None:
        self.parts: dict[str, float] = {}
        self._last = time.process_time()

    def part(self, name: str) -> None:
        now = time.process_time()
        self.parts[name] = now - self._last
        self._last = now


class Site:
    """A GET with nothing around it. Every name of the site leads to one address."""

    def __init__(self, address: str, session: aiohttp.ClientSession) -> None:
        self.address = address
        self.session = session

    async def get(self, url: str) -> Page | None:
        to = urlsplit(url)
        try:
            async with self.session.get(
                f"http://{self.address}{to.path}", headers={"Host": to.netloc}, allow_redirects=False
            ) as answer:
                headers = {name.lower(): value for name, value in answer.headers.items()}
                return Page(url=url, status=answer.status, headers=headers, body=await answer.read(), at=NOON)
        except aiohttp.ClientError:
            return None


async def crawl(given: Given, site: Site) -> Parts:
    clock = Clock()
    for url in given.urls:
        page = await site.get(url)
        if page:
            describe(url, page, ("docs-*.localhost",))
    clock.part("fetch")
    return clock.parts


async def clean(given: Given, site: Site) -> Parts:
    task = Task(Shard("", 0, 0), 0, 0, "en", 20)
    clock = Clock()
    for url, kind, encoding, body in given.pages:
        cleaning.clean(body, {"url": url, "type": kind, "encoding": encoding}, task)
    clock.part("")
    return clock.parts


async def unique(given: Given, site: Site) -> Parts:
    threshold = Options().threshold
    bands = bands_for(threshold)
    texts = given.texts
    clock = Clock()
    signed = list(signatures.sign(texts, 5, bands))
    clock.part("sign")
    records = signatures.read(b"".join(signed), len(texts), bands.count)
    pairs = sorted(dedup._alike(records))
    clock.part("join")
    runs = {at: shingles(words(texts[at][1]), 5) for at in sorted({at for pair in pairs for at in pair})}
    alike = [jaccard(runs[one], runs[other]) for one, other in pairs]
    clock.part("verify")
    fate = fates(
        (texts[one][0], texts[other][0])
        for (one, other), ppm in zip(pairs, alike, strict=True)
        if ppm >= threshold
    )
    clock.part("group")
    kept = [row for row, _ in texts if row not in fate or fate[row].kept == row]
    assert kept
    clock.part("keep")
    return clock.parts


async def count(texts: Sequence[str]) -> Parts:
    clock = Clock()
    words = [len(text.split()) for text in texts]
    assert words
    clock.part("")
    return clock.parts


async def links(given: Given, site: Site) -> Parts:
    clock = Clock()
    for link in given.links:
        url = link
        for _ in range(6):
            page = await site.get(url)
            if page is None or page.status not in REDIRECTS:
                break
            url = urljoin(url, page.headers["location"])
    clock.part("")
    return clock.parts


async def measure(given: Given) -> dict[str, Parts]:
    dedup._daft()
    runs = given.runs
    said = {}
    async with aiohttp.ClientSession() as session:
        site = Site(given.site, session)
        kinds: dict[str, Callable[[], Awaitable[Parts]]] = {
            "crawl": lambda: crawl(given, site),
            "clean.text": lambda: clean(given, site),
            "dedup": lambda: unique(given, site),
            "link.check": lambda: links(given, site),
            "word_count": lambda: count(runs),
        }
        for kind, once in kinds.items():
            said[kind] = await once()
    return said


if __name__ == "__main__":
    given = msgspec.msgpack.decode(Path(sys.argv[1]).read_bytes(), type=Given)
    print(json.dumps(asyncio.run(measure(given))))
