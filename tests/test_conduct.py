"""Conduct: probation, bond, fines and suspension are bounded, monotone, and a fresh start gains nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from optimai.core import conduct
from optimai.core.chance import MILLION, Ppm
from optimai.core.conduct import AUDITING, MOVES, TERMS, Conduct, State
from optimai.core.errors import WrongMove
from optimai.core.money import Nano

PRICE = Nano(1_000)
GOOD = Ppm(900_000)
ALL, NONE = Ppm(MILLION), Ppm(0)
shares = st.integers(0, MILLION).map(Ppm)
amounts = st.integers(0, 10**15).map(Nano)


def after(*held: Ppm) -> Conduct:
    one = Conduct()
    for share in held:
        one = conduct.audited(one, share)
    return one


def test_twenty_clean_audits_end_the_probation():
    assert after(*[ALL] * 19).state is State.PROBATION
    assert after(*[ALL] * 20).state is State.STANDING
    assert conduct.rate(after(*[ALL] * 19)) == MILLION
    assert conduct.rate(after(*[ALL] * 20)) == TERMS.audit


def test_three_faults_in_twenty_audits_suspend_and_the_bond_is_lost():
    one, _ = conduct.earn(after(*[ALL] * 20, NONE, NONE), Nano(5 * PRICE), PRICE)
    assert one.bond == 5 * PRICE
    gone = conduct.audited(one, NONE)
    assert (gone.state, gone.bond, conduct.quality(gone, GOOD)) == (State.SUSPENDED, 0, 0)


def test_three_faults_far_apart_do_not_suspend():
    clean = [ALL] * 30
    assert after(*clean, NONE, *clean, NONE, *clean, NONE).state is State.STANDING


def test_who_does_the_half_well_is_suspended_when_his_probation_ends_if_not_before():
    terms = conduct.Terms(faults=21)
    one = Conduct()
    for _ in range(19):
        one = conduct.audited(one, Ppm(MILLION // 2), terms)
        assert one.state is State.PROBATION
    assert conduct.audited(one, Ppm(MILLION // 2), terms).state is State.SUSPENDED


def test_whoever_is_suspended_begins_again_as_a_newcomer_and_nobody_else_does():
    assert conduct.begin_again(after(NONE, NONE, NONE)) == Conduct()
    for one in (Conduct(), after(*[ALL] * 20)):
        with pytest.raises(WrongMove):
            conduct.begin_again(one)


def test_a_result_from_before_changes_nothing_for_who_is_suspended():
    gone = after(NONE, NONE, NONE)
    assert conduct.audited(gone, ALL) == gone


@given(amounts, amounts)
def test_the_bond_is_filled_first_and_nothing_is_lost_on_the_way(first: Nano, second: Nano):
    one, free = conduct.earn(Conduct(), first, PRICE)
    two, more = conduct.earn(one, second, PRICE)
    assert two.bond + free + more == first + second
    assert two.bond == min(first + second, TERMS.bond * PRICE)


@given(amounts)
def test_who_leaves_has_his_bond_back_but_for_work_that_nobody_looked_at(bond: Nano):
    for one in (Conduct(bond=bond), Conduct(state=State.STANDING, bond=bond)):
        assert conduct.returned(one) == bond
    assert conduct.returned(Conduct(bond=bond), AUDITING) == 0
    assert conduct.returned(Conduct(state=State.STANDING, bond=bond), AUDITING) == bond
    assert conduct.returned(after(NONE, NONE, NONE)) == 0


@given(amounts, amounts, amounts)
def test_a_fine_takes_what_is_pending_then_the_bond_and_no_more(fine: Nano, pending: Nano, bond: Nano):
    one, first, second = conduct.charge(Conduct(bond=bond), fine, pending)
    assert first + second == min(fine, pending + bond)
    assert one.bond == bond - second
    assert not second or first == pending


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
    worse, better = (conduct.audited(so_far, held) for held in sorted((one, other)))
    assert conduct.quality(worse, GOOD) <= conduct.quality(better, GOOD) <= MILLION


@given(st.integers(0, 20))
def test_work_is_paid_out_when_it_was_audited_or_three_later_audits_were_clean(clean: int):
    assert conduct.clear(True, 0)
    assert conduct.clear(False, clean) == (clean >= 3)


@given(st.integers(0, 200))
def test_a_new_name_brings_nothing_that_can_be_taken_away_before_its_bond_is_full(tasks: int):
    one, free = Conduct(), 0
    for _ in range(tasks):
        one = conduct.audited(one, ALL)
        one, his = conduct.earn(one, Nano(PRICE * conduct.quality(one, GOOD) // MILLION), PRICE)
        free += his
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
        self.one = conduct.audited(before, held)
        assert self.one.state is before.state or self.one.state in MOVES[before.state]
        if self.one.state is State.SUSPENDED:
            self.lost += before.bond

    @precondition(lambda self: self.one.state is not State.SUSPENDED)
    @rule(amount=amounts)
    def earn(self, amount: Nano) -> None:
        self.one, free = conduct.earn(self.one, amount, PRICE)
        self.earned += amount
        self.free += free

    @rule(amount=amounts)
    def fine(self, amount: Nano) -> None:
        self.one, _, taken = conduct.charge(self.one, amount, Nano(0))
        self.fined += taken

    @precondition(lambda self: self.one.state is State.SUSPENDED)
    @rule()
    def begin_again(self) -> None:
        self.one = conduct.begin_again(self.one)

    @invariant()
    def money_is_somewhere(self) -> None:
        assert self.earned == self.free + self.one.bond + self.fined + self.lost
        assert 0 <= self.one.bond <= TERMS.bond * PRICE
        assert len(self.one.recent) <= TERMS.window


TestLife = Life.TestCase
