"""Time is an argument. Nothing in the core asks what time it is."""

from datetime import UTC, datetime
from typing import NewType

Instant = NewType("Instant", datetime)  # always aware, always UTC


def instant(year: int, month: int, day: int, hour: int = 0, minute: int = 0, second: int = 0) -> Instant:
    return Instant(datetime(year, month, day, hour, minute, second, tzinfo=UTC))
