"""One look at a URL: what came back, and whether two looks saw the same. Pure."""

from collections.abc import Sequence
from datetime import UTC
from email.utils import parsedate_to_datetime

from msgspec import Struct
from msgspec.structs import replace

from optimai.core.chance import Ppm
from optimai.core.clock import Instant
from optimai.core.ids import BlobId, blob_id
from optimai.kinds.crawl import markup
from optimai.kinds.crawl.outcome import HTML, READABLE, Outcome, second
from optimai.kinds.crawl.pages import alike, decode, links, media_type
from optimai.kinds.crawl.urls import normal
from optimai.kinds.kit import Page

ALIKE = Ppm(700_000)  # of two texts that pass for one: counters, dates and advertisements differ


class Visit(Struct, frozen=True):
    """An outcome, and the bytes behind its hashes."""

    outcome: Outcome
    declared: str = ""  # the Content-Type header
    body: bytes = b""
    links: bytes = b""


class Content(Struct, frozen=True):
    """What follows from the bytes of a page and its declared type."""

    body: BlobId | None = None
    length: int = 0
    type: str = ""
    encoding: str = ""
    links: BlobId | None = None


def refused(url: str, why: str, at: Instant) -> Visit:
    return Visit(Outcome(url=url, at=second(at), refused=why[:40]))


def describe(url: str, page: Page, within: Sequence[str]) -> Visit:
    """What a page amounts to. Only 2xx answers have a body."""
    said = page.headers
    declared = said.get("content-type", "")
    body = page.body if 200 <= page.status < 300 else b""
    content, listed = read(url, declared, body, within)
    etag = said.get("etag", "")
    outcome = Outcome(
        url=url,
        at=second(page.at),
        status=page.status,
        body=content.body,
        length=content.length,
        type=content.type,
        encoding=content.encoding,
        links=content.links,
        moved_to=normal(page.location, url) if page.location else None,
        last_modified=http_date(said.get("last-modified", "")),
        etag=etag if 0 < len(etag) <= 200 and etag.isascii() and etag.isprintable() else None,
    )
    return Visit(outcome, declared, body, listed)


def read(url: str, declared: str, body: bytes, within: Sequence[str]) -> tuple[Content, bytes]:
    """The content, and the list of links that it names."""
    if not body:
        return Content(), b""
    kind, charset = media_type(declared, body)
    leads = links(decode(body, charset), url, within) if kind in HTML else []
    listed = "".join(f"{link}\n" for link in leads).encode()
    return Content(blob_id(body), len(body), kind, charset, blob_id(listed) if listed else None), listed


def same(first: Outcome, body: bytes, found: Visit, within: Sequence[str]) -> bool:
    """True where `found` confirms `first`: its bytes are as it says, and say what was found."""
    other = found.outcome
    if (first.status, first.refused, first.moved_to) != (other.status, other.refused, other.moved_to):
        return False
    claimed = Content(first.body, first.length, first.type, first.encoding, first.links)
    content, _ = read(first.url, found.declared, body, within)
    if replace(claimed, encoding=content.encoding) != content:
        return False
    if decode(body, claimed.encoding) != decode(body, content.encoding):
        return False
    if body == found.body:
        return True
    readable = first.type in READABLE and other.type in READABLE
    return readable and alike(words(first, body), words(other, found.body)) >= ALIKE


def words(outcome: Outcome, body: bytes) -> list[str]:
    text = decode(body, outcome.encoding)
    return markup.words(text) if outcome.type in HTML else text.split()


def http_date(text: str) -> str | None:
    """A Last-Modified header as `Outcome` has it; None where it is no date, or none that a page can have."""
    try:
        time = parsedate_to_datetime(text)
        time = time if time.tzinfo else time.replace(tzinfo=UTC)
        return second(time) if time.year >= 1970 else None
    except (ValueError, OverflowError):
        return None
