"""What an agent and its worker say to each other, over the worker's standard input and output.

A frame is its length in four bytes, big-endian, and a MessagePack map with a `type`.
JSON that passes through (a task, a result) stays the bytes that it was.
"""

import msgspec
from msgspec import Struct

from optimai.core.ids import AssignmentId
from optimai.wire.exchange import Asked

MOST_BYTES = 16 << 20


class Setting(Struct, frozen=True, kw_only=True, tag=True):
    """The first frame: where a worker works."""

    url: str  # the coordinator's
    cache: str
    cache_mb: int
    scratch: str
    hosts: dict[str, str]
    memory_mb: int
    parent: int


class Do(Struct, frozen=True, kw_only=True, tag=True):
    offer: bytes  # JSON of Offer
    ahead: float  # seconds by which the network's clock is ahead of this machine's
    cpu: int  # seconds it may use


class Cancel(Struct, frozen=True, tag=True):
    assignment: AssignmentId


class Challenged(Struct, frozen=True, tag=True):
    assignment: AssignmentId
    asked: Asked


class Kept(Struct, frozen=True, tag=True):
    """The answer to a challenge is safe in the outbox."""

    assignment: AssignmentId
    challenge: int


ToWorker = Setting | Do | Cancel | Challenged | Kept


class Ready(Struct, frozen=True, tag=True):
    """The kind's work is loaded."""


class Did(Struct, frozen=True, tag=True):
    assignment: AssignmentId
    result: bytes  # JSON


class CouldNot(Struct, frozen=True, tag=True):
    assignment: AssignmentId
    why: str


class Progress(Struct, frozen=True, tag=True):
    assignment: AssignmentId
    done: int
    of: int


class Answer(Struct, frozen=True, tag=True):
    assignment: AssignmentId
    challenge: int
    digest: str


FromWorker = Ready | Did | CouldNot | Progress | Answer

_encoder = msgspec.msgpack.Encoder()
to_worker = msgspec.msgpack.Decoder(ToWorker).decode
from_worker = msgspec.msgpack.Decoder(FromWorker).decode


def write(message: ToWorker | FromWorker) -> bytes:
    body = _encoder.encode(message)
    return len(body).to_bytes(4) + body


def length(head: bytes) -> int:
    """Of the frame that begins with these four bytes. Raises ValueError for one that nobody would send."""
    size = int.from_bytes(head)
    if not 0 < size <= MOST_BYTES:
        raise ValueError(f"a frame of {size} bytes")
    return size
