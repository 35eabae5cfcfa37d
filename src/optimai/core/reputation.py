"""What an owner is worth in a kind of work, from audits alone, and what share of a price that earns.

A beta distribution counts what held against what did not, one observation for each audited task, and forgets: each
new observation takes a hundredth off all before, so that nobody lives on an old name or dies of an old fault. What is
counted on is not the mean but its lower bound: of whom little is known, little can be said (Wilson's score interval,
one-sided, 95 %).

    observe    a <- .99 a + x,  b <- .99 b + (1 - x)       x: the share of the task's checked units that held
    bound      (a + z²/2 - z sqrt(ab/n + z²/4)) / (n + z²)     n = a + b, z = 1.645
    quality    min(1, ((bound - c) / (1 - c)) / ref)

c is what a guess would be right in (1 / classes for opinions, 0 for machines), so that who flips coins has the quality
0; ref is what the campaign holds for good enough. All of it is whole numbers, in millionths, rounded against the owner.
"""

from collections.abc import Sequence
from math import isqrt

from msgspec import Struct

from optimai.core.chance import MILLION, Ppm

FORGETS = 10_000  # ppm of what was, with each observation
Z2 = 2_705_543  # z², in ppm
_KEEPS = MILLION - FORGETS


class Reputation(Struct, frozen=True):
    """Observations that held, and that did not, in millionths. Nobody begins as a liar, or as well known."""

    held: int = 4 * MILLION
    fell: int = MILLION


def observe(reputation: Reputation, held: Ppm) -> Reputation:
    """One more audited task, of which a share `held`. Raises ValueError outside of [0, 1]."""
    if not 0 <= held <= MILLION:
        raise ValueError(f"a share of {held} ppm")
    return Reputation(
        reputation.held * _KEEPS // MILLION + held,
        -(-reputation.fell * _KEEPS // MILLION) + MILLION - held,
    )


def amend(reputation: Reputation, before: Sequence[Ppm], now: Sequence[Ppm]) -> Reputation:
    """Observations that another verdict replaced: what was counted goes, as if nothing had been forgotten since."""
    held = sum(now) - sum(before)
    fell = (len(now) - len(before)) * MILLION - held
    return Reputation(max(0, reputation.held + held), max(0, reputation.fell + fell))


def bound(reputation: Reputation) -> Ppm:
    """The share that holds at least, as far as one can say."""
    a, b = reputation.held, reputation.fell
    n = a + b
    doubt = isqrt(Z2 * (1 + a * b // max(1, n) + 1 + Z2 // 4)) + 1
    return Ppm(max(0, (a + Z2 // 2 - doubt) * MILLION // (n + Z2)))


def quality(bound: Ppm, *, chance: Ppm, good: Ppm) -> Ppm:
    """The share of a price that is paid. `chance` is below one, `good` above zero."""
    above = max(0, bound - chance) * MILLION // (MILLION - chance)
    return Ppm(min(MILLION, above * MILLION // good))
