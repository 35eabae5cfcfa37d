"""Envelopes, held against securesystemslib as the oracle for DSSE, and against those who would forge them."""

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace
from nacl.signing import SigningKey
from securesystemslib import dsse
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import Signature as TheirSignature
from securesystemslib.signer import Signer, SSlibKey

from optimai.core.errors import BadMessage, BadSignature, OptimaiError, TooLarge
from optimai.core.ids import fingerprint
from optimai.wire.envelope import DEEPEST, MOST_BYTES, Envelope, decode, pae, read, sign, verify, write

TYPE = "application/vnd.optimai.test+json"
PAYLOAD = b'{"serial":1}'
ANN, BOB = SigningKey(b"a" * 32), SigningKey(b"b" * 32)

payloads = st.binary(max_size=200)
types = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


def public(key: SigningKey) -> bytes:
    return bytes(key.verify_key)


# What they do, we do


def their_key(key: SigningKey) -> SSlibKey:
    return SSlibKey(fingerprint(public(key)), "ed25519", "ed25519", {"public": public(key).hex()})


class TheirSigner(Signer):
    """Their envelope asks us only for a signature over the bytes that it has framed."""

    def __init__(self, key: SigningKey) -> None:
        self.key = key

    @property
    def public_key(self) -> SSlibKey:
        return their_key(self.key)

    @classmethod
    def from_priv_key_uri(cls, *_: object) -> Signer:
        raise NotImplementedError

    def sign(self, payload: bytes) -> TheirSignature:
        return TheirSignature(self.public_key.keyid, self.key.sign(payload).signature.hex())


@given(types, payloads)
def test_the_bytes_that_are_signed_are_those_of_the_standard(kind: str, payload: bytes) -> None:
    assert pae(kind, payload) == dsse.Envelope(payload, kind, {}).pae()


