import json
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import Raw
from nacl.signing import SigningKey

from optimai.core.errors import BadMessage, OptimaiError
from optimai.core.ids import AssignmentId, NetworkId, NodeId, fingerprint
from optimai.wire import envelope
from optimai.wire.envelope import DEEPEST, MOST_BYTES
from optimai.wire.exchange import (
    ENROL,
    EXCHANGE,
    MOST_RESULTS,
    Ask,
    Done,
    Enrol,
    Met,
    Request,
    Signed,
    ask_hash,
    read_enrol,
    read_request,
)

OWNER, NODE = SigningKey(b"o" * 32), SigningKey(b"n" * 32)
OWNER_KEY, NODE_KEY = bytes(OWNER.verify_key), bytes(NODE.verify_key)
NETWORK = NetworkId("0" * 32)
ASK = '{"room":2}'
FIELDS: dict[str, Any] = {
    "network": NETWORK,
    "node": fingerprint(NODE_KEY),
    "serial": 7,
    "ask": ask_hash(ASK),
}

numbers = st.integers(0, 2**63 - 1)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
digests = st.text("0123456789abcdef", min_size=64, max_size=64)
results = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
).map(lambda value: Raw(msgspec.json.encode(value)))
dones = st.builds(Done, numbers.map(AssignmentId), results, texts)
asks = st.builds(Ask, room=st.integers(0, 64), kinds=st.dictionaries(texts, texts), engine=st.booleans())


def request(fields: dict[str, Any], ask: str = ASK, **more: Any) -> bytes:
    """Signed as it is, whatever it says."""
    signed = envelope.sign(EXCHANGE, json.dumps(fields).encode(), NODE)
    return json.dumps({"envelope": json.loads(envelope.write(signed)), "ask": ask} | more).encode()


@given(
    numbers,
    st.lists(dones, max_size=3),
    st.lists(st.builds(Met, numbers, digests), max_size=3),
    asks,
)
def test_what_a_node_sends_is_what_the_coordinator_reads(
    serial: int, done: list[Done], met: list[Met], ask: Ask
) -> None:
    asked = msgspec.json.encode(ask).decode()
    signed = Signed(
        network=NETWORK,
        node=NodeId(fingerprint(NODE_KEY)),
        serial=serial,
        ask=ask_hash(asked),
        results=tuple(done),
        answers=tuple(met),
    )
    sent = envelope.sign(EXCHANGE, msgspec.json.encode(signed), NODE)
    came, read, want = read_request(msgspec.json.encode(Request(sent, asked)))
    envelope.verify(came, EXCHANGE, NODE_KEY)
    assert (came, read, want) == (sent, signed, ask)


def test_what_is_left_out_has_its_default() -> None:
    _, signed, ask = read_request(request(FIELDS))
    assert (signed.results, signed.answers, ask.kinds, ask.engine) == ((), (), {}, False)


@pytest.mark.parametrize("other", ['{"room":3}', '{"room": 2}', '{"room":2}\n', ""])
def test_an_ask_that_is_not_to_the_byte_what_was_signed_is_refused(other: str) -> None:
    with pytest.raises(BadMessage, match="not the one whose hash was signed"):
        read_request(request(FIELDS, ask=other))


@pytest.mark.parametrize("part", ["results", "answers"])
def test_more_results_or_answers_than_the_limit_are_refused(part: str) -> None:
    one = {"results": {"assignment": 1}, "answers": {"challenge": 1, "digest": "0" * 64}}[part]
    read_request(request(FIELDS | {part: [one] * MOST_RESULTS}))
    with pytest.raises(BadMessage, match="256"):
        read_request(request(FIELDS | {part: [one] * (MOST_RESULTS + 1)}))


def test_a_field_that_nobody_knows_is_refused_wherever_it_stands() -> None:
    done: dict[str, Any] = {"assignment": 1, "result": {"any": "field"}}
    read_request(request(FIELDS | {"results": [done]}))
    for message in (
        request(FIELDS | {"units": 5}),
        request(FIELDS | {"results": [done | {"units": 5}]}),
        request(FIELDS | {"answers": [{"challenge": 1, "digest": "0" * 64, "late": False}]}),
        request(FIELDS | {"ask": ask_hash('{"rom":2}')}, ask='{"rom":2}'),
        request(FIELDS, token="secret"),
    ):
        with pytest.raises(BadMessage, match="unknown field"):
            read_request(message)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("serial", -1),
        ("serial", 2**63),
        ("serial", 1.5),
        ("serial", "7"),
        ("network", "http://elsewhere"),
        ("node", "N" * 32),
        ("node", "0" * 32 + "\n"),
        ("results", [{"assignment": -1}]),
        ("results", [{"assignment": 2**63}]),
        ("results", [{"assignment": 1, "declined": "no\0"}]),
        ("results", [{"result": {}}]),
        ("answers", [{"challenge": 2**63, "digest": "0" * 64}]),
        ("answers", [{"challenge": 1, "digest": "short"}]),
    ],
)
def test_what_no_column_could_take_is_refused_before_it_gets_there(field: str, value: object) -> None:
    """One such value would fail the commit that it shares with other nodes' results."""
    with pytest.raises(BadMessage, match=field):
        read_request(request(FIELDS | {field: value}))


