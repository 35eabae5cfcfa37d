"""A version: what a name meant at one moment, signed and never changed.

One format for datasets now, for models, checkpoints and training rounds later, so
that `get` and `trace` walk them all. The manifest is the payload of an envelope
signed by the network; everything in it is named by hash.
"""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from optimai.core.chance import MILLION, Ppm
from optimai.core.clock import Instant
from optimai.core.ids import BlobId, NetworkId
from optimai.core.rows import row_id

VERSION = "application/vnd.optimai.version+json"


class Part(Struct, frozen=True):
    blob: BlobId
    rows: int
    bytes: int
    split: str = ""


class Version(Struct, frozen=True, kw_only=True):
    network: NetworkId
    name: str
    number: int
    made: Instant
    parts: tuple[Part, ...]
    parents: tuple[str, ...]  # versions this one was made of, and inputs by hash
    spec: BlobId  # the campaign as it was written
    card: Mapping[str, Any]

    @property
    def rows(self) -> int:
        return sum(part.rows for part in self.parts)


def split_of(shares: Mapping[str, Ppm], value: str) -> str:
    """The split that a group of rows belongs to: by hash, so it stays as the data grows. "" without any."""
    point = int(row_id("split", value)[:16], 16) * MILLION >> 64
    for name, share in shares.items():
        if point < share:
            return name
        point -= share
    return ""
