"""How many owners to ask, as people write it: `3..7` is at least three and at most seven."""

import re

MOST = 50


def parse_range(text: str) -> tuple[int, int]:
    """Raises ValueError, with an example, on anything but `LEAST..MOST`."""
    found = re.fullmatch(r"([1-9]\d?)\.\.([1-9]\d?)", text)
    least, most = (int(found[1]), int(found[2])) if found else (1, 0)
    if not least <= most <= MOST:
        raise ValueError(f"{text!r} is not a range of 1 to {MOST} answers; write it like this: 3..7")
    return least, most
