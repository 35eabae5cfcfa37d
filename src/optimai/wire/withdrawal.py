"""How an owner takes out what is available to it: signed by the owner's key, once for each reference."""

import msgspec
from msgspec import Struct

from optimai.core.errors import BadMessage
from optimai.core.ids import NetworkId
from optimai.wire.envelope import Envelope, decode

WITHDRAWAL = "application/vnd.optimai.withdrawal+json"
MOST_BYTES = 4096


class Withdrawal(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The payload. Its envelope bears the signature of `owner_key`."""

    network: NetworkId
    owner_key: bytes
    amount: int  # nano-OPI
    reference: str  # of the owner's choice; the same one again withdraws nothing more


_withdrawals = msgspec.json.Decoder(Withdrawal)


def read_withdrawal(envelope: Envelope) -> Withdrawal:
    """From an envelope whose signature is not checked yet."""
    said = decode(envelope.payload, _withdrawals.decode, most=MOST_BYTES)
    if len(said.owner_key) != 32 or not 0 < said.amount < 1 << 62:
        raise BadMessage("its key is not 32 bytes, or it withdraws nothing")
    if not 0 < len(said.reference) <= 80 or not said.reference.isprintable():
        raise BadMessage("its reference is empty, too long or not printable")
    return said
