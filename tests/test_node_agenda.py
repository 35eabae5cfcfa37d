"""What an agent does next, without an agent."""

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec import Raw

from optimai.core.assignment import Role
from optimai.core.clock import instant
from optimai.core.ids import AssignmentId
from optimai.kinds import catalog
from optimai.kinds.contract import Kind
from optimai.node.agenda import (
    BEAT,
    GAP,
    GRACE,
    LONGEST,
    Agenda,
    Began,
    Decline,
    Ended,
    Failed,
    Instruction,
    Leaving,
    Paused,
    Phase,
    Replied,
    Rest,
    Resumed,
    Run,
    Stop,
    Talk,
    Tick,
)
from optimai.wire.exchange import Offer

WORD_COUNT = catalog.load("word_count").kind


def kind(name: str, **fields: object) -> Kind:
    given = {name: getattr(WORD_COUNT, name) for name in WORD_COUNT.__struct_fields__}
    return Kind(**{**given, "name": name, **fields})  # type: ignore[arg-type]


KINDS = {
    one.name: one
    for one in (kind("plain"), kind("wide", parallel=4), kind("standing", standing=True, parallel=4))
}


def offer(number: int, of: str = "plain") -> Offer:
    return Offer(
        assignment=AssignmentId(number),
        kind=of,
        step="c/s",
        task=Raw(b"{}"),
        role=Role.ANSWER,
        units=1,
        price=1,
        quality=1_000_000,
        rate=0,
        protocol="",
        lease_until=instant(2026, 1, 1),
        token="t",
    )


def agenda(slots: int = 2, chance: float = 0.5) -> Agenda:
    return Agenda(KINDS, slots, lambda: chance)


def began(slots: int = 2) -> Agenda:
    """One that has heard from its coordinator once, at 0, and was offered nothing."""
    made = agenda(slots)
    assert made.handle(Began((), unsent=False), 0.0) == [Talk(slots, work=True)]
    assert made.handle(Replied((), 1.0, more=False), 0.0) == []
    return made


def running(*offers: Offer, slots: int = 2) -> Agenda:
    """One that does these, and has just heard that there is no more."""
    made = agenda(slots)
    made.handle(Began((), unsent=False), -1.0)
    out = made.handle(Replied(offers, 1.0, more=False), -0.1)
    assert [one for one in out if isinstance(one, Run)] == [Run(one) for one in offers]
    if Talk in map(type, out):
        made.handle(Replied((), 1.0, more=False), 0.0)
    return made


def test_it_asks_at_once_for_as_many_tasks_as_it_has_cores():
    assert agenda(3).handle(Began((), unsent=False), 0.0) == [Talk(3, work=True)]


def test_with_nothing_offered_it_asks_again_when_the_coordinator_says():
    idle = began()
    assert idle.wake_at == 1.0
    assert idle.handle(Tick(), 0.99) == []
    assert idle.handle(Tick(), 1.0) == [Talk(2, work=True)]


@pytest.mark.parametrize(("wait", "waits"), [(-5.0, GAP), (0.0, GAP), (1e9, 60.0)])
def test_it_neither_floods_a_coordinator_nor_forgets_it_whatever_that_says(wait: float, waits: float):
    made = agenda()
    made.handle(Began((), unsent=False), 0.0)
    made.handle(Replied((), wait, more=False), 0.0)
    assert made.wake_at == waits


def test_a_result_goes_out_at_once_but_not_more_often_than_every_gap():
    made = running(offer(1), offer(2))
    assert made.handle(Ended(AssignmentId(1)), 0.5) == [Talk(1, work=True)]
    made.handle(Replied((), 1.0, more=False), 0.5 + GAP / 4)
    assert made.handle(Ended(AssignmentId(2)), 0.5 + GAP / 2) == []
    assert made.wake_at == 0.5 + GAP


def test_a_result_that_is_ready_while_it_talks_goes_out_in_the_next_exchange():
    made = running(offer(1), offer(2))
    made.handle(Ended(AssignmentId(1)), 1.0)
    assert made.handle(Ended(AssignmentId(2)), 1.1) == []
    assert made.handle(Replied((), 9.0, more=True), 1.2) == [Talk(2, work=True)]


def test_while_more_fits_what_was_offered_it_asks_on_without_a_pause():
    made = agenda(3)
    made.handle(Began((), unsent=False), 0.0)
    assert made.handle(Replied((offer(1),), 9.0, more=False), GAP) == [Run(offer(1)), Talk(2, work=True)]


def test_with_full_hands_it_says_that_it_lives_every_second():
    assert running(offer(1), offer(2)).wake_at == BEAT - 0.1


def test_tasks_that_wait_for_the_network_share_a_slot():
    made = running(*(offer(n, "wide") for n in range(4)), offer(9))
    assert made.room() == 0


