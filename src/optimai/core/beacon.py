"""Chance that nobody can bend: who commits to answers before he knows what will be audited, and shows them after.

    commit    the hash of an answer, with a salt that only its author knows
    root      one hash of all commitments of a draw, signed and published before anybody shows a salt
    beacon    the hash of that signature and of the salts that were shown in time

The coordinator fixed the commitments before it saw the salts, each author his salt before he saw the others'. Whoever
keeps m salts to himself can choose among 2**m beacons and no more, so how many were missing is published.
"""

from collections.abc import Iterable
from typing import NewType

from blake3 import blake3

from optimai.core.chance import Seed
from optimai.core.ids import NodeId

Commitment = NewType("Commitment", bytes)  # 32 bytes

SALT = 32  # bytes


def commit(item: str, answer: bytes, salt: bytes, node: NodeId) -> Commitment:
    """To an answer, as the exact bytes that will be shown. Raises ValueError for a salt of another length."""
    if len(salt) != SALT:
        raise ValueError(f"a salt is {SALT} bytes, not {len(salt)}")
    parts = (item.encode(), blake3(answer).digest(), salt, node.encode())
    return Commitment(blake3(b"".join(blake3(part).digest() for part in parts)).digest())


def root(commitments: Iterable[Commitment]) -> bytes:
    """Of a draw, in whatever order they came."""
    return blake3(b"".join(sorted(commitments))).digest()


def beacon(signature: bytes, salts: Iterable[bytes]) -> Seed:
    """From the signature of the root and what was shown in time, in whatever order it came."""
    return Seed(blake3(blake3(signature).digest() + b"".join(sorted(salts))).digest())
