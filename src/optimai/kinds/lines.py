"""What an epoch's public bundle consists of.

The bundle is JSON lines, each tagged with what it is; its head, signed by the network,
names the bundle by hash, chunk by chunk, and the head before it.
"""

from collections.abc import Iterable

import msgspec
from blake3 import blake3
from msgspec import Struct
from msgspec.structs import astuple

from optimai.core.assignment import Role
from optimai.core.clock import Instant
from optimai.core.conduct import Conduct
from optimai.core.earning import State
from optimai.core.ids import NetworkId, NodeId, OwnerId
from optimai.core.ledger import Account, Transfer
from optimai.core.protocol import Protocol
from optimai.kinds.ruling import Record
from optimai.wire.envelope import Envelope

HEAD = "application/vnd.optimai.epoch+json"
CHUNK = 64 << 10


class Head(Struct, frozen=True, kw_only=True):
    network: NetworkId
    epoch: int
    opened: Instant
    closed: Instant
    before: str  # blake3 of the payload of the head before, or zeros
    chunks: tuple[str, ...]  # blake3 of each 64 KiB of the bundle
    seed: bytes  # this epoch's, secret until now
    next_seed: str  # commitment to the seed of the epoch that opens now
    link: str  # last link of the ledger's chain
    earnings: tuple[int, int]  # highest number of an earning, when it opened and when it closed
    protocol: Protocol  # the parameters by which it was checked, fined and paid


class Node(Struct, frozen=True, tag="node"):
    id: NodeId
    key: bytes
    owner: OwnerId


class Kind(Struct, frozen=True, tag="kind"):
    name: str
    hash: str


class SeedOf(Struct, frozen=True, tag="seed"):
    """Of an earlier epoch, in which an audit was drawn whose verdict came in this one."""

    epoch: int
    seed: bytes


class _Conduct(Struct, frozen=True):
    owner: OwnerId
    kind: str
    role: Role
    conduct: Conduct


class Stood(_Conduct, frozen=True, tag="stood"):
    """An owner's conduct when the epoch opened."""


class Stands(_Conduct, frozen=True, tag="stands"):
    """An owner's conduct when it closed: recomputed, and where the next epoch begins."""


class Evidence(Struct, frozen=True, tag="envelope"):
    envelope: Envelope


class Judged(Struct, frozen=True, tag="verdict"):
    number: int
    record: Record


class Ended(Struct, frozen=True, tag="ended"):
    """A conduct that ended: its owner was suspended long enough, or has left. He is a newcomer from here on."""

    number: int  # in the order of verdicts
    owner: OwnerId
    kind: str
    role: Role
    lost: int  # of the bond,
    returned: int  # and what came back


class Was(Struct, frozen=True, tag="was"):
    """An earning that was not final when the epoch opened."""

    id: int
    amount: int
    state: State


class Paid(Struct, frozen=True, tag="earning"):
    """An earning that is new, or was not final when the epoch opened, or whose task has a verdict in it."""

    id: int
    assignment: int
    campaign: int
    owner: OwnerId
    amount: int
    state: State
    reason: str
    kind: str
    role: Role
    price: int
    fined: int  # of what became available: taken for fines,
    kept: int  # and kept in the bond;
    freed: int | None  # when, in the order of verdicts


class Balance(Struct, frozen=True, tag="balance"):
    account: Account
    opened: int
    closed: int


class Link(Struct, frozen=True, tag="link"):
    before: str
    hash: str
    transfers: tuple[Transfer, ...]


Line = Node | Kind | SeedOf | Stood | Stands | Evidence | Judged | Ended | Was | Paid | Balance | Link
_lines = msgspec.json.Decoder(Line)


def write(lines: Iterable[Line]) -> bytes:
    return b"".join(msgspec.json.encode(line, order="sorted") + b"\n" for line in lines)


def read(data: bytes) -> list[Line]:
    return [_lines.decode(line) for line in data.splitlines()]


def chunks(data: bytes) -> tuple[str, ...]:
    return tuple(blake3(data[start : start + CHUNK]).hexdigest() for start in range(0, len(data), CHUNK))


def opening(before: Iterable[Line]) -> list[Line]:
    """The lines with which an epoch begins, from those of the epoch before."""
    lines = list(before)
    return [*stood(lines), *were(lines)]


def stood(lines: Iterable[Line]) -> list[Stood]:
    return [Stood(*astuple(one)) for one in lines if isinstance(one, Stands)]


def were(lines: Iterable[Line]) -> list[Was]:
    return [
        Was(one.id, one.amount, one.state)
        for one in lines
        if isinstance(one, Paid) and one.state in (State.RESERVED, State.PENDING)
    ]
