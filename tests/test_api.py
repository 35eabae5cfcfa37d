"""The coordinator over real HTTP: what nodes and people may send, and that every refusal has a code and a way out."""

import asyncio
import io
import json
import socket
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import msgspec
import pytest
import schemathesis
import uvicorn
import zstandard
from hypothesis import HealthCheck, given, settings
from nacl.signing import SigningKey, VerifyKey
from securesystemslib.dsse import Envelope as TheirEnvelope
from securesystemslib.signer import Signature, Signer, SSlibKey

from optimai.blobs.disk import DiskBlobs
from optimai.core.clock import Instant
from optimai.core.ids import blob_id, fingerprint
from optimai.core.money import OPI
from optimai.kinds import catalog
from optimai.network import access, home
from optimai.network.api import app, machines
from optimai.network.batch import Batcher
from optimai.network.home import make_token
from optimai.network.queries import steps
from optimai.network.store import tokens
from optimai.network.store.sql import Database, Tx
from optimai.wire import envelope
from optimai.wire.exchange import ENROL, EXCHANGE, NETWORK, Network, ask_hash
from tests.road import MINUTE, REQUESTER, Node, Road, campaign, done

pytestmark = pytest.mark.usefixtures("trial")


@asynccontextmanager
async def serving(database: Database) -> AsyncIterator[str]:
    """The whole app on a socket of its own; the address."""
    batcher = Batcher(database)
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(app.serving(database, batcher, log_config=None))
    work = [asyncio.create_task(batcher.run()), asyncio.create_task(server.serve(sockets=[listening]))]
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        await work[1]
        work[0].cancel()
        await asyncio.gather(*work, return_exceptions=True)


class Api:
    """A client without manners, and the road behind it."""

    def __init__(self, road: Road, url: str, session: aiohttp.ClientSession) -> None:
        self.road = road
        self.url = url
        self.session = session

    async def ask(
        self, method: str, path: str, data: bytes | None = None, token: str = "", **headers: str
    ) -> tuple[int, bytes, Any]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        bearer = {"Authorization": f"Bearer {token}"} if token else {}
        body = io.BytesIO(data) if data is not None else None
        async with self.session.request(method, self.url + path, data=body, headers=named | bearer) as answer:
            return answer.status, await answer.read(), answer.headers

    async def code(self, *args: Any, **more: Any) -> str:
        """Of an error; each is JSON with all that a client needs."""
        status, body, headers = await self.ask(*args, **more)
        told = json.loads(body)
        assert status >= 400
        assert headers["Content-Type"] == "application/json"
        assert set(told) == {"code", "message", "fault", "retry"}
        assert told["message"].endswith(".")
        return f"{status} {told['code']}"


@pytest.fixture
async def api(database: Database, tmp_path: Path) -> AsyncIterator[Api]:
    database.blobs = DiskBlobs(tmp_path)
    async with serving(database) as url, aiohttp.ClientSession(auto_decompress=False) as session:
        yield Api(Road(database), url, session)


# Nodes


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


# Bytes


@pytest.fixture
async def token(api: Api) -> str:
    """Of an assignment whose lease runs."""
    await api.road.begin()
    [offer] = await api.road.offered(await api.road.join("ann"))
    return offer.token


async def test_bytes_are_brought_under_their_hash_and_come_back_the_same(api: Api, token: str):
    data = b"some bytes " * 1_000
    path = f"/blobs/{blob_id(data)}"
    status, _, _ = await api.ask("PUT", path, data, token)
    assert status == 204
    status, body, headers = await api.ask("GET", path, token=token)
    assert (status, body) == (200, data)
    assert "Content-Encoding" not in headers


async def test_bytes_travel_packed_where_both_want_it(api: Api, token: str):
    data = b"some bytes " * 1_000
    path = f"/blobs/{blob_id(data)}"
    packed = zstandard.compress(data)
    status, _, _ = await api.ask("PUT", path, packed, token, Content_Encoding="zstd")
    assert status == 204
    _, body, headers = await api.ask("GET", path, token=token, Accept_Encoding="gzip, zstd")
    assert headers["Content-Encoding"] == "zstd"
    assert zstandard.decompress(body) == data


