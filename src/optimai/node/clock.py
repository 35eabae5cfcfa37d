"""The node's door to the clock: everything else in the node is told what time it is."""

from datetime import UTC, datetime, timedelta
from time import sleep

from optimai.core.clock import Instant

TOLERATED = timedelta(seconds=5)


def now() -> Instant:
    """By the machine's own clock."""
    return Instant(datetime.now(UTC))


def wait(seconds: float) -> None:
    """Stops this whole process."""
    sleep(seconds)


class Clock:
    """The network's time. Leases and epochs are in it, and home computers are often minutes off.

    It is the machine's own time while that differs from the coordinator's by less than
    TOLERATED, and from then on moved by the difference.
    """

    def __init__(self) -> None:
        self.ahead = timedelta()  # of the machine's own clock

    def __call__(self) -> Instant:
        return Instant(now() + self.ahead)

    def hear(self, at: Instant) -> None:
        """The coordinator's clock says this, just now."""
        ahead = at - now()
        self.ahead = ahead if abs(ahead) > TOLERATED else timedelta()
