"""Signed envelopes: who said exactly these bytes.

DSSE, https://github.com/secure-systems-lab/dsse/blob/master/protocol.md: the signature
is over PAE(type, payload) = "DSSEv1" SP len(type) SP type SP len(payload) SP payload,
so neither another type nor another framing of the same bytes can be passed off. Keys
are Ed25519 (RFC 8032) and name themselves by fingerprint. Payload and signatures
are stored as they came; whoever has them can check them without us.
"""

from collections.abc import Callable
from functools import cached_property
from itertools import accumulate
from typing import TypeVar

import msgspec
from blake3 import blake3
from msgspec import Struct
from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey

from optimai.core.errors import BadMessage, BadSignature, TooLarge
from optimai.core.ids import EnvelopeId, fingerprint

MOST_BYTES = 2 << 20  # of one message, hence of any envelope in it
DEEPEST = 32  # brackets inside brackets

_STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")  # one deeper, or one less as a signed byte
_NO_BRACKETS = bytes(set(range(256)) - set(b"[{]}"))

T = TypeVar("T")


class Signature(Struct, frozen=True):
    keyid: str
    sig: bytes


class Envelope(Struct, frozen=True, dict=True, rename={"payload_type": "payloadType"}):
    payload: bytes  # base64 in JSON, as DSSE has it
    payload_type: str
    signatures: tuple[Signature, ...]

    @cached_property
    def id(self) -> EnvelopeId:
        return EnvelopeId(blake3(self.payload).hexdigest())


_envelopes = msgspec.json.Decoder(Envelope)


def pae(payload_type: str, payload: bytes) -> bytes:
    """The bytes that are signed."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def sign(payload_type: str, payload: bytes, *keys: SigningKey) -> Envelope:
    message = pae(payload_type, payload)
    signatures = tuple(
        Signature(fingerprint(bytes(key.verify_key)), key.sign(message).signature) for key in keys
    )
    return Envelope(payload, payload_type, signatures)


def write(envelope: Envelope) -> bytes:
    return msgspec.json.encode(envelope)


def read(data: bytes) -> Envelope:
    """An envelope from bytes that nobody vouches for; its signatures are not checked yet."""
    return decode(data, _envelopes.decode, most=MOST_BYTES)


def verify(envelope: Envelope, payload_type: str, *keys: bytes) -> None:
    """That these public keys, and nobody else, signed these bytes as this type.

    Raises BadSignature, and BadMessage for another type or more signatures than keys.
    """
    if envelope.payload_type != payload_type:
        raise BadMessage(f"it is {envelope.payload_type[:80]!r}, not {payload_type!r}")
    message = pae(payload_type, envelope.payload)
    by_key = {one.keyid: one.sig for one in envelope.signatures}
    for key in keys:
        name = fingerprint(key)
        try:
            VerifyKey(key).verify(message, by_key[name])
        except (KeyError, ValueError, BadSignatureError):
            raise BadSignature(name) from None
    if len(envelope.signatures) > len(keys):
        raise BadMessage(f"it carries {len(envelope.signatures)} signatures, and {len(keys)} are expected")


def decode(data: bytes, decoder: Callable[[bytes], T], *, most: int) -> T:
    """Untrusted JSON with limits: its size and depth first, then its shape. Raises TooLarge, BadMessage."""
    if len(data) > most:
        raise TooLarge("The message", most)
    try:
        data.decode()  # msgspec leaves strings inside of a Raw unread
        _refuse_deep(data)
        return decoder(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise BadMessage(str(fault)) from None


def _refuse_deep(data: bytes) -> None:
    """Most messages have fewer brackets at all; in others, only those outside of strings count."""
    if data.count(b"[") + data.count(b"{") <= DEEPEST:
        return
    no_escapes = data.replace(rb"\\", b"").replace(rb"\"", b"")
    steps = b"".join(no_escapes.split(b'"')[::2]).translate(_STEPS, _NO_BRACKETS)
    if max(accumulate(memoryview(steps).cast("b")), default=0) > DEEPEST:
        raise BadMessage(f"it is nested deeper than {DEEPEST}")
