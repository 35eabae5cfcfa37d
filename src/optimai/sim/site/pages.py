"""Where each page of the simulated site lives, and where its links lead. Pure.

Pages are dealt to the hosts in the order of their paths' hashes, like cards, so every host has an equal
share. A page's home is the one host that answers with it; links to a page of another host become absolute,
all others of the site stay as they are. The mirror's own pages link to the mirror's copies.
"""

import re
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from posixpath import dirname, join, normpath

from msgspec import Struct

from optimai.sim.site.faults import DEAD_ONE_IN, ELSEWHERE, MIRROR, MISLABELLED, MOVED

INDEX = "/index.html"
LINK = re.compile(r"""(<a\b[^>]*?\bhref\s*=\s*["'])([^"'#?:]+)(?=["'#?])""", re.IGNORECASE)


class Pages(Struct, frozen=True):
    hosts: int
    port: int
    source: Mapping[str, str]  # path: the page as it is in the folder
    homes: Mapping[str, int]  # path: the host that has it
    mirrored: frozenset[str]  # paths that MIRROR.at answers as well

    def url(self, path: str, host: int | None = None) -> str:
        port = "" if self.port == 80 else f":{self.port}"
        return f"http://docs-{host or self.home(path)}.localhost{port}{path}"

    def home(self, path: str) -> int:
        """A path without a page has a home too: each dead link is one URL, not one for each host."""
        return self.homes.get(path) or 1 + number(path) % self.hosts

    def answers(self, host: int, path: str) -> bool:
        """True where the host has the page itself and does not send elsewhere."""
        return self.homes.get(path) == host or (host == MIRROR.at and path in self.mirrored)


def publish(folder: Path, hosts: int, port: int) -> Pages:
    files = {f"/{file.relative_to(folder).as_posix()}": file for file in sorted(folder.rglob("*.html"))}
    source = {path: file.read_bytes().decode() for path, file in files.items()}
    homes = deal(source, hosts)
    return Pages(hosts, port, source, homes, choose_mirrored(source, homes))


def deal(source: Mapping[str, str], hosts: int) -> dict[str, int]:
    """The index goes to docs-1, where a visitor starts."""
    order = sorted(source, key=lambda path: (path != INDEX, number(path)))
    return {path: 1 + place % hosts for place, path in enumerate(order)}


def choose_mirrored(source: Mapping[str, str], homes: Mapping[str, int]) -> frozenset[str]:
    """Only pages that the mirror's own pages link to, else no visitor would find the copies."""
    linked = {to for path in source if homes[path] == MIRROR.at for to in targets(path, source[path])}
    return frozenset(sorted(to for to in linked if homes.get(to) == MIRROR.of)[: MIRROR.pages])


def targets(path: str, page: str) -> Iterator[str]:
    return (resolve(path, found.group(2)) for found in LINK.finditer(page))


def resolve(path: str, link: str) -> str:
    return normpath(join(dirname(path), link))


def link_up(pages: Pages, path: str) -> str:
    """The first edition of a page: as in the folder, its links led to where their targets live."""

    def lead(found: re.Match[str]) -> str:
        to = resolve(path, found.group(2))
        if pages.answers(pages.homes[path], to):
            return found.group()
        stays = to in pages.homes or to in MOVED or number(to) * DEAD_ONE_IN < 2**64
        return found.group(1) + (pages.url(to) if stays else ELSEWHERE + to)

    return LINK.sub(lead, pages.source[path])


def encode(path: str, page: str) -> bytes:
    return page.encode(MISLABELLED.get(path, "utf-8"), "xmlcharrefreplace")


def urls(pages: Pages, path: str) -> list[str]:
    """Every URL that answers with the page."""
    mirror = [pages.url(path, MIRROR.at)] if path in pages.mirrored else []
    return [pages.url(path), *mirror]


def number(text: str) -> int:
    """A number in [0, 2**64) that is spread evenly and is the same for the same text."""
    return int.from_bytes(sha256(text.encode()).digest()[:8])
