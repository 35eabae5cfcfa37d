"""What makes two texts alike: the runs of n words that they share.

Letter case, punctuation and white space do not count. In scripts without spaces each
character counts as a word.
"""

import re

from optimai.core.chance import MILLION, Ppm

_SPACELESS = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3000-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_WORD = re.compile(rf"[{_SPACELESS}]|[^\W{_SPACELESS}]+")

Shingles = frozenset[str]


def words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def shingles(text: str, ngram: int) -> Shingles:
    """All runs of `ngram` words; of a shorter text its only run; none of a text without words."""
    listed = words(text)
    last = max(len(listed) - ngram, 0)
    return frozenset(" ".join(listed[at : at + ngram]) for at in range(last + 1) if listed)


def jaccard(one: Shingles, other: Shingles) -> Ppm:
    """What is in both, of what is in either, rounded down. Two texts without words are alike."""
    either = len(one | other)
    return Ppm(len(one & other) * MILLION // either if either else MILLION)
