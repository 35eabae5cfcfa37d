"""What declaring more than one has, and being many on one machine, brings by the rules for verified hardware.

A simulated machine shows, each time it is asked, what it has less a little: something else runs on it now and then. All
names of a network are asked at one instant, so names on one machine share what it has.
"""

from blake3 import blake3

from optimai.core.chance import Seed, below
from optimai.core.reward import SHOWN, verified

HAS = 1_000_000  # what an honest machine has, in whatever unit
NOISE = 60_000  # the most that it shows less, by chance


def earns(declared: float, names: int = 1, *, epochs: int = 500, seed: int = 1) -> float:
    """The weight in the pool of a machine that declares so many times what it has, over that of an honest one.

    Where it goes by several names, each declares an equal part of that.
    """
    dice = Seed(blake3(seed.to_bytes(8, "big")).digest())
    honest = sum(_weight(dice, epoch, HAS, 1) for epoch in range(epochs))
    return sum(_weight(dice, epoch, round(declared * HAS), names) for epoch in range(epochs)) / honest


def _weight(dice: Seed, epoch: int, declared: int, names: int) -> int:
    shown = [(HAS - below(dice, NOISE, "shown", epoch, instant)) // names for instant in range(SHOWN)]
    return names * verified(declared // names, shown)
