"""The second edition of a simulated page: the same markup, every sentence in other words, and a dated line.

The words replaced are so common in English that few runs of five words survive, so a text of the first
edition can't pass for the second. A page of mere names and numbers (an index, a diagram) hardly changes
under it; `differs` tells such pages apart.
"""

import re
from datetime import date

# Each word and what the second edition says for it.
OTHER_WORDS: dict[str, str] = dict(
    re.findall(
        r"(\w+) (\w+)",
        """
        the this, a one, an some, of from, to toward, is becomes, are become, and plus, or else, in within,
        that which, for toward, be become, with alongside, by via, on upon, it such, this the, as like,
        not never, if whenever, can could, from off, which that, may might, will shall, when once, then next,
        but yet, has holds, have hold, was became, use employ, used employed, all every, any some,
        must should, into inside, at near, each every, other further, only merely, these those, there here,
        no zero
        """,
    )
)
COMMON = re.compile(rf"\b(?:{'|'.join(OTHER_WORDS)})\b", re.IGNORECASE)
MARKUP = re.compile(r"(<(?:script|style|svg|title)\b.*?</(?:script|style|svg|title)>|<[^>]*>)", re.I | re.S)
REVISED = "<p>Revised on {day:%Y-%m-%d}: a program reworded this page for a demonstration.</p>\n"


def revise(page: str, day: date) -> str:
    pieces = MARKUP.split(page)
    pieces[::2] = [COMMON.sub(other_word, text) for text in pieces[::2]]
    return "".join(pieces) + REVISED.format(day=day)


def other_word(found: re.Match[str]) -> str:
    """Keeps a capital letter, and leaves words in capitals alone: they are SQL."""
    word = found.group()
    if len(word) > 1 and word.isupper():
        return word
    new = OTHER_WORDS[word.lower()]
    return new.capitalize() if word[0].isupper() else new


def differs(page: str, other: str) -> bool:
    """True where the two share less than a quarter of their runs of five words (Jaccard)."""
    mine, theirs = runs(page), runs(other)
    return len(mine & theirs) * 4 < len(mine | theirs)


def runs(page: str) -> set[tuple[str, ...]]:
    words = " ".join(MARKUP.split(page)[::2]).split()
    return {tuple(words[at : at + 5]) for at in range(len(words) - 4)}
