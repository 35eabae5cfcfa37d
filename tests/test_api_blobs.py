"""Bytes over real HTTP: by hash, under an assignment's token, within limits."""

import asyncio

import httpx
import pytest
import zstandard

from optimai.core.ids import blob_id
from optimai.network import access
from optimai.network.api import machines
from tests.api import Api
from tests.road import MINUTE

pytestmark = pytest.mark.usefixtures("trial")


@pytest.fixture
async def token(api: Api) -> str:
    return await api.token()


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
