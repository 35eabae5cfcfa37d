"""What a page says and where it leads. All of it follows from the page's bytes and the type its server
declares, so an auditor who has the first one's bytes finds exactly the same.
"""

import re
from collections.abc import Sequence

from optimai.core.chance import Ppm
from optimai.kinds import encoding
from optimai.kinds.crawl.markup import hrefs
from optimai.kinds.crawl.outcome import host
from optimai.kinds.crawl.urls import inside, normal
from optimai.kinds.words import jaccard, shingles

MOST_LINKS = 2_000  # of one page; in their order, the rest is dropped
MOST_WORDS = 200_000  # compared of one page,
RUN = 5  # by runs of so many

_TYPE = re.compile(r"\s*([a-z0-9!#$&^_.+-]{1,90}/[a-z0-9!#$&^_.+-]{1,90})\s*(?:;|\Z)", re.ASCII)
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([a-z0-9_:.-]{1,40})", re.ASCII)
_BEGINS_AS_HTML = re.compile(rb"\s*<(?:!doctype html|html)\b", re.IGNORECASE)


def media_type(content_type: str, body: bytes) -> tuple[str, str]:
    """The type and charset that a server declares, each "" where it does not; HTML is known undeclared."""
    lower = content_type.lower()
    declared, charset = _TYPE.match(lower), _CHARSET.search(lower)
    kind = declared[1] if declared else "text/html" if _BEGINS_AS_HTML.match(body) else ""
    return kind, charset[1] if charset else ""


def decode(body: bytes, charset: str) -> str:
    """The text, well enough to find its links and to compare it with another edition of itself.

    Nothing is guessed: a guess would cost seconds of a page that was made to be slow.
    """
    return encoding.decode(body, charset, lambda body: "cp1252")


def links(html: str, url: str, within: Sequence[str]) -> list[str]:
    """The normal URLs that the page leads to within these hosts (none: its own), sorted, without itself."""
    scope = within or (host(url),)
    base = ""
    named = set()
    for tag, href in hrefs(html):
        if tag != "base":
            named.add(href)
        elif not base:
            base = normal(href, url) or ""
    found = {normal(href, base or url) for href in named if href}
    return sorted(to for to in found if to and to != url and inside(to, scope))[:MOST_LINKS]


def alike(mine: Sequence[str], theirs: Sequence[str]) -> Ppm:
    """The share of runs of five words that two texts have in common, of MILLION."""
    return jaccard(shingles(mine[:MOST_WORDS], RUN), shingles(theirs[:MOST_WORDS], RUN))
