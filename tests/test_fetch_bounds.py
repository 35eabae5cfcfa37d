"""The promises of a page that a node fetches: what it says, and how much of it is taken."""

import asyncio
import gzip
import tracemalloc
import zlib

import pytest
from aiohttp import web

from optimai.node.get import PRODUCT
from optimai.sim.proof.kit import NOON
from tests.served import HOST, answering, hello, serving, why


async def test_a_page_comes_with_its_status_headers_bytes_and_time():
    async with serving(hello) as served:
        page = await served.fetcher.fetch(f"{HOST}/x?q=%C3%A4#part")
        assert (page.url, page.status, page.body, page.at) == (f"{HOST}/x?q=%C3%A4#part", 200, b"hello", NOON)
        assert page.headers["x-twice"] == "first"
        asked = served.hits[-1]
        assert (asked.host, asked.raw_path) == ("docs.localhost", "/x?q=%C3%A4")


async def test_the_user_agent_is_honest_and_no_cookie_is_kept():
    async with serving(answering(Set_Cookie="id=1")) as served:
        for _ in range(2):
            await served.fetcher.fetch(f"{HOST}/")
        assert served.hits[-1].headers["User-Agent"].startswith(f"{PRODUCT}/")
        assert "Cookie" not in served.hits[-1].headers


async def test_a_proxy_that_the_environment_names_is_not_asked(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    async with serving(hello) as served:
        assert (await served.fetcher.fetch(f"{HOST}/")).status == 200


async def test_redirects_are_told_and_not_followed():
    async with serving(answering(status=302, Location="http://169.254.169.254/secret")) as served:
        page = await served.fetcher.fetch(f"{HOST}/")
        assert (page.status, page.headers["location"]) == (302, "http://169.254.169.254/secret")
        assert await why(served.fetcher.fetch(page.headers["location"])) == "private"
        assert served.paths == ["/"]


async def test_a_page_larger_than_the_limit_is_refused_whether_it_says_so_or_not():
    async def unsaid(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        for _ in range(64):
            await response.write(bytes(1024))
        return response

    for handler in (answering(bytes(5001)), unsaid):
        async with serving(handler) as served:
            fetcher = served.another(bytes=5000)
            assert await why(fetcher.fetch(f"{HOST}/")) == "too_large"
            await fetcher.close()


async def test_a_page_as_large_as_the_limit_is_taken():
    async with serving(answering(bytes(5000))) as served:
        fetcher = served.another(bytes=5000)
        assert len((await fetcher.fetch(f"{HOST}/")).body) == 5000
        await fetcher.close()


async def test_packed_pages_are_unpacked_in_one_part_or_several():
    packed = gzip.compress(b"hello ") + gzip.compress(b"world")
    async with serving(answering(packed, Content_Encoding="gzip")) as served:
        assert (await served.fetcher.fetch(f"{HOST}/")).body == b"hello world"
        assert served.hits[-1].headers["Accept-Encoding"] == "gzip"


async def test_a_bomb_is_refused_before_it_is_unpacked():
    bomb = gzip.compress(bytes(64 << 20))
    async with serving(answering(bomb, Content_Encoding="gzip")) as served:
        assert len(bomb) < 70_000
        tracemalloc.start()
        assert await why(served.fetcher.fetch(f"{HOST}/")) == "too_large"
        assert tracemalloc.get_traced_memory()[1] < 32 << 20
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzip.compress(b"hello" * 100)[:20]),
        ("gzip", b"not packed at all"),
        ("br", b"hello"),
        ("deflate", zlib.compress(b"hello")),
        ("gzip, gzip", gzip.compress(gzip.compress(b"hello"))),
    ],
    ids=["cut off", "not packed", "brotli", "deflate", "twice"],
)
async def test_what_cannot_be_unpacked_is_broken(coding: str, body: bytes):
    async with serving(answering(body, Content_Encoding=coding)) as served:
        assert await why(served.fetcher.fetch(f"{HOST}/")) == "broken"


async def test_a_page_whose_connection_ends_too_early_is_broken():
    async def cut(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b"half")
        assert request.transport
        request.transport.close()
        return response

    async with serving(cut) as served:
        assert await why(served.fetcher.fetch(f"{HOST}/")) == "broken"


async def test_headers_without_end_are_refused():
    async with serving(answering(X="a" * 20_000)) as served:
        assert await why(served.fetcher.fetch(f"{HOST}/")) == "broken"


async def test_a_page_that_takes_too_long_is_given_up():
    async def trickle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(100):
            await response.write(b".")
            await asyncio.sleep(0.05)
        return response

    async with serving(trickle) as served:
        fetcher = served.another(seconds=0.3)
        assert await why(fetcher.fetch(f"{HOST}/")) == "timeout"
        await fetcher.close()
