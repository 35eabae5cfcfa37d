"""Dividing whole money: nothing is lost, nothing made, and nobody is off by more than one nano-OPI.

By largest remainder (Hamilton): everybody gets his share rounded down; what is left goes, one nano-OPI each, to those
who lost most by that, and among equals to the first by name.
"""

from collections.abc import Mapping
from typing import TypeVar

from optimai.core.money import Nano

Name = TypeVar("Name", bound=str | int)


def divide(total: Nano, weights: Mapping[Name, int]) -> dict[Name, Nano]:
    """Sums to `total`, or to nothing where nobody has a weight. Raises ValueError for what is negative."""
    if total < 0 or any(weight < 0 for weight in weights.values()):
        raise ValueError("neither an amount nor a weight is below zero")
    whole = sum(weights.values())
    if not whole:
        return {name: Nano(0) for name in weights}
    shares = {name: Nano(total * weight // whole) for name, weight in weights.items()}
    first = sorted(weights, key=lambda name: (-(total * weights[name] % whole), name))
    for name in first[: total - sum(shares.values())]:
        shares[name] = Nano(shares[name] + 1)
    return shares
