"""How an owner leaves and takes the bond along: signed by the owner's key, and only for a few minutes."""

import msgspec
from msgspec import Struct

from optimai.core.clock import Instant
from optimai.core.errors import BadMessage
from optimai.core.ids import NetworkId
from optimai.wire.envelope import Envelope, decode

LEAVING = "application/vnd.optimai.leaving+json"
MOST_BYTES = 4096


class Leaving(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The payload. Its envelope bears the signature of `owner_key`."""

    network: NetworkId
    owner_key: bytes
    at: Instant  # when it was signed: the network takes it for ten minutes, so that nobody sends it again later


_leavings = msgspec.json.Decoder(Leaving)


def read_leaving(envelope: Envelope) -> Leaving:
    """From an envelope whose signature is not checked yet."""
    said = decode(envelope.payload, _leavings.decode, most=MOST_BYTES)
    if len(said.owner_key) != 32 or said.at.tzinfo is None:
        raise BadMessage("its key is not 32 bytes, or its time has no zone")
    return said
