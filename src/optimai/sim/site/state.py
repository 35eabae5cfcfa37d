"""What the simulated site remembers: which edition each page is in, and who asked for what and when.

A test reads the hits to say whether a crawler was polite. No sockets here: `server` does the talking, and a
simulated replayer, wherever it runs, has the old pages from `Site(publish(folder, hosts, port)).archive()`.
"""

from collections import Counter
from collections.abc import Collection
from hashlib import sha256

from msgspec import Struct

from optimai.core.clock import Instant, instant
from optimai.sim.site.pages import INDEX, Pages, encode, link_up, number, urls
from optimai.sim.site.revision import differs, revise

FIRST_EDITION = instant(2022, 12, 28)  # the day of SQLite 3.40.1


class Hit(Struct, frozen=True):
    """A request as it came. `at` is in seconds of the clock that `serve` was given."""

    at: float
    host: str
    path: str
    agent: str


class Edition(Struct, frozen=True):
    body: bytes
    modified: Instant

    @property
    def tag(self) -> str:
        return sha256(self.body).hexdigest()[:16]


class Site:
    def __init__(self, pages: Pages, steady: Collection[str] = (), port: int = 0) -> None:
        """`port` is the one it listens on, where its URLs name another."""
        self.pages = pages
        self.port = port or pages.port
        self.steady = frozenset(steady)
        self.hits: list[Hit] = []
        self.spent: set[str] = set()  # pages whose fault of one time is over
        self.first = {
            path: Edition(encode(path, link_up(pages, path)), FIRST_EDITION) for path in pages.source
        }
        self.editions = dict(self.first)

    @property
    def start(self) -> str:
        return self.pages.url(INDEX)

    @property
    def control(self) -> str:
        return f"http://127.0.0.1:{self.port}/_control"

    def change(self, share: float, now: Instant) -> list[str]:
        """Switch about that share of the pages that can change to their second edition; return their paths.

        Steady pages can't, nor those that would still say nearly the same: bare lists. Whose turn it is
        hangs on the page's text, so exact duplicates change together, and a greater share holds the smaller.
        """
        changed = []
        for path, page in self.pages.source.items():
            due = self.may_change(path) and number(page) < share * 2**64
            if due and differs(page, revise(page, now)):
                self.editions[path] = Edition(encode(path, revise(link_up(self.pages, path), now)), now)
                changed.append(path)
        return changed

    def may_change(self, path: str) -> bool:
        return path not in self.steady and self.editions[path] is self.first[path]

    def archive(self, edition: int = 1) -> dict[str, bytes]:
        """What each URL answers in the first edition, or (2) as the site stands now."""
        kept = self.first if edition == 1 else self.editions
        return {url: kept[path].body for path in kept for url in urls(self.pages, path)}

    def counts(self) -> Counter[str]:
        """How often each URL was asked for."""
        return Counter(f"http://{hit.host}{hit.path}" for hit in self.hits)
