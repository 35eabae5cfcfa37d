"""What became of one URL, and what that is good for.

A server that answered for good (a page, a redirect, a real 4xx) is worth a unit. A
server that was busy or out of reach is worth none and is asked again later, by
whoever comes next. Two refusals stand by themselves, because anybody can check them:
the site's robots.txt says no, and the page is larger than is taken.
"""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from msgspec import Meta, Struct

from optimai.core.ids import BlobId

MOST_URL = 2_000  # characters
MOST_PAGES = 50  # of one task
SKEW = timedelta(minutes=5)  # between two clocks

Url = Annotated[str, Meta(min_length=9, max_length=MOST_URL)]
Hash = Annotated[BlobId, Meta(pattern=r"\A[0-9a-f]{64}\Z")]
Short = Annotated[str, Meta(max_length=200)]

# UTC to the second, `2026-01-31T12:00:00Z`: written this way, times compare as text.
Second = Annotated[str, Meta(pattern=r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z\Z")]

STANDS = frozenset({"robots", "too_large"})
FINAL = STANDS | {"forbidden"}
BUSY = frozenset({408, 425, 429})
HTML = frozenset({"text/html", "application/xhtml+xml"})
READABLE = HTML | {"text/plain", "text/markdown"}


class Outcome(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    url: Url
    at: Second  # when the answer was complete
    status: Annotated[int, Meta(ge=0, le=599)] = 0  # 0 where there was no answer; then `refused` says why
    refused: Annotated[str, Meta(max_length=40)] = ""  # as in kit.Refused
    body: Hash | None = None  # the bytes of a 2xx answer, unpacked
    length: Annotated[int, Meta(ge=0)] = 0  # of the body
    type: Short = ""  # `text/html`
    encoding: Short = ""  # as the server declares it, which is often wrong
    links: Hash | None = None  # where it leads within the task's scope: normal URLs, sorted, one a line
    moved_to: Url | None = None  # a redirect's target; nobody follows it but the frontier
    last_modified: Second | None = None
    etag: Short | None = None


def second(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def host(url: str) -> str:
    """Of a normal URL (see `urls`), without its port."""
    name = url.partition("://")[2].partition("/")[0]
    return name.partition("]")[0] + "]" if name.startswith("[") else name.partition(":")[0]


def busy(status: int) -> bool:
    return status in BUSY or status >= 500


def transient(outcome: Outcome) -> bool:
    """Another time, or another node, may have more luck."""
    return busy(outcome.status) if outcome.status else outcome.refused not in FINAL


def counts(outcome: Outcome) -> bool:
    """Worth a unit."""
    return outcome.status >= 200 and not busy(outcome.status)


def checkable(outcome: Outcome) -> bool:
    """Another owner who does it again can say whether it is true."""
    return counts(outcome) or outcome.refused in STANDS


def is_page(outcome: Outcome) -> bool:
    """Somebody can read it: it becomes a row."""
    return outcome.status == 200 and outcome.body is not None and outcome.type in READABLE
