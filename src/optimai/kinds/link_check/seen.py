"""What was seen at a link, and when two owners' words of it are one.

Only what the next owner would see too is known: a page (2xx) or its end (404, 410).
Anything else (busy, forbidden to robots, a wall before data centres, no answer) may
look otherwise from another machine, so it confirms nothing and refutes nothing.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

LONGEST = 2_000  # characters of a URL
NEAR = 2  # lengths within this factor are of one page

State = Literal["works", "moved", "gone", "unknown"]
Refusal = Annotated[str, Meta(pattern=r"\A[a-z_]{0,20}\Z")]  # a word of `kit.Refused`, loop, no_address
RowName = Annotated[str, Meta(min_length=1, max_length=200)]
Url = Annotated[str, Meta(max_length=LONGEST)]
Target = Annotated[str, Meta(max_length=LONGEST, pattern=r"\A(https?://.*)?\Z")]


class Link(Struct, frozen=True, forbid_unknown_fields=True):
    row: RowName
    url: Url  # what stands there, be it no address; "" for what is no text, or too long


class Seen(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`length` is published too, but above all it can't be guessed: saying "works" of everything takes a look."""

    row: RowName  # the link's
    status: Annotated[int, Meta(ge=0, le=999)] = 0  # after its redirects; 0 where there was no answer,
    refused: Refusal = ""  # and then why
    moved_to: Target = ""  # where its redirects end
    length: Annotated[int, Meta(ge=0, le=2**53)] = 0  # bytes of a page


def is_address(url: str) -> bool:
    return url.startswith(("http://", "https://"))


def state(one: Seen) -> State:
    """`moved` works, elsewhere."""
    if one.status in (404, 410):
        return "gone"
    if 200 <= one.status < 300:
        return "moved" if one.moved_to else "works"
    return "unknown"


def alike(one: Seen, other: Seen) -> bool:
    """Both are known and tell the same, give or take a visit counter or a session in the address."""
    if state(one) == "unknown" or state(one) != state(other):
        return False
    if state(one) == "gone":
        return True
    longer, shorter = max(one.length, other.length), min(one.length, other.length)
    return _place(one.moved_to) == _place(other.moved_to) and longer <= NEAR * shorter


def _place(url: str) -> str:
    """The address without what sites add for each visitor."""
    return url.partition("#")[0].partition("?")[0].rstrip("/")
