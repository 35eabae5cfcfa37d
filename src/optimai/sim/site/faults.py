"""What is wrong with the simulated site: every fault is a row here, by the path or the host that has it.

The paths are those of the SQLite documentation. A row that names a page or a host that is not there does
nothing, so that any folder can be served.
"""

from collections.abc import Mapping

from msgspec import Struct


class Moved(Struct, frozen=True):
    status: int
    to: str


class Once(Struct, frozen=True):
    """The first request for the page gets this instead; the next one gets the page."""

    status: int
    headers: Mapping[str, str]


class Mirror(Struct, frozen=True):
    """Host `at` answers for `pages` pages of host `of` itself, byte for byte, under the same paths."""

    at: int
    of: int
    pages: int


# Pages that the folder lacks, though its pages link to them: the first leads over three hops to a page that
# is there, the other two lead to each other for ever.
MOVED = {
    "/c3ref/io_methods.html": Moved(301, "/c3ref/file_methods.html"),
    "/c3ref/file_methods.html": Moved(302, "/c3ref/methods.html"),
    "/c3ref/methods.html": Moved(301, "/c3ref/vfs.html"),
    "/schematab.html": Moved(302, "/schema.html"),
    "/schema.html": Moved(302, "/schematab.html"),
}

# Of the other pages that are linked but not there, one in so many stays a dead link (404). Links to the rest
# lead to where the documentation really is, outside the site.
DEAD_ONE_IN = 12
ELSEWHERE = "https://www.sqlite.org"

ONCE = {
    "/atomiccommit.html": Once(500, {}),
    "/c3ref/prepare.html": Once(429, {"Retry-After": "1"}),
}

# Sent in many pieces over so many seconds.
TRICKLED = {"/pragma.html": 2.0}

# Compressed with gzip; the connection closes when this part of the answer is sent.
CUT_OFF = {"/books.html": 0.6}

# Header and page both say UTF-8. The first has accented letters, the second frames drawn with box characters.
MISLABELLED = {"/spellfix1.html": "windows-1252", "/cli.html": "shift_jis"}

MIRROR = Mirror(at=8, of=3, pages=11)

# A host without a row has no robots.txt (404): everything is allowed.
ROBOTS = {
    1: "User-agent: *\nDisallow: /session/\n",
    2: "# Diagrams are of no use without their pictures.\nUser-agent: *\nDisallow: /syntax/\n",
    3: "User-agent: *\nDisallow: /search\n",
    5: "User-agent: *\nCrawl-delay: 0.2\n",
    6: "User-agent: greedy-bot\nDisallow: /\n\nUser-agent: *\nDisallow:\n",
    8: "User-agent: *\nAllow: /\n",
}
