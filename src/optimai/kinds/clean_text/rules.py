"""What a text must be to pass, one rule a line.

The thresholds are those of MassiveText (Rae et al. 2021, https://arxiv.org/abs/2112.11446,
appendix A.1.1), save the least number of words, which is the campaign's to choose. They
are compared as whole numbers, so that every machine decides alike. In scripts without
spaces each character counts as a word, and rules on the length of words don't apply.

Their rule on lines with a bullet is left out: here each item of a list has one.
"""

import re
from collections import Counter
from collections.abc import Callable

from msgspec import Struct

from optimai.kinds.words import SPACELESS

_WORD = re.compile(rf"[{SPACELESS}]|[^\s{SPACELESS}]+")  # with its punctuation: the rules look at that too
_ALONE = re.compile(f"[{SPACELESS}]")
_LAYOUT = {"-", "|", "---"}  # items and cells, as the extraction marks them
_ELLIPSIS = ("…", "...")


class Facts(Struct, frozen=True, kw_only=True):
    """All that the rules look at."""

    wanted: int  # words, by the campaign
    words: int
    spaced: int  # words that spaces set apart,
    letters: int  # the characters in them,
    alphabetic: int  # and how many have a letter
    symbols: int  # number signs and ellipses
    lines: int
    trailing: int  # lines that end in an ellipsis
    repeats: int  # lines that stood there before,
    repeated: int  # the characters in them,
    characters: int  # and in all lines


class Rule(Struct, frozen=True):
    reason: str
    drops: Callable[[Facts], bool]


RULES = (
    Rule("few_words", lambda text: text.words < text.wanted),
    Rule("many_words", lambda text: text.words > 100_000),
    Rule("short_words", lambda text: text.letters < 3 * text.spaced),
    Rule("long_words", lambda text: text.letters > 10 * text.spaced),
    Rule("symbols", lambda text: text.symbols * 100 > 10 * text.words),
    Rule("few_letters", lambda text: text.alphabetic * 100 < 80 * text.spaced),
    Rule("cut_lines", lambda text: text.trailing * 100 > 30 * text.lines),
    Rule("repeated_lines", lambda text: text.repeats * 100 > 30 * text.lines),
    Rule("repeated_text", lambda text: text.repeated * 100 > 20 * text.characters),
)

# In the order in which a page meets them; the first four before there is a text to look at.
REASONS = ("not_html", "too_large", "no_text", "language", *(rule.reason for rule in RULES))


def facts(text: str, wanted: int) -> Facts:
    words = [word for word in _WORD.findall(text) if word not in _LAYOUT]
    spaced = [word for word in words if not _ALONE.match(word)]
    lines = [line for line in text.split("\n") if line]
    again = [line for line, times in Counter(lines).items() for _ in range(times - 1)]
    return Facts(
        wanted=wanted,
        words=len(words),
        spaced=len(spaced),
        letters=sum(map(len, spaced)),
        alphabetic=sum(any(map(str.isalpha, word)) for word in spaced),
        symbols=text.count("#") + sum(text.count(ellipsis) for ellipsis in _ELLIPSIS),
        lines=len(lines),
        trailing=sum(line.endswith(_ELLIPSIS) for line in lines),
        repeats=len(again),
        repeated=sum(map(len, again)),
        characters=sum(map(len, lines)),
    )


def why_dropped(text: Facts) -> str | None:
    """The reason of the first rule that drops it; None if it passes them all."""
    return next((rule.reason for rule in RULES if rule.drops(text)), None)
