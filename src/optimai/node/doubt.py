"""Kinds of work that a node keeps failing at: it asks for them less and less.

What one node hands back is offered at once to the next, or to the same. Without doubt, a
task that breaks, or a library that is damaged, would keep a network busy with nothing.
"""

from msgspec import Struct

FORGIVEN = 2  # tasks in a row that may go undone without any doubt
FIRST, LONGEST = 1.0, 60.0  # seconds without the kind: at the next, then twice as long each time, up to this


class _Doubt(Struct):
    failures: int = 0  # in a row
    until: float = 0.0


class Doubts:
    def __init__(self) -> None:
        self._by_kind: dict[str, _Doubt] = {}
        self.unable: dict[str, str] = {}  # kinds that can't be done here at all, and why

    def takes(self, kind: str, now: float) -> bool:
        """Whether to ask for it. `now` is in seconds of any steady clock."""
        return kind not in self.unable and self._by_kind.get(kind, _Doubt()).until <= now

    def went_well(self, kind: str) -> None:
        self._by_kind.pop(kind, None)

    def went_undone(self, kind: str, now: float) -> None:
        doubt = self._by_kind.setdefault(kind, _Doubt())
        doubt.failures += 1
        excess = doubt.failures - FORGIVEN
        if excess > 0:
            doubt.until = now + min(LONGEST, FIRST * 2 ** min(excess - 1, 16))
