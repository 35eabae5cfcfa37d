"""Reputation is a bound, not a hope: it rises with what holds, falls with what does not; a guess is worth nothing."""

from math import sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimai.core.chance import MILLION, Ppm
from optimai.core.reputation import Reputation, bound, observe, quality

SHARES = st.integers(0, MILLION).map(Ppm)
SOMEBODY = st.builds(Reputation, st.integers(0, 10**8), st.integers(1, 10**8))


def after(*held: float) -> Reputation:
    reputation = Reputation()
    for one in held:
        reputation = observe(reputation, Ppm(round(one * MILLION)))
    return reputation


@given(SOMEBODY)
def test_the_bound_is_wilsons_rounded_down(who: Reputation):
    a, b = who.held / MILLION, who.fell / MILLION
    n, z2 = a + b, 2.705543
    wilson = (a + z2 / 2 - sqrt(z2) * sqrt(a * b / n + z2 / 4)) / (n + z2)
    assert wilson * MILLION - 3 <= bound(who) <= wilson * MILLION + 1e-6


@given(SOMEBODY, st.integers(0, 10**7))
def test_more_that_held_never_lowers_it_and_more_that_fell_never_raises_it(who: Reputation, more: int):
    assert bound(Reputation(who.held + more, who.fell)) >= bound(who) - 1
    assert bound(Reputation(who.held, who.fell + more)) <= bound(who) + 1


@given(SOMEBODY, SHARES, SHARES)
def test_a_better_task_never_leaves_one_worse_off(who: Reputation, one: Ppm, other: Ppm):
    low, high = sorted((one, other))
    assert bound(observe(who, high)) >= bound(observe(who, low)) - 1


@given(st.lists(SHARES, max_size=300))
def test_it_stays_between_nothing_and_all_whatever_happens(history: list[Ppm]):
    who = Reputation()
    for one in history:
        who = observe(who, one)
        assert 0 <= bound(who) < MILLION
        assert who.held + who.fell <= 101 * MILLION


@given(st.lists(SHARES, max_size=50), SHARES, SHARES)
def test_quality_rises_with_the_bound_and_falls_with_what_is_asked(
    history: list[Ppm], chance: Ppm, good: Ppm
):
    who = Reputation()
    for one in history:
        who = observe(who, one)
    chance, good = Ppm(min(chance, MILLION - 1)), Ppm(max(1, good))
    got = quality(bound(who), chance=chance, good=good)
    assert 0 <= got <= MILLION
    assert quality(Ppm(bound(who) // 2), chance=chance, good=good) <= got
    assert quality(bound(who), chance=chance, good=MILLION) <= got


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_who_guesses_is_worth_nothing(classes: int):
    flips = after(*([1] + [0] * (classes - 1)) * (200 // classes))
    assert quality(bound(flips), chance=Ppm(MILLION // classes), good=Ppm(MILLION // 2)) == 0


def test_an_honest_machine_is_known_after_twenty_audits_and_well_known_after_a_hundred():
    fresh, known, well_known = bound(Reputation()), bound(after(*[1] * 20)), bound(after(*[1] * 100))
    assert 0.42 < fresh / MILLION < 0.45
    assert 0.82 < known / MILLION < 0.85
    assert 0.94 < well_known / MILLION < 0.96


def test_an_old_fault_is_forgotten_and_an_old_name_too():
    assert bound(after(0, 0, 0, *[1] * 500)) > bound(after(*[1] * 100)) - 1_000
    assert bound(after(*[1] * 1_000, *[0] * 100)) < MILLION // 2


@given(st.lists(SHARES, min_size=1, max_size=60), st.integers(2, 5))
def test_several_names_for_one_history_are_together_trusted_no_more_than_one(history: list[Ppm], names: int):
    """Whoever splits an identity shows each of them less: of the same work the mean of the bounds is no higher."""
    honest = [Ppm(MILLION)] * 20 + history
    whole = Reputation()
    parts = [Reputation()] * names
    for number, one in enumerate(honest):
        whole = observe(whole, one)
        parts[number % names] = observe(parts[number % names], one)
    if min(history) >= MILLION // 2:
        assert sum(bound(one) for one in parts) // names <= bound(whole) + MILLION // 50


@pytest.mark.parametrize("share", [-1, MILLION + 1])
def test_a_share_of_more_than_all_is_refused(share: int):
    with pytest.raises(ValueError, match="ppm"):
        observe(Reputation(), Ppm(share))
