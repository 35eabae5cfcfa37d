"""What nodes may send over real HTTP, and that every refusal has a code and a way out."""

import asyncio
import json
from base64 import b64encode
from typing import Any

import msgspec
import pytest
from nacl.signing import SigningKey, VerifyKey
from securesystemslib.dsse import Envelope as TheirEnvelope
from securesystemslib.signer import Signature, Signer, SSlibKey

from optimai.core.ids import fingerprint
from optimai.kinds import catalog
from optimai.wire import envelope
from optimai.wire.exchange import ENROL, EXCHANGE, NETWORK, Network, ask_hash
from tests.api import Api
from tests.road import Node, done

pytestmark = pytest.mark.usefixtures("trial")


async def test_a_node_joins_asks_works_and_is_answered(api: Api):
    ann = Node("ann")
    status, body, _ = await api.ask("GET", "/network")
    network = msgspec.json.decode(envelope.read(body).payload, type=Network)
    envelope.verify(envelope.read(body), NETWORK, network.key)
    assert network.network == api.road.database.network.id

    status, body, _ = await api.ask("POST", "/enrol", ann.joining(api.road))
    assert (status, json.loads(body)) == (200, {"node": ann.id, "name": "ann", "serial": 0})
    await api.road.begin()
    status, body, _ = await api.ask("POST", "/exchange", api.road.request(ann, room=1))
    [offer] = json.loads(body)["offers"]
    assert status == 200
    status, body, _ = await api.ask("POST", "/exchange", api.road.request(ann, [done(offer["assignment"])]))
    assert json.loads(body)["taken"] == [offer["assignment"]]
    assert await api.road.value("select address from node") == "127.0.0.1"


async def test_joining_twice_is_joining_once_and_a_taken_name_gets_a_tail(api: Api):
    ann, other = Node("ann"), Node("ann")
    other.key, other.owner_key = Node("another").key, Node("another").owner_key
    for _ in range(2):
        _, body, _ = await api.ask("POST", "/enrol", ann.joining(api.road))
        assert json.loads(body)["name"] == "ann"
    _, body, _ = await api.ask("POST", "/enrol", other.joining(api.road))
    assert json.loads(body)["name"] == f"ann-{other.id[:6]}"
    thief = Node("ann", "somebody else")
    assert await api.code("POST", "/enrol", thief.joining(api.road)) == "409 taken"


@pytest.mark.parametrize(
    ("path", "data", "code"),
    [
        ("/exchange", b"", "400 bad_message"),
        ("/exchange", b"{", "400 bad_message"),
        ("/exchange", b"[" * 100_000, "400 bad_message"),
        ("/exchange", b'{"envelope":{}}', "400 bad_message"),
        ("/exchange", b"\xff\xfe", "400 bad_message"),
        ("/exchange", b"x" * (envelope.MOST_BYTES + 1), "413 too_large"),
        ("/enrol", b"{}", "400 bad_message"),
        ("/enrol", b"x" * (1 << 17), "413 too_large"),
        ("/v1/campaigns", b"{", "400 bad_message"),
        ("/v1/campaigns", b"x" * (9 << 20), "413 too_large"),
        ("/v1/deposits", b"[]", "400 bad_message"),
    ],
)
async def test_what_cannot_be_read_is_refused_with_its_code(api: Api, path: str, data: bytes, code: str):
    assert await api.code("POST", path, data) == code


