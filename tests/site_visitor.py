"""A visitor of the simulated site, for the tests: a client that finds its hosts, and ways to look around."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urldefrag, urljoin, urlsplit

from aiohttp import ClientPayloadError, ClientSession, TCPConnector, abc
from msgspec import json

from optimai.core.clock import instant
from optimai.sim.site import Site, serve

DOCS = Path(__file__).parents[1] / "examples/docs"
KNOWN = [urlsplit(json.decode(line)["url"]).path for line in (DOCS / "known.jsonl").read_bytes().splitlines()]
LATER = instant(2026, 5, 4, 12, 30)


class Localhost(abc.AbstractResolver):
    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[abc.ResolveResult]:
        assert host.endswith(".localhost"), f"{host} is outside the site"
        return [
            abc.ResolveResult(
                hostname=host, host="127.0.0.1", port=port, family=socket.AF_INET, proto=0, flags=0
            )
        ]

    async def close(self) -> None: ...


@asynccontextmanager
async def visitor() -> AsyncIterator[ClientSession]:
    connector = TCPConnector(resolver=Localhost())
    async with ClientSession(connector=connector, headers={"User-Agent": "test-visitor"}) as client:
        yield client


@asynccontextmanager
async def visited() -> AsyncIterator[tuple[Site, ClientSession]]:
    async with serve(DOCS / "site", steady=KNOWN) as site, visitor() as client:
        yield site, client


async def read(client: ClientSession, url: str) -> bytes:
    async with client.get(url) as answer:
        return await answer.read()


async def walk(site: Site, client: ClientSession) -> dict[str, int]:
    """The status of every URL of the site that the start leads to by links and redirects; 0: cut off."""
    status: dict[str, int] = {}
    todo = {site.start}

    async def look(url: str) -> set[str]:
        async with client.get(url, allow_redirects=False) as answer:
            status[url] = answer.status
            if "Location" in answer.headers:
                return {answer.headers["Location"]}
            try:
                page = Page((await answer.read()).decode("utf-8", "replace"))
            except ClientPayloadError:
                status[url] = 0
                return set()
        return {urldefrag(urljoin(url, link)).url for link in page.links}

    while todo:
        found = set().union(*await asyncio.gather(*map(look, todo)))
        todo = {url for url in found - status.keys() if ".localhost:" in url}
    return status


def similarity(page: str, other: str) -> float:
    """Jaccard of the runs of five words."""
    mine, theirs = (
        {tuple(words[at : at + 5]) for at in range(len(words) - 4)}
        for words in (Page(page).words, Page(other).words)
    )
    return len(mine & theirs) / len(mine | theirs)


class Page(HTMLParser):
    """What a reader reads of a page, and where it leads."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.links: list[str] = []
        self.hidden = 0
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.hidden += tag in {"script", "style"}
        self.links += [value for name, value in attrs if tag == "a" and name == "href" and value]

    def handle_endtag(self, tag: str) -> None:
        self.hidden -= tag in {"script", "style"}

    def handle_data(self, data: str) -> None:
        if not self.hidden:
            self.words += data.split()
