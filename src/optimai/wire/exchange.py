"""The one message between a node and the coordinator.

    node         results that are done, answers to challenges, and what it would take on
    coordinator  what it took in, what it refused and why, new work, new challenges

The node signs {network, node, serial, results, answers, hash of what is asked} as one
envelope; the ask itself travels beside it, so that what is kept for ever is evidence
only. Serials rise: an older one is refused. The same envelope again gets the same
reply again: sending is safe to repeat, and a lost reply loses no work.

`docs/wire.md` says the same to someone who writes a node in another language. The
limits on numbers and texts are those of the columns that they end up in: one message
that no column takes would fail the commit that many share.
"""

from typing import Annotated, Literal, TypeVar

import msgspec
from blake3 import blake3
from msgspec import Meta, Raw, Struct

from optimai.core.assignment import Role
from optimai.core.clock import Instant
from optimai.core.errors import BadMessage
from optimai.core.ids import AssignmentId, NetworkId, NodeId
from optimai.wire.envelope import MOST_BYTES as MOST_BYTES  # of a whole request
from optimai.wire.envelope import Envelope, decode

EXCHANGE = "application/vnd.optimai.exchange+json"
ENROL = "application/vnd.optimai.enrol+json"
NETWORK = "application/vnd.optimai.network+json"

MOST_RESULTS = 256  # of results, and of answers

T = TypeVar("T")

_NUMBER = Meta(ge=0, le=(1 << 63) - 1)
_FINGERPRINT = Meta(pattern=r"^[0-9a-f]{32}\Z")
Number = Annotated[int, _NUMBER]
Few = Annotated[int, Meta(ge=0, le=(1 << 31) - 1)]
Text = Annotated[str, Meta(pattern=r"^[^\x00]*\Z")]
Digest = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
Key = Annotated[bytes, Meta(min_length=32, max_length=32)]
Several = Annotated[tuple[T, ...], Meta(max_length=MOST_RESULTS)]


class Done(Struct, frozen=True, forbid_unknown_fields=True):
    """A result; or, where `declined` says why, none: the place is given to another at once."""

    assignment: Annotated[AssignmentId, _NUMBER]
    result: Raw = Raw(b"null")
    declined: Text = ""


class Met(Struct, frozen=True, forbid_unknown_fields=True):
    """The answer to a challenge: BLAKE3 of nonce and range, 64 hex digits."""

    challenge: Number
    digest: Digest


class Signed(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The payload of an exchange's envelope."""

    network: Annotated[NetworkId, _FINGERPRINT]
    node: Annotated[NodeId, _FINGERPRINT]
    serial: Number
    ask: str  # blake3 of the ask's bytes
    results: Several[Done] = ()
    answers: Several[Met] = ()


class Ask(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a node would take on now."""

    room: Few = 0  # assignments
    kinds: dict[str, str] = {}  # name -> hash of its sources
    engine: bool = False  # has Daft for work that needs all shards at once


class Request(Struct, frozen=True, forbid_unknown_fields=True):
    envelope: Envelope
    ask: str  # JSON of Ask, exactly the bytes whose hash was signed


class Offer(Struct, frozen=True, kw_only=True):
    assignment: AssignmentId
    kind: str
    step: str  # campaign/step
    task: Raw
    role: Role
    units: int
    price: int  # nano-OPI a unit,
    quality: int  # the share of it that this owner is paid, ppm,
    rate: int  # and of his results that are audited
    protocol: str  # hash of the network's parameters
    lease_until: Instant
    token: str  # for this assignment's blobs


class Asked(Struct, frozen=True):
    """A challenge: prove under a fresh nonce that you hold this range."""

    id: int
    assignment: AssignmentId
    blob: str
    start: int
    length: int
    nonce: bytes


class Refusal(Struct, frozen=True):
    assignment: AssignmentId
    code: str
    message: str


class Reply(Struct, frozen=True, kw_only=True):
    serial: int
    taken: tuple[AssignmentId, ...] = ()
    refused: tuple[Refusal, ...] = ()
    offers: tuple[Offer, ...] = ()
    challenges: tuple[Asked, ...] = ()
    wait: float = 1.0  # seconds until it is worth asking again, where nothing was offered


class Enrol(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The payload with which a node joins, signed by its owner's key and its own."""

    network: Annotated[NetworkId, _FINGERPRINT]
    owner_key: Key
    node_key: Key
    name: str  # for people; the coordinator makes it unique
    hands: Literal["machine", "browser", "person"] = "machine"
    simulated: bool = False
    cores: Few = 1
    memory_mb: Few = 0


class Enrolled(Struct, frozen=True):
    node: NodeId
    name: str
    serial: int  # the last one used; 0 for a new node


class Network(Struct, frozen=True, kw_only=True):
    """What the coordinator says of itself, signed by the network's key: check it against the invite."""

    network: NetworkId
    key: bytes
    name: str
    private: bool


_requests = msgspec.json.Decoder(Request)
_signed = msgspec.json.Decoder(Signed)
_asks = msgspec.json.Decoder(Ask)
_enrols = msgspec.json.Decoder(Enrol)


def ask_hash(ask: str) -> str:
    return blake3(ask.encode()).hexdigest()


def read_request(data: bytes) -> tuple[Envelope, Signed, Ask]:
    """A request from bytes that nobody vouches for. The signature is not checked yet; the ask's hash is."""
    request = decode(data, _requests.decode, most=MOST_BYTES)
    signed = decode(request.envelope.payload, _signed.decode, most=MOST_BYTES)
    if signed.ask != ask_hash(request.ask):
        raise BadMessage("the ask is not the one whose hash was signed")
    return request.envelope, signed, decode(request.ask.encode(), _asks.decode, most=MOST_BYTES)


def read_enrol(envelope: Envelope) -> Enrol:
    """From an envelope that nobody vouches for: verify it with the two keys that it names."""
    enrol = decode(envelope.payload, _enrols.decode, most=MOST_BYTES)
    if not 0 < len(enrol.name) <= 60 or not enrol.name.isprintable():
        raise BadMessage("the name is empty, too long or not printable")
    return enrol
