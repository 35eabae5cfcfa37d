"""Conduct: probation, bond, fines and suspension are bounded, monotone, and a fresh start gains nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from optimai.core import conduct
from optimai.core.chance import MILLION, Ppm
from optimai.core.conduct import AUDITING, MOVES, NOTHING, OPINIONS, TERMS, Conduct, State, Terms, Units
from optimai.core.errors import WrongMove
from optimai.core.money import Nano

PRICE = Nano(1_000)
GOOD = Ppm(900_000)
ALL, NONE = Ppm(MILLION), Ppm(0)
shares = st.integers(0, MILLION).map(Ppm)
amounts = st.integers(0, 10**15).map(Nano)


def audited(before: Conduct, held: Ppm, terms: Terms = TERMS, task: int = 0) -> Conduct:
    return conduct.observe(before, Units(MILLION, MILLION - held), terms, task=task)


def after(*held: Ppm) -> Conduct:
    one = Conduct()
    for task, share in enumerate(held):
        one = audited(one, share, task=task)
    return one


def test_twenty_clean_audits_end_the_probation():
    assert after(*[ALL] * 19).state is State.PROBATION
    assert after(*[ALL] * 20).state is State.STANDING
    assert conduct.rate(after(*[ALL] * 19)) == MILLION
    assert conduct.rate(after(*[ALL] * 20)) == TERMS.audit


def test_three_faults_in_twenty_audits_suspend_and_the_bond_is_not_had_back():
    one, _ = conduct.earn(after(*[ALL] * 20, NONE, NONE), Nano(5 * PRICE), PRICE)
    assert one.bond == 5 * PRICE
    gone = audited(conduct.charge(one, PRICE), NONE)
    assert gone.state is State.SUSPENDED
    assert (conduct.quality(gone, GOOD), conduct.returned(gone)) == (0, 0)
    assert conduct.begin_again(gone) == Conduct()


def test_three_faults_far_apart_do_not_suspend():
    clean = [ALL] * 30
    assert after(*clean, NONE, *clean, NONE, *clean, NONE).state is State.STANDING


def test_a_short_probation_that_was_clean_ends_in_good_standing():
    one = Conduct()
    for task in range(3):
        one = audited(one, ALL, Terms(probation=3), task)
    assert one.state is State.STANDING


def test_who_does_the_half_well_is_suspended_when_his_probation_ends_if_not_before():
    terms = conduct.Terms(faults=21)
    one = Conduct()
    for _ in range(19):
        one = audited(one, Ppm(MILLION // 2), terms)
        assert one.state is State.PROBATION
    assert audited(one, Ppm(MILLION // 2), terms).state is State.SUSPENDED


def test_whoever_is_suspended_begins_again_as_a_newcomer_and_nobody_else_does():
    assert conduct.begin_again(after(NONE, NONE, NONE)) == Conduct()
    for one in (Conduct(), after(*[ALL] * 20)):
        with pytest.raises(WrongMove):
            conduct.begin_again(one)


def test_whatever_else_is_looked_at_of_who_is_suspended_he_stays_so():
    gone = after(NONE, NONE, NONE)
    for task in range(3, 40):
        gone = audited(gone, ALL, task=task)
        assert gone.state is State.SUSPENDED


def test_a_fault_that_is_taken_back_lifts_the_suspension_and_leaves_what_there_would_be():
    fell, held = Units(10, 10), Units(10, 0)
    gone = after(*[ALL] * 20, NONE, NONE)
    gone = conduct.observe(conduct.observe(gone, fell, task=50), held, task=51)
    assert gone.state is State.SUSPENDED
    back = conduct.observe(gone, held, task=50, before=fell)
    assert back.state is State.STANDING
    assert (back.audits, back.clean) == (24, 22)
    assert [fell for _, fell in back.recent[-4:]] == [True, True, False, False]
    assert conduct.observe(back, NOTHING, task=50, before=held).audits == 23


def test_of_opinions_each_known_answer_counts_and_a_threshold_above_chance():
    one = Conduct()
    half = Ppm(MILLION // 2)
    for task in range(4):
        one = conduct.observe(one, Units(5, 1), OPINIONS, task=task, chance=half)
    assert (one.state, one.audits) == (State.STANDING, 20)
    assert conduct.quality(one, good=half, chance=half) > 0
    coin = Conduct()
    for task in range(4):
        coin = conduct.observe(coin, Units(4, 2), OPINIONS, task=task, chance=half)
    assert coin.state is State.SUSPENDED


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(0, 5)), max_size=40), st.booleans()
)
def test_what_was_counted_follows_from_the_last_verdicts_alone(
    verdicts: list[tuple[int, int, int]], units: bool
):
    """However often a task is judged: units by the last verdict on each, observations likewise."""
    terms = OPINIONS if units else TERMS
    last: dict[int, Units] = {}
    one = Conduct()
    for task, right, wrong in verdicts:
        now = Units(right + wrong, wrong)
        one = conduct.observe(one, now, terms, task=task, before=last.get(task, NOTHING))
        last[task] = now
    assert one.checked == sum(units.checked for units in last.values())
    assert one.faults == sum(units.faults for units in last.values())
    assert one.audits == sum(found.checked if units else found.checked > 0 for found in last.values())
    assert one.clean == sum(found.checked > 0 and found.faults == 0 for found in last.values())
    assert one.reputation.held >= 0 <= one.reputation.fell


@given(amounts, amounts, amounts)
def test_what_is_owed_is_paid_first_then_the_bond_is_filled_and_nothing_is_lost(
    owed: Nano, first: Nano, second: Nano
):
    one, split = conduct.earn(Conduct(owed=owed), first, PRICE)
    two, more = conduct.earn(one, second, PRICE)
    assert sum(split) + sum(more) == first + second
    assert split.fined + more.fined == owed - two.owed == min(owed, first + second)
    assert two.bond == split.kept + more.kept == min(first + second - (owed - two.owed), TERMS.bond * PRICE)


@given(amounts, amounts)
def test_who_leaves_has_his_bond_back_less_what_he_owes_but_for_work_that_nobody_looked_at(
    bond: Nano, owed: Nano
):
    left = max(0, bond - owed)
    for one in (Conduct(bond=bond, owed=owed), Conduct(state=State.STANDING, bond=bond, owed=owed)):
        assert conduct.returned(one) == left
    assert conduct.returned(Conduct(bond=bond), AUDITING) == 0
    assert conduct.returned(Conduct(state=State.STANDING, bond=bond, owed=owed), AUDITING) == left
    assert conduct.returned(after(NONE, NONE, NONE)) == 0


@given(amounts, amounts)
def test_a_fine_is_owed_and_can_be_taken_back_while_it_is_not_paid(fine: Nano, more: Nano):
    one = conduct.charge(conduct.charge(Conduct(), fine), more)
    assert one.owed == fine + more
    assert conduct.charge(one, Nano(-more)).owed == fine
    assert conduct.charge(Conduct(), Nano(-fine)).owed == 0


@given(st.integers(1, 10_000))
def test_three_of_what_waited_too_long_stand_for_the_rest(waiting: int):
    drawn, rate = conduct.closing(waiting)
    assert drawn == min(3, waiting)
    assert 0 < drawn * MILLION - (rate - 1) * waiting <= waiting
    assert conduct.clear(False, drawn) == (waiting >= 3)
    assert conduct.closing(0)[0] == 0


@given(st.integers(1, 10**9).map(Nano), st.integers(1, 1_000), st.integers(1, MILLION).map(Ppm))
def test_in_the_mean_a_fault_costs_half_as_much_again_as_it_would_have_brought(
    price: Nano, fell: int, rate: Ppm
):
    assert conduct.fine(price, fell, rate) * rate >= price * fell * TERMS.fine
    assert (conduct.fine(price, fell, rate) - 1) * rate < price * fell * TERMS.fine


def test_a_fine_of_nothing_audited_is_a_mistake():
    with pytest.raises(ValueError, match="audit rate"):
        conduct.fine(PRICE, 1, NONE)


@given(st.lists(shares, max_size=60), shares, shares)
def test_who_did_better_is_paid_no_less(before: list[Ppm], one: Ppm, other: Ppm):
    """By the same history and one audit that differs."""
    so_far = after(*before)
    worse, better = (audited(so_far, held) for held in sorted((one, other)))
    assert conduct.quality(worse, GOOD) <= conduct.quality(better, GOOD) <= MILLION


@given(st.integers(0, 20))
def test_work_is_paid_out_when_it_was_audited_or_three_later_audits_were_clean(clean: int):
    assert conduct.clear(True, 0)
    assert conduct.clear(False, clean) == (clean >= 3)


@given(st.integers(0, 200))
def test_a_new_name_brings_nothing_that_can_be_taken_away_before_its_bond_is_full(tasks: int):
    one, free = Conduct(), 0
    for _ in range(tasks):
        one = audited(one, ALL)
        one, split = conduct.earn(one, Nano(PRICE * conduct.quality(one, GOOD) // MILLION), PRICE)
        free += split.free
    assert one.bond == TERMS.bond * PRICE or not free
    assert free <= max(0, tasks - TERMS.bond) * PRICE


class Life(RuleBasedStateMachine):
    """One owner, whatever happens to him: where he can be, and that money is neither made nor lost."""

    def __init__(self) -> None:
        super().__init__()
        self.one = Conduct()
        self.earned = self.free = self.fined = self.lost = 0

    @rule(held=shares)
    def audit(self, held: Ppm) -> None:
        before = self.one
        self.one = audited(before, held)
        assert self.one.state is before.state or self.one.state in MOVES[before.state]

    @precondition(lambda self: self.one.state is not State.SUSPENDED)
    @rule(amount=amounts)
    def earn(self, amount: Nano) -> None:
        self.one, split = conduct.earn(self.one, amount, PRICE)
        self.earned += amount
        self.free += split.free
        self.fined += split.fined

    @rule(amount=amounts)
    def fine(self, amount: Nano) -> None:
        self.one = conduct.charge(self.one, amount)

    @precondition(lambda self: self.one.state is State.SUSPENDED)
    @rule()
    def begin_again(self) -> None:
        self.lost += self.one.bond
        self.one = conduct.begin_again(self.one)

    @invariant()
    def money_is_somewhere(self) -> None:
        assert self.earned == self.free + self.one.bond + self.fined + self.lost
        assert 0 <= self.one.bond <= TERMS.bond * PRICE
        assert len(self.one.recent) <= TERMS.window


TestLife = Life.TestCase
