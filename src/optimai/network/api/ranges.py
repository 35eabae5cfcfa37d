"""Which bytes a `Range` asks for (RFC 9110, 14). Pure.

A header that does not say it in the way of one range of bytes is as good as none: the answer is then the
whole blob. So is one of several ranges, and one that hangs on a validator, for a blob has none but its name.
"""

import re

from optimai.core.errors import NoSuchRange

_ONE = re.compile(r"bytes=[ \t]*([0-9]*)-([0-9]*)[ \t]*", re.IGNORECASE)
_DIGITS = 18  # of a number that can be anything but too large


def wanted(asked: str, size: int) -> range | None:
    """The places of these bytes in a blob of `size`; None for all of it. Raises NoSuchRange."""
    found = _ONE.fullmatch(asked)
    if not found or found.groups() == ("", ""):
        return None
    first, last = (_number(text) for text in found.groups())
    if first is None:
        places = range(size - min(last or 0, size), size)
    elif last is not None and last < first:
        return None
    else:
        places = range(first, size if last is None else min(last + 1, size))
    if not places:
        raise NoSuchRange(asked, size)
    return places


def _number(text: str) -> int | None:
    digits = text.lstrip("0")
    return (int(digits or "0") if len(digits) <= _DIGITS else 10**_DIGITS) if text else None