def test_a_result_may_nest_to_the_limit_counted_from_the_message() -> None:
    around = 3  # the payload, its list of results, the result's place
    for depth, refused in ((DEEPEST - around, False), (DEEPEST - around + 1, True)):
        nested: list[Any] = []
        for _ in range(depth - 1):
            nested = [nested]
        message = request(FIELDS | {"results": [{"assignment": 1, "result": nested}]})
        if refused:
            with pytest.raises(BadMessage, match="nested deeper than 32"):
                read_request(message)
        else:
            read_request(message)


def test_an_envelope_that_came_in_a_request_can_be_read_alone_whatever_its_size() -> None:
    """It is kept as it came and read again by judge, verify and trace."""
    big = "x" * (MOST_BYTES * 3 // 4 - 2_000)
    message = request(FIELDS | {"results": [{"assignment": 1, "result": big}]})
    assert MOST_BYTES - 3_000 < len(message) <= MOST_BYTES
    came, _, _ = read_request(message)
    assert envelope.read(envelope.write(came)) == came


GOOD = request(FIELDS | {"results": [{"assignment": 1, "result": {"rows": "0" * 64}}]})


@given(st.binary() | st.text('[]{}"\\:,0', max_size=200).map(str.encode))
@example(b'{"envelope":{"payload":"","payloadType":"","signatures":[]},"ask":""}')
@example(GOOD.replace(b'"ask": "{', b'"ask": "\\ud800{'))
def test_no_bytes_of_a_stranger_break_the_reader(junk: bytes) -> None:
    with suppress(OptimaiError):
        read_request(junk)


@given(st.integers(0, len(GOOD) - 1), st.binary(max_size=3), st.integers(0, 3))
def test_a_damaged_request_is_refused_or_its_signature_does_not_hold(
    place: int, instead: bytes, length: int
) -> None:
    damaged = GOOD[:place] + instead + GOOD[place + length :]
    with suppress(OptimaiError):
        came, signed, ask = read_request(damaged)
        envelope.verify(came, EXCHANGE, NODE_KEY)
        assert (came, signed, ask) == read_request(GOOD)


@given(
    st.binary(max_size=60) | st.dictionaries(st.sampled_from(sorted(FIELDS)), texts).map(msgspec.json.encode)
)
def test_no_payload_of_a_stranger_breaks_the_reader(payload: bytes) -> None:
    signed = envelope.sign(EXCHANGE, payload, NODE)
    with suppress(OptimaiError):
        read_request(msgspec.json.encode(Request(signed, ASK)))


# Enrolment


def enrol(**fields: Any) -> envelope.Envelope:
    given: dict[str, Any] = {
        "network": NETWORK,
        "owner_key": OWNER_KEY,
        "node_key": NODE_KEY,
        "name": "attic",
    }
    return envelope.sign(ENROL, msgspec.json.encode(given | fields), OWNER, NODE)


def test_owner_and_node_both_sign_that_they_belong_together() -> None:
    wanted = read_enrol(enrol(cores=8))
    assert wanted == Enrol(network=NETWORK, owner_key=OWNER_KEY, node_key=NODE_KEY, name="attic", cores=8)
    envelope.verify(enrol(cores=8), ENROL, wanted.owner_key, wanted.node_key)


@pytest.mark.parametrize(
    "fields",
    [
        {"owner_key": b"short"},
        {"node_key": b"x" * 33},
        {"name": ""},
        {"name": "x" * 61},
        {"name": "two\nlines"},
        {"name": "nul\0"},
        {"hands": "tentacle"},
        {"cores": -1},
        {"memory_mb": 2**31},
        {"network": "elsewhere"},
        {"admin": True},
    ],
    ids=repr,
)
def test_an_enrolment_that_makes_no_sense_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(BadMessage):
        read_enrol(enrol(**fields))


@given(st.binary(max_size=60))
def test_no_enrolment_of_a_stranger_breaks_the_reader(payload: bytes) -> None:
    with suppress(OptimaiError):
        read_enrol(envelope.sign(ENROL, payload, NODE))
