import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from msgspec.structs import replace

from optimai.core.assignment import MOVES, Assignment, State, move, submit
from optimai.core.clock import instant
from optimai.core.errors import LeaseOver, WrongMove
from optimai.core.ids import AssignmentId, EnvelopeId, NodeId, OwnerId, TaskId, result_id

OFFERED = Assignment(
    id=AssignmentId(1),
    task=TaskId(7),
    owner=OwnerId("ann"),
    node=NodeId("n1"),
    lease_until=instant(2026, 1, 1, 13),
)
FIRST = result_id(EnvelopeId("e"), 0)
SECOND = result_id(EnvelopeId("e"), 1)


def test_a_late_result_counts_while_nobody_has_taken_its_place() -> None:
    late = move(OFFERED, State.LAPSED)
    assert submit(late, FIRST, place_taken=False).state is State.RETURNED
    with pytest.raises(LeaseOver):
        submit(late, FIRST, place_taken=True)


@given(st.booleans())
def test_submitting_twice_is_submitting_once_whoever_has_the_place_by_then(place_taken: bool) -> None:
    once = submit(OFFERED, FIRST, place_taken=False)
    assert submit(once, FIRST, place_taken=place_taken) == once


def test_a_second_different_result_is_a_wrong_move() -> None:
    once = submit(OFFERED, FIRST, place_taken=False)
    with pytest.raises(WrongMove):
        submit(once, SECOND, place_taken=False)


def test_what_was_declined_cant_be_answered_any_more() -> None:
    with pytest.raises(WrongMove):
        submit(move(OFFERED, State.DECLINED), FIRST, place_taken=False)


@pytest.mark.parametrize("here", [State.RETURNED, State.ACCEPTED, State.REJECTED])
@pytest.mark.parametrize("verdict", [State.ACCEPTED, State.REJECTED])
def test_what_came_back_can_be_judged_either_way_and_again(here: State, verdict: State) -> None:
    assert verdict is here or verdict in MOVES[here]


@given(st.sampled_from(State), st.sampled_from(State))
def test_a_move_that_is_not_in_the_table_raises(here: State, to: State) -> None:
    one = replace(OFFERED, state=here)
    if to in MOVES[here]:
        assert move(one, to) == replace(one, state=to)
    else:
        with pytest.raises(WrongMove, match=f"is {here}: it can't become {to}"):
            move(one, to)


class NoWayBack(RuleBasedStateMachine):
    """What was returned is never lost again: no history leads from a result to LAPSED or DECLINED."""

    def __init__(self) -> None:
        super().__init__()
        self.one = OFFERED

    @rule(to=st.sampled_from(State))
    def happen(self, to: State) -> None:
        if to is State.RETURNED and self.one.state in {State.OFFERED, State.LAPSED}:
            self.one = submit(self.one, FIRST, place_taken=False)
        elif to in MOVES[self.one.state]:
            self.one = move(self.one, to)

    @invariant()
    def a_result_stays(self) -> None:
        without = {State.OFFERED, State.LAPSED, State.DECLINED}
        assert (self.one.result is None) == (self.one.state in without)


TestNoWayBack = NoWayBack.TestCase
