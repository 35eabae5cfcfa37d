"""One owner's try at a task.

A task that wants three answers has three assignments, and a fourth when one of
them lapses. Each try has a name of its own and is offered under a lease, so a
node that slept through its lease can't answer for the one that took its place.
While nobody has, its late answer is welcome.

An assignment never knows whether its task is finished. It knows what became of
itself, and that is all that its earning depends on.
"""

from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from optimai.core.clock import Instant
from optimai.core.errors import LeaseOver, WrongMove
from optimai.core.ids import AssignmentId, NodeId, OwnerId, ResultId, TaskId


class Role(StrEnum):
    ANSWER = "answer"
    AUDIT = "audit"


class State(StrEnum):
    OFFERED = "offered"
    DECLINED = "declined"
    LAPSED = "lapsed"
    RETURNED = "returned"
    ACCEPTED = "accepted"
    REJECTED = "rejected"


MOVES = {
    State.OFFERED: {State.RETURNED, State.LAPSED, State.DECLINED},
    State.DECLINED: set[State](),
    State.LAPSED: {State.RETURNED},  # late, but nobody has taken its place; or standing, and proved a part
    State.RETURNED: {State.ACCEPTED, State.REJECTED},
    State.ACCEPTED: {State.REJECTED},  # a later audit overturns
    State.REJECTED: {State.ACCEPTED},  # judged again, without the one who lied
}


class Assignment(Struct, frozen=True, kw_only=True):
    id: AssignmentId
    task: TaskId
    owner: OwnerId
    node: NodeId
    lease_until: Instant
    role: Role = Role.ANSWER
    state: State = State.OFFERED
    result: ResultId | None = None


def move(assignment: Assignment, to: State) -> Assignment:
    """The assignment in its new state. Raises WrongMove where MOVES has no such move."""
    if to not in MOVES[assignment.state]:
        raise WrongMove(f"Assignment {assignment.id}", assignment.state, to)
    return replace(assignment, state=to)


def submit(assignment: Assignment, result: ResultId, *, place_taken: bool) -> Assignment:
    """Take a result in. The same result twice is taken once: submitting is safe to repeat.

    Raises LeaseOver where another assignment has taken this one's place.
    """
    if assignment.result == result:
        return assignment
    if place_taken:
        raise LeaseOver(f"Assignment {assignment.id}", assignment.lease_until)
    return replace(move(assignment, State.RETURNED), result=result)