def test_such_tasks_are_asked_for_one_by_one_without_a_pause_until_the_slot_is_full():
    made = agenda(1)
    made.handle(Began((), unsent=False), 0.0)
    for n in range(3):
        assert made.handle(Replied((offer(n, "wide"),), 0.0, more=False), n + 0.1) == [
            Run(offer(n, "wide")),
            Talk(1, work=True),
        ]
    assert made.handle(Replied((offer(3, "wide"),), 0.0, more=False), 4.0) == [Run(offer(3, "wide"))]


def test_with_a_place_left_on_a_slot_one_more_is_asked_for():
    made = running(offer(1, "wide"), offer(2))
    assert made.room() == 1


def test_if_that_one_is_of_another_kind_it_waits_for_a_slot_and_nothing_more_is_asked_for():
    made = running(offer(1, "wide"), offer(2))
    made.handle(Tick(), BEAT)
    assert made.handle(Replied((offer(3),), 1.0, more=False), BEAT) == []
    assert made.room() == 0
    assert Run(offer(3)) in made.handle(Ended(AssignmentId(2)), BEAT)


def test_standing_work_takes_no_slot():
    made = running(offer(1, "standing"), offer(2, "standing"), offer(3))
    assert made.room() == 1


def test_more_than_was_asked_for_is_done_one_after_the_other():
    made = agenda(1)
    made.handle(Began((), unsent=False), 0.0)
    assert made.handle(Replied((offer(1), offer(2)), 1.0, more=False), 0.0) == [Run(offer(1))]
    assert Run(offer(2)) in made.handle(Ended(AssignmentId(1)), 3.0)


def test_what_it_does_not_do_is_handed_back():
    made = began()
    made.handle(Tick(), 1.0)
    assert Decline(AssignmentId(1)) in made.handle(Replied((offer(1, "strange"),), 1.0, more=False), 1.0)


def test_work_from_before_a_restart_waits_until_the_coordinator_was_heard():
    """Only then does it know the network's time, and with it whose lease is over."""
    made = agenda()
    assert made.handle(Began((offer(1),), unsent=True), 0.0) == [Talk(1, work=True)]
    assert made.handle(Replied((), 1.0, more=False), 0.1) == [Run(offer(1))]


def test_failures_are_answered_with_longer_and_longer_waits_up_to_thirty_seconds():
    made = agenda(chance=1.0)
    now = 0.0
    made.handle(Began((), unsent=False), now)
    waits = []
    for _ in range(9):
        made.handle(Failed(), now)
        waits.append(made.wake_at - now)
        now = made.wake_at
        assert isinstance(made.handle(Tick(), now)[0], Talk)
    assert waits == [0.5, 1, 2, 4, 8, 16, LONGEST, LONGEST, LONGEST]


def test_waits_after_a_failure_are_spread_over_half_of_their_length():
    shortest = agenda(chance=0.0)
    shortest.handle(Began((), unsent=False), 0.0)
    shortest.handle(Failed(), 0.0)
    assert shortest.wake_at == 0.25


def test_a_result_does_not_cut_the_wait_after_a_failure_short():
    made = running(offer(1))
    made.handle(Tick(), 1.0)
    made.handle(Failed(), 1.0)
    wake = made.wake_at
    assert made.handle(Ended(AssignmentId(1)), 1.01) == []
    assert made.wake_at == wake


def test_a_pause_lets_what_is_nearly_done_end_and_stops_the_rest():
    made = running(offer(1), offer(2))
    assert made.handle(Paused(), 5.0) == [Talk(0, work=False)]
    made.handle(Replied((), 1.0, more=False), 5.0)
    made.handle(Ended(AssignmentId(1)), 5.5)
    made.handle(Replied((), 9.0, more=False), 5.6)
    assert made.wake_at == 5.0 + GRACE
    assert made.handle(Tick(), 5.0 + GRACE) == [Stop(AssignmentId(2), keep=False)]
    assert Rest() in made.handle(Ended(AssignmentId(2)), 6.4)


def test_while_it_is_paused_results_go_out_and_nothing_is_taken_on():
    made = running(offer(1))
    made.handle(Paused(), 0.1)
    assert Talk(0, work=False) in made.handle(Ended(AssignmentId(1)), 0.5)
    assert made.handle(Replied((offer(2),), 1.0, more=False), 0.5) == [Decline(AssignmentId(2))]


def test_standing_work_sleeps_through_a_pause_and_goes_on_afterwards():
    made = running(offer(1, "standing"))
    made.handle(Tick(), BEAT)
    assert made.handle(Paused(), 2.0) == [Stop(AssignmentId(1), keep=True)]
    assert made.handle(Ended(AssignmentId(1), undone=True), 2.1) == [Rest()]
    assert made.handle(Resumed(), 3.0) == [Run(offer(1, "standing"))]


