"""docs/wire.md is true: its examples are read by the code, and its numbers are the code's."""

import re
from pathlib import Path

import msgspec
import pytest
from nacl.signing import SigningKey

from optimai.core import rows
from optimai.core.errors import OptimaiError
from optimai.core.ids import fingerprint, result_id
from optimai.network import access
from optimai.network.api import machines
from optimai.wire import envelope, exchange
from optimai.wire.exchange import ENROL, EXCHANGE, NETWORK, Network, Reply, read_enrol, read_request

PAGE = (Path(__file__).parent.parent / "docs" / "wire.md").read_text()
EXAMPLES = dict(re.findall(r"```json (\w+)\n(.*?)\n```", PAGE, re.DOTALL))
NET, OWNER, NODE = (SigningKey(letter * 32) for letter in (b"w", b"o", b"n"))


def public(key: SigningKey) -> bytes:
    return bytes(key.verify_key)


def test_the_request_is_what_the_node_of_the_page_signs_to_the_byte() -> None:
    signed = envelope.sign(EXCHANGE, EXAMPLES["payload"].encode(), NODE)
    request = exchange.Request(signed, EXAMPLES["ask"])
    assert msgspec.json.encode(request).decode() == EXAMPLES["request"]


def test_the_request_is_taken_in() -> None:
    came, signed, ask = read_request(EXAMPLES["request"].encode())
    envelope.verify(came, EXCHANGE, public(NODE))
    assert signed.node == fingerprint(public(NODE))
    assert signed.network == fingerprint(public(NET))
    assert ask.room == 2
    assert result_id(came.id, 0) == f"{came.id}.0"


def test_the_reply_answers_that_request() -> None:
    reply = msgspec.json.decode(EXAMPLES["reply"], type=Reply)
    _, signed, _ = read_request(EXAMPLES["request"].encode())
    assert reply.serial == signed.serial
    assert reply.taken == tuple(done.assignment for done in signed.results)
    assert msgspec.json.encode(reply).decode() == EXAMPLES["reply"]


def test_the_network_and_the_enrolment_are_those_of_the_pages_keys() -> None:
    network = msgspec.json.decode(EXAMPLES["network"], type=Network)
    assert (network.network, network.key) == (fingerprint(public(NET)), public(NET))
    wanted = read_enrol(envelope.sign(ENROL, EXAMPLES["enrol"].encode(), OWNER, NODE))
    assert (wanted.owner_key, wanted.node_key) == (public(OWNER), public(NODE))
    assert wanted.network == network.network


def test_the_row_is_canonical_and_named_by_its_step_and_key() -> None:
    (row,) = rows.read(EXAMPLES["row"].encode() + b"\n", most=1)
    assert row["_row"] == rows.row_id("plant-care/words", *row["_from"])


@pytest.mark.parametrize(
    ("number", "written"),
    [
        (1.5e-7, b"1.5e-7"),
        (1e16, b"1e16"),
        (1e15, b"1000000000000000.0"),
        (0.00001, b"0.00001"),
        (0.000001, b"1e-6"),
    ],
)
def test_floats_are_written_as_the_page_says(number: float, written: bytes) -> None:
    assert rows.write([{"_row": "a", "n": number}]) == b'{"_row":"a","n":' + written + b"}\n"
    assert rows.read(b'{"_row":"a","n":' + written + b"}\n", most=1) == [{"_row": "a", "n": number}]


def test_the_three_types_and_the_limits_are_the_codes_own() -> None:
    for kind in (NETWORK, ENROL, EXCHANGE):
        assert f"| `{kind}` |" in PAGE
    limits = dict(re.findall(r"^\| ([^|]+) \| ([\d,]+)(?: bytes)? \|$", PAGE, re.MULTILINE))
    assert limits["a whole request, and so an envelope"] == f"{envelope.MOST_BYTES:,}"
    assert limits["brackets inside brackets, of the request and of the payload"] == f"{envelope.DEEPEST}"
    assert limits["results, and answers, in one exchange"] == f"{exchange.MOST_RESULTS}"
    assert limits["a blob, unpacked"] == f"{machines.MOST_BLOB:,}"
    assert limits["all blobs of one assignment"] == f"{access.QUOTA:,}"
    assert PAGE.count(f"at most {exchange.MOST_RESULTS}") == 2


def test_every_code_and_status_on_the_page_is_an_errors() -> None:
    said = re.findall(r"^\| `(\w+)` \| (\d+) \|", PAGE, re.MULTILINE)
    ours = {(kind.code, str(kind.status)) for kind in OptimaiError.__subclasses__()}
    assert len(said) > 10
    assert set(said) <= ours


@pytest.mark.parametrize(
    "shape", ["Signed", "Ask", "Reply", "Offer", "Asked", "Refusal", "Enrol", "Enrolled", "Done", "Met"]
)
def test_every_field_of_every_message_is_on_the_page(shape: str) -> None:
    for field in msgspec.structs.fields(getattr(exchange, shape)):
        assert re.search(rf'[`"]{field.encode_name}[`":]', PAGE), f"{shape}.{field.encode_name}"
