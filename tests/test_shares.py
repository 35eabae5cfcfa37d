"""Dividing money loses nothing and favours nobody by more than one nano-OPI."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimai.core.money import Nano
from optimai.core.shares import divide

TOTALS = st.integers(0, 10**18).map(Nano)
WEIGHTS = st.dictionaries(st.text(max_size=3), st.integers(0, 10**12), max_size=20)


@given(TOTALS, WEIGHTS)
def test_the_shares_are_all_of_it(total: Nano, weights: dict[str, int]):
    assert sum(divide(total, weights).values()) == (total if any(weights.values()) else 0)


@given(TOTALS, WEIGHTS)
def test_nobody_is_off_by_more_than_one_and_who_has_no_weight_gets_nothing(
    total: Nano, weights: dict[str, int]
):
    whole = sum(weights.values())
    for name, share in divide(total, weights).items():
        exact = total * weights[name] // whole if whole else 0
        assert exact <= share <= exact + (weights[name] > 0)


@given(TOTALS, WEIGHTS, st.randoms())
def test_the_order_of_names_changes_nothing(total: Nano, weights: dict[str, int], chance):
    mixed = list(weights.items())
    chance.shuffle(mixed)
    assert divide(total, dict(mixed)) == divide(total, weights)


@given(TOTALS, st.dictionaries(st.integers(), st.integers(0, 10**6), min_size=2, max_size=9))
def test_who_has_more_weight_never_gets_less(total: Nano, weights: dict[int, int]):
    shares = divide(total, weights)
    for one in weights:
        for other in weights:
            assert weights[one] <= weights[other] or shares[one] >= shares[other]


def test_what_is_left_goes_to_those_who_lost_most_and_then_by_name():
    assert divide(Nano(10), {"a": 1, "b": 1, "c": 1}) == {"a": 4, "b": 3, "c": 3}
    assert divide(Nano(3), {"a": 1, "b": 5}) == {"a": 1, "b": 2}


def test_what_is_below_zero_is_refused():
    with pytest.raises(ValueError, match="below zero"):
        divide(Nano(1), {"a": -1})
