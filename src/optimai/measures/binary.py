"""Logarithms and powers of two in whole numbers: the same bits on every machine.

Numbers are int64; logarithms are in units of 2**-16. Both tables are made with whole numbers too: a logarithm bit
by bit, by squaring; a power from the square roots of two.
"""

from functools import cache
from math import isqrt

import numpy as np
from numpy.typing import NDArray

Whole = NDArray[np.int64]

BITS = 16
ONE = 1 << BITS
WIDE = 31  # bits of what `exp2` gives


@cache
def _logs() -> Whole:
    """Of 1 + n/2**16, for each n below 2**16."""
    x = np.arange(ONE, 2 * ONE, dtype=np.int64) << WIDE - 1 - BITS
    logs = np.zeros(ONE, np.int64)
    for _ in range(BITS):
        x = x * x >> WIDE - 1
        above = x >> WIDE
        logs = (logs << 1) + above
        x >>= above
    return logs


@cache
def _powers() -> Whole:
    """2**-(n/2**16) for each n below 2**16, in units of 2**-31."""
    powers = np.full(ONE, 1 << WIDE, np.int64)
    root = 1 << WIDE - 1  # 2**-1
    for bit in reversed(range(BITS)):
        root = isqrt(root << WIDE)
        has = np.arange(ONE) >> bit & 1 == 1
        powers[has] = powers[has] * root >> WIDE
    return powers


def log2(numbers: Whole) -> Whole:
    """Of numbers from 1 to 2**53, too small by less than 3 units."""
    whole = np.frexp(numbers.astype(np.float64))[1].astype(np.int64) - 1
    up, down = np.maximum(0, BITS - whole), np.maximum(0, whole - BITS)
    logs: Whole = (whole << BITS) + _logs()[(numbers << up >> down) - ONE]
    return logs


def exp2(logs: Whole) -> Whole:
    """Of logarithms of 0 and less, in units of 2**-31; 0 for what is smaller."""
    powers: Whole = _powers()[-logs & ONE - 1] >> np.minimum(63, -logs >> BITS)
    return powers
