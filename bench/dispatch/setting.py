"""What all processes of this bench agree on: the network, its nodes, the kind that does nothing."""

from datetime import timedelta
from pathlib import Path

from blake3 import blake3
from nacl.signing import SigningKey

from optimai import kinds
from optimai.network.identity import Identity

kinds.__path__.append(str(Path(__file__).parent / "kinds"))

NETWORK = Identity(
    key=SigningKey(b"a bench's network".ljust(32)), name="bench", private=True, epoch=timedelta(days=1)
)
NODES = 100
PAYLOAD = "x" * 400  # of a task
ANSWER = "y" * 220  # of a result


def node_key(number: int) -> SigningKey:
    return SigningKey(blake3(f"node {number}".encode()).digest())


def owner_key(number: int) -> SigningKey:
    return SigningKey(blake3(f"owner {number}".encode()).digest())
