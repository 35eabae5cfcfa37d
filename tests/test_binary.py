"""Logarithms and powers in whole numbers are near the real ones, and the same everywhere."""

from math import log2 as real_log2

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from optimai.measures.binary import BITS, ONE, WIDE, exp2, log2

NUMBERS = arrays(np.int64, 20, elements=st.integers(1, 1 << 53))
LOGS = arrays(np.int64, 20, elements=st.integers(-80 << BITS, 0))


@given(NUMBERS)
def test_a_logarithm_is_too_small_by_less_than_three_units(numbers: np.ndarray):
    for number, log in zip(numbers.tolist(), log2(numbers).tolist(), strict=True):
        assert -1e-3 < real_log2(number) * ONE - log < 3


@given(LOGS)
def test_a_power_is_good_to_thirty_units(logs: np.ndarray):
    for log, power in zip(logs.tolist(), exp2(logs).tolist(), strict=True):
        assert 2 ** (log / ONE + WIDE) - 30 < power < 2 ** (log / ONE + WIDE) + 1


@given(NUMBERS)
def test_a_larger_number_has_no_smaller_logarithm(numbers: np.ndarray):
    assert (np.diff(log2(np.sort(numbers))) >= 0).all()


@given(LOGS)
def test_a_larger_logarithm_has_no_smaller_power(logs: np.ndarray):
    assert (np.diff(exp2(np.sort(logs))) >= 0).all()


@pytest.mark.parametrize("exponent", [0, 1, 15, 16, 17, 40, 53])
def test_powers_of_two_are_exact(exponent: int):
    assert log2(np.array([1 << exponent])).tolist() == [exponent << BITS]
    assert exp2(np.array([-exponent << BITS])).tolist() == [1 << WIDE >> exponent]


def test_what_is_too_small_for_a_power_is_nothing():
    assert exp2(np.array([-(1 << 40)])).tolist() == [0]
