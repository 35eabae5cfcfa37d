"""Who does the work: a port. An agent takes any hands.

`workers.Workers` is the honest one, a warm subprocess for each kind. Simulated people
and liars are others; they live in `sim/`, do their tasks in this process, and may use
`kit.NodeKit` as a worker does. The agent never knows the difference.
"""

from typing import Protocol

from msgspec import Raw, Struct

from optimai.wire.exchange import Asked, Offer


class Declined(Struct, frozen=True):
    """No result; why, in one sentence that the coordinator and the operator read."""

    why: str


class Unable(Struct, frozen=True):
    """These hands can't do this kind of work at all. It is not asked for again until a restart."""

    why: str


Outcome = Raw | Declined | Unable


class Line(Protocol):
    """What a task hears and says while it is done."""

    async def asked(self) -> Asked: ...  # the next challenge, whenever it comes

    async def met(self, challenge: int, digest: str) -> None:
        """The answer to a challenge. When this returns it can't be lost any more."""

    def progress(self, done: int, of: int) -> None: ...


class Hands(Protocol):
    async def do(self, offer: Offer, line: Line) -> Outcome:
        """The JSON of a result, or why there is none. Cancelled, it stops within half a second."""

    async def close(self) -> None:
        """Let go of all that is kept warm. May be used again afterwards."""


def kind_of(offer: Offer) -> str:
    """`dedup+engine` is work of the kind `dedup` that needs an engine."""
    return offer.kind.partition("+")[0]
