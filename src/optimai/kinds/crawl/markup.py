"""The tags and the text of a page, in one pass whose cost is linear whatever the page.

A tree builder would know more, and that is its weakness: 1.5 MB of nested <div>s keep
the fastest one busy for minutes, and a crawler reads pages of people who may want that.
For where a page leads and what it says, no tree is needed. Tags, comments and attributes
are told apart as the standard has it (https://html.spec.whatwg.org/#tokenization).
"""

import html
import re
from collections.abc import Iterator

# Every quantifier is possessive, or takes all there is when its end is missing: nothing is read twice.
_ATTRIBUTE = r"""
    [^\s/>] [^\s/>=]*+ (?: \s*+ = \s*+ (?: "[^"]*+(?:"|\Z) | '[^']*+(?:'|\Z) | [^\s>"'][^\s>]*+ )?+ )?+
"""
_NOT_TEXT = re.compile(
    rf"""
    < (?: !-- .*? (?: --!?> | \Z )
        | (?P<unread> script|style|textarea|title|xmp|iframe|noembed|noframes|template ) (?=[\s/>])
          .*? (?: </(?P=unread)(?=[\s/>]) | \Z )
        | (?P<tag> /?[a-z][^\s/>]*+ ) (?P<attributes> (?: [\s/]++ | {_ATTRIBUTE} )*+ ) >?
        | [!?/] [^>]*+ >?
      )
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL | re.ASCII,
)
_NAME_AND_VALUE = re.compile(
    r"""([^\s/>][^\s/>=]*+) (?: \s*+ = \s*+ (?: "([^"]*+) | '([^']*+) | ([^\s>"'][^\s>]*+) )?+ ["']? )?+""",
    re.VERBOSE | re.ASCII,
)


def hrefs(page: str) -> Iterator[tuple[str, str]]:
    """(tag, href) of each <a>, <area> and <base> that has one, in the page's order."""
    for found in _NOT_TEXT.finditer(page):
        tag = found["tag"]
        if tag and len(tag) <= 4 and tag.lower() in {"a", "area", "base"}:
            href = _attribute(found["attributes"], "href")
            if href is not None:
                yield tag.lower(), href


def _attribute(attributes: str, name: str) -> str | None:
    """The first of that name counts."""
    for found in _NAME_AND_VALUE.finditer(attributes):
        if found[1].lower() == name:
            return html.unescape(found[2] or found[3] or found[4] or "").strip("\t\n\f\r ")
    return None


def words(page: str) -> list[str]:
    """What a reader sees: no scripts, styles, comments or title."""
    return html.unescape(_NOT_TEXT.sub(" ", page)).split()
