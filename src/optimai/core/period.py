"""Spans of time as people write them: `90s`, `10m`, `48h`, `14d`, whole seconds inside; and shares: `5%`."""

import re
from datetime import timedelta

from optimai.core.chance import MILLION, Ppm
from optimai.core.errors import BadValue

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_period(text: str) -> timedelta:
    found = re.fullmatch(r"([0-9]{1,6})([smhd])", text.strip())
    if not found or int(found[1]) == 0:
        raise BadValue("a span of time", text, "48h (or 90s, 10m, 14d)")
    return timedelta(seconds=int(found[1]) * _SECONDS[found[2]])


def parse_share(text: str) -> Ppm:
    """`"5%"` as parts per million, 0 to 100 %."""
    found = re.fullmatch(r"([0-9]{1,3})(?:\.([0-9]{1,4}))?\s*%", text.strip())
    ppm = int(found[1]) * 10_000 + int((found[2] or "").ljust(4, "0")) if found else -1
    if not 0 <= ppm <= MILLION:
        raise BadValue("a share", text, "5%")
    return Ppm(ppm)
