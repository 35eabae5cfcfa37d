"""A line of pay, and where its money stands.

Money never waits for a promise: what a task can cost at most is set aside in the
campaign's escrow when it is offered, becomes its owner's (but not yet free) with
the verdict, and free when the time to appeal is over. What is free is final.

    reserved   set aside at the offer, at most what the task can cost
    pending    the verdict counted its units; an overturned verdict still voids it
    available  but for fines and the bond it can be withdrawn; nobody can take it back
    void       went back to escrow, all of it

A zero is a line too: it is void, and its reason says why.
"""

from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from optimai.core.clock import Instant
from optimai.core.errors import WrongMove
from optimai.core.ids import AssignmentId, EarningId, OwnerId
from optimai.core.money import Nano

NOTHING = Nano(0)
# The reason of a zero where a verdict came late, or changed late in somebody's favour.
UNPAID = "the campaign's escrow could not pay it any more"


class State(StrEnum):
    RESERVED = "reserved"
    PENDING = "pending"
    AVAILABLE = "available"
    VOID = "void"


MOVES = {
    State.RESERVED: {State.PENDING, State.VOID},
    State.PENDING: {State.AVAILABLE, State.VOID},
    State.AVAILABLE: set[State](),  # final: later overturns change data and standing, never paid money
    State.VOID: set[State](),  # a won appeal is a new line, so that the old one can still be read
}


class Earning(Struct, frozen=True, kw_only=True):
    id: EarningId
    assignment: AssignmentId
    owner: OwnerId
    amount: Nano  # while it is reserved, the most that it can become
    state: State = State.RESERVED
    release_at: Instant | None = None  # while it is pending: when it may become available
    reason: str = ""
    fined: Nano = NOTHING  # of what became available: taken for fines,
    kept: Nano = NOTHING  # and kept in the bond


def pend(earning: Earning, amount: Nano, release_at: Instant, reason: str) -> Earning:
    """The verdict is in: `amount` of what was reserved is earned; the rest returns to escrow."""
    pending = _move(earning, State.PENDING)
    if not 0 < amount <= earning.amount:
        raise ValueError(f"an earning pends between one nano-OPI and its reserve, not {amount}")
    return replace(pending, amount=amount, release_at=release_at, reason=reason)


def release(earning: Earning, fined: Nano = NOTHING, kept: Nano = NOTHING) -> Earning:
    """The time to appeal is over: but for what is taken for fines and kept in the bond it is its owner's, for good."""
    if not 0 <= fined + kept <= earning.amount or min(fined, kept) < 0:
        raise ValueError(f"of {earning.amount} {fined} are fined and {kept} kept")
    return replace(_move(earning, State.AVAILABLE), fined=fined, kept=kept)


def void(earning: Earning, reason: str) -> Earning:
    """All of it returns to escrow. The line stays, with its reason and nothing in it."""
    voided = _move(earning, State.VOID)
    if not reason:
        raise ValueError(f"earning {earning.id} can't become zero without a reason")
    return replace(voided, amount=Nano(0), release_at=None, reason=reason)


def _move(earning: Earning, to: State) -> Earning:
    if to not in MOVES[earning.state]:
        raise WrongMove(f"Earning {earning.id}", earning.state, to)
    return replace(earning, state=to)
