"""What all processes of this bench agree on: the network, its nodes, its campaign, the kind that does nothing."""

from datetime import timedelta
from pathlib import Path

import msgspec
from blake3 import blake3
from nacl.signing import SigningKey

from optimai import kinds
from optimai.network.identity import Identity
from optimai.network.store import steps
from optimai.wire import envelope
from optimai.wire.exchange import ENROL, Enrol

kinds.__path__.append(str(Path(__file__).parent / "kinds"))

NETWORK = Identity(
    key=SigningKey(b"a bench's network".ljust(32)), name="bench", private=True, epoch=timedelta(days=1)
)
NODES = 100
PAYLOAD = "x" * 400  # of a task
ANSWER = "y" * 220  # of a result
CAMPAIGN = {
    "campaign": "bench",
    "budget": "1000000 OPI",
    "inputs": {"nothing": [{"text": ""}]},
    "steps": {"work": {"kind": "noop", "from": "nothing", "price": "0.000001/task"}},
    "dataset": {"from": "work"},
}


def node_key(number: int) -> SigningKey:
    return SigningKey(blake3(f"node {number}".encode()).digest())


def owner_key(number: int) -> SigningKey:
    return SigningKey(blake3(f"owner {number}".encode()).digest())


def joining(number: int) -> bytes:
    owner, key = owner_key(number), node_key(number)
    payload = Enrol(
        network=NETWORK.id,
        owner_key=bytes(owner.verify_key),
        node_key=bytes(key.verify_key),
        name=f"node {number}",
    )
    return envelope.write(envelope.sign(ENROL, msgspec.json.encode(payload), owner, key))


def tasks(first: int, many: int) -> list[steps.NewTask]:
    return [
        steps.NewTask(
            kind="noop",
            body=msgspec.json.encode({"number": number, "payload": PAYLOAD}),
            reads=b"[]",
            units=1,
            rank=99,
            pinned=None,
            audited=False,
            places=1,
            challenges=0,
            holds=b"[]",
            until=None,
        )
        for number in range(first, first + many)
    ]
