"""The words of a text in any script, and how many runs of them two texts share."""

import re
from collections.abc import Sequence

from optimai.core.chance import MILLION, Ppm

_MARKED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai and Lao, Burmese, Khmer: vowels are marks, no letters
)
_FAR_EAST = "\u3000-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff"  # Chinese, Japanese
SPACELESS = (
    _MARKED + _FAR_EAST
)  # of scripts without spaces, for a class of characters in a regular expression

_WORD = re.compile(rf"[{_MARKED}]|(?=\w)[{_FAR_EAST}]|[^\W{SPACELESS}]+")

Shingles = frozenset[str]


def text_of(value: object) -> str:
    """What a column holds, as a text: a number as it is written, nothing as an empty one."""
    return "" if value is None else str(value)


def words(text: str) -> list[str]:
    """In lower case, without punctuation. In scripts without spaces each character is a word."""
    return _WORD.findall(text.lower())


def shingles(listed: Sequence[str], ngram: int) -> Shingles:
    """All runs of `ngram` words; of fewer words their only run; none of no words."""
    last = max(len(listed) - ngram, 0)
    return frozenset(" ".join(listed[at : at + ngram]) for at in range(last + 1) if listed)


def jaccard(one: Shingles, other: Shingles) -> Ppm:
    """What is in both, of what is in either, rounded down. Two texts without words are alike."""
    either = len(one | other)
    return Ppm(len(one & other) * MILLION // either if either else MILLION)
