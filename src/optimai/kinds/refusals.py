"""What became of pages without an answer that counts, in words for whoever asked for them."""

from collections import Counter
from collections.abc import Iterable

REASONS = {  # as in kit.Refused; what a stranger may have written otherwise is not repeated
    "robots": "the site's robots.txt says no",
    "forbidden": "forbidden (only http and https, on ports 80 and 443, without a password)",
    "private": "at a private address",
    "too_large": "too large",
    "timeout": "too slow",
    "broken": "broken off",
    "unknown_host": "unreachable: host unknown",
    "unreachable": "unreachable: no answer",
    "no_time": "out of time",
    "loop": "its redirects lead in a circle",
    "no_address": "no address",
}


def reason(status: int, refused: str) -> str:
    """Of one page, which has a status, or a word for why there is none."""
    return f"answered {status}" if status else REASONS.get(refused, "refused")


def counted(pages: Iterable[tuple[int, str]]) -> str:
    """Of (status, refused) each: how many for which reason, the commonest first; "" where there are none."""
    reasons = Counter(reason(status, refused) for status, refused in pages)
    return ", ".join(f"{many} {why}" for why, many in reasons.most_common())
