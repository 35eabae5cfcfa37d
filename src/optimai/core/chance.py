"""Chance that can be foreseen by nobody and recomputed by everybody.

A draw is a hash of a seed and of what is drawn for. The seed is secret while its
epoch runs and published when it closes; its own hash was published when the epoch
opened, so the coordinator could not choose it afterwards.
"""

from typing import NewType

from blake3 import blake3
from msgspec import json

Seed = NewType("Seed", bytes)  # 32 bytes
Ppm = NewType("Ppm", int)  # parts per million: rates and shares are integers too

MILLION = 1_000_000


def commitment(seed: Seed) -> str:
    return blake3(seed).hexdigest()


def first_seed(network: str) -> Seed:
    """What stands for the seed of the epoch before the first."""
    return Seed(blake3(network.encode()).digest())


def draw(seed: Seed, *about: str | int) -> int:
    """A number in [0, 2**64), the same for the same seed and subject."""
    return int.from_bytes(blake3(json.encode(about), key=seed).digest(8))


def happens(seed: Seed, rate: Ppm, *about: str | int) -> bool:
    """True for a share `rate` of all subjects."""
    return draw(seed, *about) * MILLION < rate << 64


def below(seed: Seed, bound: int, *about: str | int) -> int:
    """A number in [0, bound). The bias is below bound / 2**64."""
    return draw(seed, *about) * bound >> 64