async def test_an_exchange_on_a_bare_socket_is_answered_in_order_and_as_http_has_it(api: Api):
    ann = await api.road.join("ann")
    requests = [api.road.request(ann) for _ in range(3)]
    reader, writer = await asyncio.open_connection("127.0.0.1", int(api.url.rpartition(":")[2]))

    def post(body: bytes, header: bytes = b"host: x") -> bytes:
        return b"POST /exchange HTTP/1.1\r\n%s\r\ncontent-length: %d\r\n\r\n%s" % (header, len(body), body)

    async def answer() -> tuple[bytes, bytes, dict[str, Any]]:
        head = await reader.readuntil(b"\r\n\r\n")
        status, _, headers = head.lower().partition(b"\r\n")
        size = int(headers.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        return status, headers, json.loads(await reader.readexactly(size))

    writer.write(post(requests[0]) + post(requests[1]) + b"GET /network HTTP/1.1\r\nhost: x\r\n\r\n")
    status, headers, first = await answer()
    assert status == b"http/1.1 200 ok"
    assert b"date: " in headers
    assert "offers" in first
    assert (await answer())[2]["code"] == "bad_message"  # it did not wait for its turn
    assert "payload" in (await answer())[2]
    writer.write(post(requests[1], b"expect: 100-continue")[: -len(requests[1])])
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(requests[1])
    assert "offers" in (await answer())[2]
    writer.write(post(requests[2], b"connection: close"))
    status, headers, last = await answer()
    assert b"connection: close" in headers
    assert "offers" in last
    assert await reader.read() == b""
    writer.close()


async def test_an_exchange_is_posted_and_nothing_else(api: Api):
    assert await api.code("GET", "/exchange") == "400 bad_message"
    assert await api.code("GET", "/no/such/page") == "404 http"
    assert await api.code("DELETE", "/network") == "405 http"


async def test_whatever_else_breaks_is_told_as_ours_and_logged(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    ann = await api.road.join("ann")

    async def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("optimai.network.door.read", broken)
    assert await api.code("POST", "/exchange", api.road.request(ann)) == "500 internal"
    assert "an exchange failed" in caplog.text


class Their(Signer):
    """A signer of securesystemslib's, over a key of ours."""

    def __init__(self, key: SigningKey) -> None:
        self.key = key

    public_key = None

    @classmethod
    def from_priv_key_uri(cls, *_: object) -> "Their":
        raise NotImplementedError

    def sign(self, payload: bytes) -> Signature:
        return Signature(fingerprint(bytes(self.key.verify_key)), self.key.sign(payload).signature.hex())


class Verifying(SSlibKey):
    def verify_signature(self, signature: Signature, data: bytes) -> None:
        VerifyKey(bytes.fromhex(self.keyval["public"])).verify(data, bytes.fromhex(signature.signature))


async def test_a_client_that_speaks_dsse_by_another_library_takes_part(api: Api):
    """securesystemslib, DSSE's own reference in Python, signs and we verify; we sign and it verifies."""
    await api.road.begin()
    ann = Node("ann")

    def signed(payload: dict[str, Any], payload_type: str, *keys: SigningKey) -> dict[str, Any]:
        theirs = TheirEnvelope(json.dumps(payload, indent=1).encode(), payload_type, {})
        for key in keys:
            theirs.sign(Their(key))
        return dict(theirs.to_dict())

    network = api.road.database.network
    joining = {
        "network": network.id,
        "owner_key": b64encode(bytes(ann.owner_key.verify_key)).decode(),
        "node_key": b64encode(bytes(ann.key.verify_key)).decode(),
        "name": "a stranger's node",
    }
    both = signed(joining, ENROL, ann.owner_key, ann.key)
    status, body, _ = await api.ask("POST", "/enrol", json.dumps(both).encode())
    assert (status, json.loads(body)["node"]) == (200, ann.id)
    ask = json.dumps({"room": 1, "kinds": {"trial": catalog.load("trial").hash}})
    wanted = {"network": network.id, "node": ann.id, "serial": 1, "ask": ask_hash(ask)}
    request = {"envelope": signed(wanted, EXCHANGE, ann.key), "ask": ask}
    status, body, _ = await api.ask("POST", "/exchange", json.dumps(request).encode())
    assert status == 200
    assert len(json.loads(body)["offers"]) == 1

    _, body, _ = await api.ask("GET", "/network")
    said = TheirEnvelope.from_dict(json.loads(body))
    public = {"public": bytes(network.key.verify_key).hex()}
    said.verify([Verifying(network.id, "ed25519", "ed25519", public)], 1)