def test_leaving_hands_back_what_is_in_hand_says_so_once_and_is_done():
    made = running(offer(1))
    assert made.handle(Leaving(), 0.2) == [Stop(AssignmentId(1), keep=False)]
    assert made.handle(Ended(AssignmentId(1)), 0.3) == [Rest(), Talk(0, work=False)]
    assert not made.done
    made.handle(Failed(), 0.4)
    assert made.done


def test_with_nothing_to_say_it_leaves_without_a_word():
    made = began()
    assert made.handle(Leaving(), 0.5) == []
    assert made.done


class AnyHistory(RuleBasedStateMachine):
    """Whatever happens in whatever order, the promises of the module's first page hold."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.slots = 1
        self.talking = False
        self.talks: list[float] = []
        self.running: dict[AssignmentId, Offer] = {}
        self.stopping: dict[AssignmentId, bool] = {}
        self.open: set[AssignmentId] = set()  # in hand, as the coordinator sees it
        self.numbers = 0

    @initialize(slots=st.integers(1, 4))
    def begin(self, slots: int) -> None:
        self.slots = slots
        self.agenda = agenda(slots)
        self.carry_out(self.agenda.handle(Began((), unsent=False), self.now))

    def carry_out(self, instructions: list[Instruction]) -> None:
        for one in instructions:
            match one:
                case Talk(room, work):
                    assert not self.talking
                    assert not self.talks or self.now - self.talks[-1] >= GAP - 1e-9 or self.agenda.leaving
                    assert 0 <= room <= self.slots
                    quiet = self.agenda.paused or self.agenda.leaving
                    assert work is not quiet
                    assert not (quiet and room)
                    self.talking = True
                    self.talks.append(self.now)
                case Run(offer):
                    assert offer.assignment in self.open
                    assert offer.assignment not in self.running
                    assert not self.agenda.paused
                    self.running[offer.assignment] = offer
                case Stop(assignment, keep):
                    assert assignment in self.running
                    assert keep is KINDS[self.running[assignment].kind].standing
                    self.stopping[assignment] = keep
                case Decline(assignment):
                    assert assignment not in self.running
                    self.open.remove(assignment)
                case Rest():
                    assert not self.running

    def happen(self, event: object) -> None:
        self.carry_out(self.agenda.handle(event, self.now))  # type: ignore[arg-type]

    @rule(seconds=st.sampled_from([0.01, GAP, 0.3, 1.0, 40.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.happen(Tick())

    @precondition(lambda self: self.talking)
    @rule(kinds=st.lists(st.sampled_from([*KINDS, "strange"]), max_size=6), wait=st.floats(0, 5))
    def reply(self, kinds: list[str], wait: float) -> None:
        """It may bring more than was asked for."""
        self.talking = False
        offers = tuple(offer(self.numbers + n, of) for n, of in enumerate(kinds))
        self.numbers += len(offers)
        self.open |= {one.assignment for one in offers}
        self.happen(Replied(offers, wait, more=False))

    @precondition(lambda self: self.talking)
    @rule()
    def fail(self) -> None:
        self.talking = False
        self.happen(Failed())

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        assignment = data.draw(st.sampled_from(sorted(self.running)))
        undone = self.stopping.pop(assignment, False)
        del self.running[assignment]
        if not undone:
            self.open.remove(assignment)
        self.happen(Ended(assignment, undone))

    @precondition(lambda self: not self.agenda.paused)
    @rule()
    def pause(self) -> None:
        self.happen(Paused())

    @precondition(lambda self: self.agenda.paused)
    @rule()
    def resume(self) -> None:
        self.happen(Resumed())

    @invariant()
    def no_more_runs_than_fits(self) -> None:
        counts = {name: sum(one.kind == name for one in self.running.values()) for name in ("plain", "wide")}
        assert counts["plain"] + -(-counts["wide"] // 4) <= self.slots

    @invariant()
    def what_is_in_hand_is_neither_forgotten_nor_invented(self) -> None:
        if hasattr(self, "agenda"):
            assert set(self.agenda.held) == self.open
            assert {a for a, one in self.agenda.held.items() if one.phase is not Phase.WAITING} == set(
                self.running
            )

    @invariant()
    def it_always_knows_when_to_wake(self) -> None:
        if hasattr(self, "agenda") and not self.talking:
            assert self.agenda.wake_at - self.now <= 60

    @invariant()
    def a_pause_is_over_for_all_within_its_grace(self) -> None:
        if hasattr(self, "agenda") and self.agenda.paused and self.now > self.agenda._still:
            assert set(self.running) == set(self.stopping)


TestAnyHistory = AnyHistory.TestCase