def test_the_standards_own_example() -> None:
    assert pae("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


@given(types, payloads)
@example(TYPE, b"")
def test_they_verify_what_we_sign(kind: str, payload: bytes) -> None:
    theirs = dsse.Envelope.from_dict(json.loads(write(sign(kind, payload, ANN, BOB))))
    assert theirs.payload == payload
    assert set(theirs.verify([their_key(ANN), their_key(BOB)], 2)) == {
        fingerprint(public(key)) for key in (ANN, BOB)
    }


@given(types, payloads)
def test_we_verify_what_they_sign(kind: str, payload: bytes) -> None:
    theirs = dsse.Envelope(payload, kind, {})
    theirs.sign(TheirSigner(ANN))
    ours = read(json.dumps(theirs.to_dict()).encode())
    verify(ours, kind, public(ANN))
    assert ours == sign(kind, payload, ANN)


@given(payloads, st.data())
def test_what_they_refuse_we_refuse(payload: bytes, data: st.DataObject) -> None:
    """One bit of the signature or of the payload, flipped."""
    sig = bytearray(sign(TYPE, payload, ANN).signatures[0].sig)
    body = bytearray(payload)
    part = data.draw(st.sampled_from([sig, body] if body else [sig]))
    part[data.draw(st.integers(0, len(part) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    keyid = fingerprint(public(ANN))
    theirs = dsse.Envelope(bytes(body), TYPE, {keyid: TheirSignature(keyid, sig.hex())})
    with pytest.raises(VerificationError):
        theirs.verify([their_key(ANN)], 1)
    with pytest.raises(BadSignature):
        verify(read(json.dumps(theirs.to_dict()).encode()), TYPE, public(ANN))


@given(types, payloads)
def test_what_is_written_is_read(kind: str, payload: bytes) -> None:
    one = sign(kind, payload, ANN, BOB)
    assert read(write(one)) == one
    assert read(write(one)).id == one.id


# Whom we refuse


def changed(**fields: Any) -> bytes:
    return json.dumps(json.loads(write(sign(TYPE, PAYLOAD, ANN))) | fields).encode()


def signatures(*sigs: tuple[str, str]) -> list[Mapping[str, str]]:
    return [{"keyid": keyid, "sig": sig} for keyid, sig in sigs]


ANNS = base64.b64encode(sign(TYPE, PAYLOAD, ANN).signatures[0].sig).decode()
BOBS = base64.b64encode(sign(TYPE, PAYLOAD, BOB).signatures[0].sig).decode()
SIGNED_AS_TEXT = write(replace(sign("text/plain", PAYLOAD, ANN), payload_type=TYPE))
ANNS_NAME, BOBS_NAME = fingerprint(public(ANN)), fingerprint(public(BOB))


@pytest.mark.parametrize(
    ("signed", "code"),
    [
        pytest.param(write(sign(TYPE, PAYLOAD, BOB)), "bad_signature", id="another's signature"),
        pytest.param(write(sign("text/plain", PAYLOAD, ANN)), "bad_message", id="of another type"),
        pytest.param(changed(payloadType="text/plain"), "bad_message", id="said to be of another type"),
        pytest.param(SIGNED_AS_TEXT, "bad_signature", id="signed as another type"),
        pytest.param(changed(signatures=[]), "bad_signature", id="no signature"),
        pytest.param(
            changed(signatures=signatures((ANNS_NAME, BOBS))), "bad_signature", id="another's under my name"
        ),
        pytest.param(
            changed(signatures=signatures((ANNS_NAME, "QUJD"))), "bad_signature", id="a short signature"
        ),
        pytest.param(
            changed(signatures=signatures((BOBS_NAME, BOBS), (ANNS_NAME, ANNS))),
            "bad_message",
            id="a signature too many",
        ),
        pytest.param(
            changed(signatures=signatures(*[(ANNS_NAME, ANNS)] * 2)), "bad_message", id="the same twice"
        ),
        pytest.param(changed()[:-1], "bad_message", id="truncated"),
        pytest.param(changed() + b"{}", "bad_message", id="more behind it"),
        pytest.param(b"", "bad_message", id="empty"),
        pytest.param(b"\xff", "bad_message", id="no text"),
        pytest.param(changed(payload="e30"), "bad_message", id="base64 without its padding"),
        pytest.param(changed(payload="e3~="), "bad_message", id="no base64"),
        pytest.param(changed(payload="e30\n"), "bad_message", id="base64 with a line feed"),
        pytest.param(changed(payload=None), "bad_message", id="no payload"),
        pytest.param(changed(signatures=ANNS), "bad_message", id="signatures of another shape"),
        pytest.param(changed(payload="A" * MOST_BYTES), "too_large", id="oversize"),
        pytest.param(b"[" * 100_000, "bad_message", id="deep nesting"),
    ],
)
def test_each_forgery_is_refused_by_its_code(signed: bytes, code: str) -> None:
    with pytest.raises(OptimaiError) as refused:
        verify(read(signed), TYPE, public(ANN))
    assert refused.value.code == code


def test_every_key_that_is_expected_must_have_signed() -> None:
    verify(sign(TYPE, PAYLOAD, BOB, ANN), TYPE, public(ANN), public(BOB))
    with pytest.raises(BadSignature, match=BOBS_NAME):
        verify(sign(TYPE, PAYLOAD, ANN), TYPE, public(ANN), public(BOB))


@given(st.binary(max_size=40))
def test_a_key_that_is_none_verifies_nothing(key: bytes) -> None:
    with pytest.raises(BadSignature):
        verify(sign(TYPE, PAYLOAD, ANN), TYPE, key)


def test_fields_that_the_standard_does_not_know_are_passed_over() -> None:
    assert read(changed(comment="for people")) == sign(TYPE, PAYLOAD, ANN)


def test_an_envelope_is_named_by_its_payload_whoever_signed_it() -> None:
    assert sign(TYPE, PAYLOAD, ANN).id == sign(TYPE, PAYLOAD, BOB).id != sign(TYPE, b"{}", ANN).id


# Limits


def nothing(data: bytes) -> bytes:
    return data


def refusal(data: bytes) -> str | None:
    try:
        decode(data, nothing, most=MOST_BYTES)
    except OptimaiError as refused:
        return refused.code
    return None


@pytest.mark.parametrize(
    ("opened", "brackets"),
    [("[", 1), ('{"a":', 1), ('[{"a":', 2), ('["]",', 1), ('["\\"]",', 1), ('["\\\\",', 1)],
)
def test_nesting_is_allowed_as_deep_as_the_limit_and_no_deeper(opened: str, brackets: int) -> None:
    assert refusal((opened * (DEEPEST // brackets)).encode()) is None
    assert refusal((opened * (DEEPEST // brackets) + "[").encode()) == "bad_message"


jsons: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.sampled_from('[]{}"\\:,ab')),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.sampled_from('[]{}"\\ab')), inner),
    max_leaves=60,
)


def depth_of(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth_of, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth_of, value), default=0)
    return 0


@given(jsons, st.integers(0, DEEPEST + 4))
def test_only_brackets_outside_of_strings_nest(value: Any, more: int) -> None:
    for _ in range(more):
        value = [value]
    code = refusal(json.dumps(value).encode())
    assert code == ("bad_message" if depth_of(value) > DEEPEST else None)


@pytest.mark.parametrize("inside", ["[" * 500, "{[" * 500, '\\"[' * 500, "\\\\[[" * 500])
def test_brackets_inside_of_a_string_are_text(inside: str) -> None:
    assert refusal(f'{{"text":"{inside}"}}'.encode()) is None


def test_size_is_looked_at_before_anything_else() -> None:
    assert refusal(b" " * MOST_BYTES) is None
    with pytest.raises(TooLarge, match="2,097,152 bytes"):
        decode(b"\xff" * (MOST_BYTES + 1), nothing, most=MOST_BYTES)


@pytest.mark.parametrize("junk", [b'"\xff"', b'{"result":"\xc0\x80"}', b'"\xed\xa0\x80"'])
def test_text_that_is_not_utf_8_is_refused_even_where_nobody_reads_it(junk: bytes) -> None:
    with pytest.raises(BadMessage, match="can't decode byte"):
        decode(junk, nothing, most=MOST_BYTES)


@given(st.binary() | st.text('[]{}"\\:,0', max_size=200).map(str.encode))
def test_no_bytes_break_the_reader(junk: bytes) -> None:
    for reader in (read, lambda data: decode(data, nothing, most=100)):
        only_ours(reader, junk)


def only_ours(reader: Callable[[bytes], Envelope | bytes], junk: bytes) -> None:
    try:
        reader(junk)
    except OptimaiError as refused:
        assert refused.code in {"bad_message", "too_large"}  # noqa: PT017