async def test_a_range_counts_plain_bytes_and_is_never_packed(api: Api, token: str):
    data = bytes(range(256)) * 20
    path = f"/blobs/{blob_id(data)}"
    await api.ask("PUT", path, data, token)
    status, body, headers = await api.ask(
        "GET", path, token=token, Range="bytes=10-19", Accept_Encoding="zstd"
    )
    assert (status, body, headers["Content-Range"]) == (206, data[10:20], f"bytes 10-19/{len(data)}")
    status, body, headers = await api.ask("GET", path, token=token, Range=f"bytes={len(data) - 3}-999999")
    assert (status, body) == (206, data[-3:])


SIZE = 5_120
RANGES = [
    ("bytes=0-0", 206, slice(0, 1)),
    ("bytes=10-19", 206, slice(10, 20)),
    ("BYTES=10-19", 206, slice(10, 20)),
    ("bytes=5100-", 206, slice(5_100, SIZE)),
    ("bytes=5119-9999999999999999999999999", 206, slice(SIZE - 1, SIZE)),
    ("bytes=-5", 206, slice(SIZE - 5, SIZE)),
    ("bytes=-99999", 206, slice(0, SIZE)),
    ("bytes=5120-", 416, None),
    ("bytes=5120-6000", 416, None),
    (f"bytes={'9' * 5_000}-", 416, None),
    ("bytes=-0", 416, None),
    ("bytes=9-3", 200, slice(0, SIZE)),
    ("bytes=-", 200, slice(0, SIZE)),
    ("bytes=a-b", 200, slice(0, SIZE)),
    ("bytes=٣-٤", 200, slice(0, SIZE)),
    ("bytes=1-2,5-6", 200, slice(0, SIZE)),
    ("pages=1-2", 200, slice(0, SIZE)),
    ("1-2", 200, slice(0, SIZE)),
]


@pytest.mark.parametrize("data", [bytes(range(256)) * 20, b"text " * 1_024], ids=["plain", "packed on disk"])
async def test_a_range_is_answered_as_the_standard_has_it(api: Api, token: str, data: bytes):
    assert len(data) == SIZE
    path = f"/blobs/{blob_id(data)}"
    bearer = {"Authorization": f"Bearer {token}"}
    await api.ask("PUT", path, data, token)
    async with httpx.AsyncClient(base_url=api.url, headers=bearer) as client:
        for asked, status, part in RANGES:
            answer = await client.get(path, headers={"Range": asked.encode()})
            assert answer.status_code == status, asked
            told = answer.headers.get("content-range")
            if status == 416:
                assert told == f"bytes */{SIZE}", asked
                assert answer.json()["code"] == "no_such_range"
                continue
            assert part
            assert answer.content == data[part], asked
            assert told == (f"bytes {part.start}-{part.stop - 1}/{SIZE}" if status == 206 else None), asked
        answer = await client.get(path, headers={"Range": "bytes=1-2", "If-Range": '"what we never said"'})
        assert (answer.status_code, answer.content) == (200, data)
        assert answer.headers["accept-ranges"] == "bytes"


async def test_an_empty_blob_has_no_range(api: Api, token: str):
    path = f"/blobs/{blob_id(b'')}"
    await api.ask("PUT", path, b"", token)
    async with httpx.AsyncClient(base_url=api.url, headers={"Authorization": f"Bearer {token}"}) as client:
        for asked in ("bytes=0-", "bytes=0-0", "bytes=-1", "bytes=-0"):
            answer = await client.get(path, headers={"Range": asked})
            assert (answer.status_code, answer.headers["content-range"]) == (416, "bytes */0"), asked
        assert (await client.get(path)).status_code == 200


async def test_bytes_with_another_hash_are_refused_and_not_kept(api: Api, token: str):
    name = blob_id(b"what was meant")
    assert await api.code("PUT", f"/blobs/{name}", b"what came", token) == "422 wrong_bytes"
    assert await api.road.database.blobs.size(name) is None
    assert await api.code("PUT", "/blobs/../../etc/passwd", b"", token) in ("404 http", "400 bad_message")
    assert await api.code("PUT", "/blobs/ABC", b"", token) == "400 bad_message"


@pytest.mark.parametrize("encoding", ["gzip", "br", "zstd, zstd"])
async def test_an_encoding_that_is_not_known_is_refused(api: Api, token: str, encoding: str):
    name = blob_id(b"x")
    assert (
        await api.code("PUT", f"/blobs/{name}", b"x", token, Content_Encoding=encoding) == "400 bad_message"
    )


async def test_a_bomb_goes_off_at_its_limit(api: Api, token: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(machines, "MOST_BLOB", 1 << 20)
    bomb = zstandard.compress(bytes(64 << 20))
    assert len(bomb) < 1 << 14
    name = "0" * 64
    assert await api.code("PUT", f"/blobs/{name}", bomb, token, Content_Encoding="zstd") == "413 too_large"
    assert await api.code("PUT", f"/blobs/{name}", bytes(2 << 20), token) == "413 too_large"
    junk = b"no zstd at all"
    assert await api.code("PUT", f"/blobs/{name}", junk, token, Content_Encoding="zstd") == "400 bad_message"


async def test_an_assignment_brings_no_more_than_its_quota(
    api: Api, token: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(access, "QUOTA", 25)
    first, second, third = (bytes([number]) * 10 for number in range(3))
    for data in (first, second, first):
        assert (await api.ask("PUT", f"/blobs/{blob_id(data)}", data, token))[0] == 204
    assert await api.code("PUT", f"/blobs/{blob_id(third)}", third, token) == "413 too_large"


async def test_without_the_right_token_nothing_is_read_or_written(api: Api, token: str):
    data = b"bytes"
    path = f"/blobs/{blob_id(data)}"
    forged = token.replace(".", "0.", 1)
    for wrong in ("", "1.abc", forged, "opi_" + "0" * 48, token[:-1]):
        assert await api.code("PUT", path, data, wrong) == "401 no_token"
        assert await api.code("GET", path, token=wrong) == "401 no_token"
    assert await api.code("PUT", f"{path}?token={token}", data) == "401 no_token"  # an address ends in logs
    assert (await api.ask("PUT", path, data, token))[0] == 204


async def test_when_another_has_its_place_a_token_is_worth_nothing(api: Api, token: str):
    data = b"late bytes"
    path = f"/blobs/{blob_id(data)}"
    api.road.later(2 * MINUTE)
    await api.road.stage("expire")
    assert (await api.ask("PUT", path, data, token))[0] == 204  # late, and still welcome
    await api.road.offered(await api.road.join("bob"))
    assert await api.code("PUT", path, data, token) == "409 lease_over"
    assert await api.code("GET", path, token=token) == "409 lease_over"


async def test_another_campaigns_bytes_are_not_found(api: Api, token: str):
    data = b"theirs"
    await api.ask("PUT", f"/blobs/{blob_id(data)}", data, token)
    await api.road.submit_more("others", {})
    [offer] = await api.road.offered(await api.road.join("bob"))
    assert offer.step == "others/tried"
    assert await api.code("GET", f"/blobs/{blob_id(data)}", token=offer.token) == "404 not_found"
    assert await api.code("GET", f"/blobs/{'0' * 64}", token=token) == "404 not_found"


async def test_two_puts_at_once_cannot_pass_the_quota_together(
    api: Api, token: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(access, "QUOTA", 25)
    some = [bytes([number]) * 10 for number in range(8)]
    answers = await asyncio.gather(*(api.ask("PUT", f"/blobs/{blob_id(data)}", data, token) for data in some))
    assert sorted(status for status, *_ in answers) == [204] * 2 + [413] * 6


# People


async def test_a_token_does_what_its_scopes_say_and_its_owners_bytes_only(api: Api, token: str):
    data = b"result"
    await api.ask("PUT", f"/blobs/{blob_id(data)}", data, token)
    path = f"/blobs/{blob_id(data)}"
    mine = await make_token(api.road.database, "requester", "me", ("read",))
    other = await make_token(api.road.database, "somebody", "them", ("read", "campaign"))
    admin = await make_token(api.road.database, "operator", "root", ("admin", "read"))
    assert (await api.ask("GET", path, token=mine))[0] == 200
    assert (await api.ask("GET", path, token=admin))[0] == 200
    assert await api.code("GET", path, token=other) == "404 not_found"
    raw = json.dumps(campaign(campaign="new")).encode()
    assert await api.code("POST", "/v1/campaigns", raw, mine) == "403 not_allowed"
    assert await api.code("POST", "/v1/campaigns", raw, other) == "402 not_enough"
    assert await api.code("POST", "/v1/campaigns", raw) == "401 no_token"


async def test_the_database_keeps_no_token(api: Api):
    token = await make_token(api.road.database, "requester", "me", ("read",))
    async with api.road.database.begin() as (tx, _):
        assert await tokens.bearer(tx, token) is None
        assert await tokens.bearer(tx, home.token_hash(token)) is not None


async def test_a_deposit_is_made_once_for_each_reference(api: Api):
    admin = await make_token(api.road.database, "operator", "root", ("admin", "campaign"))
    for reference, has, again in (("a", 5, False), ("a", 5, True), ("b", 10, False)):
        data = json.dumps({"amount": "5 OPI", "reference": reference}).encode()
        status, body, _ = await api.ask("POST", "/v1/deposits", data, admin, Content_Type="application/json")
        assert status == 201
        assert json.loads(body) == {"owner": "operator", "available_nopi": has * OPI, "again": again}
    _, body, _ = await api.ask("GET", "/v1/owners/operator")
    assert json.loads(body) == {"owner": "operator", "available_nopi": 10 * OPI}
    for amount in "0", "-1", "0.0000000001":
        data = json.dumps({"amount": amount, "reference": "c"}).encode()
        status, body, _ = await api.ask("POST", "/v1/deposits", data, admin, Content_Type="application/json")
        assert (status, json.loads(body)["code"]) == (422, "bad_value")


@pytest.mark.parametrize("amount", ["0 OPI", "-5 OPI", "much"])
async def test_a_deposit_of_nothing_or_less_is_refused_with_a_sentence(api: Api, amount: str):
    admin = await make_token(api.road.database, "operator", "root", ("admin",))
    data = json.dumps({"amount": amount, "reference": "a"}).encode()
    status, body, _ = await api.ask("POST", "/v1/deposits", data, admin, Content_Type="application/json")
    assert (status, json.loads(body)["code"]) == (422, "bad_value")


# Anything


async def test_who_looks_at_an_account_waits_for_nobody_who_moves_its_money(api: Api):
    await api.road.deposit(7 * OPI)
    token = await make_token(api.road.database, REQUESTER, "mine", ("campaign",))
    async with api.road.database.begin() as (tx, _):
        await tx.execute("update account set balance = balance - 1 where name = $1", f"available:{REQUESTER}")
        status, body, _ = await asyncio.wait_for(api.ask("GET", "/v1/account", token=token), 20)
    assert (status, json.loads(body)["available_nopi"]) == (200, 7 * OPI)


async def test_a_campaigns_status_is_of_one_moment_whatever_is_written_meanwhile(
    api: Api, monkeypatch: pytest.MonkeyPatch
):
    await api.road.begin()
    of = steps.of

    async def of_and_then(tx: Tx, now: Instant, campaign: Any) -> Any:
        found = await of(tx, now, campaign)
        async with api.road.database.begin() as (other, _):
            await other.execute("update account set balance = 1 where name = 'escrow:1'")
        return found

    monkeypatch.setattr(steps, "of", of_and_then)
    _, body, _ = await api.ask("GET", "/v1/campaigns/trials")
    assert json.loads(body)["money"]["escrow"] == 100 * OPI
    _, body, _ = await api.ask("GET", "/v1/campaigns/trials")
    assert json.loads(body)["money"]["escrow"] == 1


async def test_no_request_that_fits_the_schema_breaks_the_coordinator(api: Api):
    """Schemathesis makes requests from the API's own OpenAPI; none is answered with a fault of ours."""
    await api.road.begin()
    await api.road.answer(await api.road.join("ann"))
    await api.road.quiet()
    admin = await make_token(api.road.database, "operator", "root", ("admin", "campaign", "read"))
    _, raw, _ = await api.ask("GET", "/api/openapi.json")
    schema = schemathesis.openapi.from_dict(json.loads(raw))
    operations = [result.ok() for result in schema.get_all_operations()]
    assert len(operations) >= 15
    for operation in operations:
        await asyncio.to_thread(_try, api.url, admin, operation)


async def test_the_schema_names_what_a_parameter_may_be(api: Api):
    for path in ("/v1/versions/trials/99999999999", "/v1/epochs/-1/head", "/v1/owners/x/earnings?after=-1"):
        assert await api.code("GET", path) in ("400 bad_message", "404 http")


def _try(url: str, admin: str, operation: Any) -> None:
    @given(case=operation.as_strategy())
    @settings(max_examples=8, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    def any_request(case: Any) -> None:
        answer = case.call(base_url=url, headers={"Authorization": f"Bearer {admin}"}, timeout=20)
        assert answer.status_code < 500, (case.as_curl_command(), answer.content)
        if answer.status_code >= 400:
            assert {"code", "message"} <= set(answer.json())

    check: Callable[[], None] = any_request
    check()
