"""The promises of a node's politeness: whose turn it is, and what robots.txt says."""

import asyncio
import gzip
from datetime import timedelta

import pytest
from aiohttp import web

from optimai.core.clock import Instant
from optimai.node.fetch import BACK_OFF, FAULT_LASTS, RESERVE, RULES_LAST, Fetcher
from optimai.node.get import PRODUCT
from optimai.node.robots import Rules
from optimai.sim.proof.kit import NOON
from tests.served import HOST, Names, Served, answering, hello, serving, why


async def test_between_two_requests_passes_what_the_task_asks_for():
    async with serving(hello) as served:
        for delay in (300, 300, 100):
            await served.fetcher.fetch(f"{HOST}/", delay_ms=delay)
        assert served.time.slept == [0.3, 0.1]


async def test_or_what_the_site_asks_for_if_that_is_more():
    async with serving(hello, "User-agent: *\nCrawl-delay: 2\n") as served:
        for _ in range(2):
            await served.fetcher.fetch(f"{HOST}/", delay_ms=300)
        assert served.time.slept == [2]


async def test_hosts_do_not_wait_for_each_other():
    async with serving(hello) as served:
        await served.fetcher.fetch(f"{HOST}/", delay_ms=1000)
        await served.fetcher.fetch("http://other.localhost/", delay_ms=1000)
        assert served.time.slept == []


async def test_a_host_that_is_not_the_operators_is_never_asked_faster_than_we_think_fit():
    served = Served(1, [])
    fetcher = served.another(names=Names(docs_example="127.0.0.1"), distance=timedelta(seconds=3))
    site = fetcher._site("docs.example")
    site.rules["http://docs.example"] = (Rules("", PRODUCT), Instant(NOON + RULES_LAST))
    for _ in range(2):
        assert await why(fetcher.fetch("http://docs.example/", delay_ms=0)) == "private"
    assert served.time.slept == [3]
    await fetcher.close()


async def test_a_host_gets_one_request_at_a_time_from_all_tasks_of_a_node():
    now = most = 0

    async def slow(request: web.Request) -> web.StreamResponse:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.02)
        now -= 1
        return web.Response()

    async with serving(slow) as served:
        await asyncio.gather(*(served.fetcher.fetch(f"{HOST}/{n}", delay_ms=10) for n in range(5)))
        assert most == 1
        assert served.time.slept == [0.01] * 4
        now = most = 0
        await asyncio.gather(*(served.fetcher.fetch(f"http://{n}.localhost/") for n in ("docs", "other")))
        assert most == 2


@pytest.mark.parametrize(
    ("header", "wait"),
    [
        ("7", 7),
        ("Thu, 01 Jan 2026 12:00:09 GMT", 9),
        ("0", BACK_OFF.total_seconds()),
        ("soon", BACK_OFF.total_seconds()),
        ("99999999999", 3600),
        ("Thu, 01 Jan 1970 00:00:00 GMT", BACK_OFF.total_seconds()),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
async def test_a_busy_host_is_left_alone_for_as_long_as_it_asks(header: str, wait: float, status: int):
    async with serving(answering(status=status, Retry_After=header)) as served:
        assert (await served.fetcher.fetch(f"{HOST}/")).status == status
        await served.fetcher.fetch(f"{HOST}/other")
        assert served.time.slept == [wait]


async def test_a_turn_that_comes_after_the_lease_is_not_waited_for():
    until = Instant(NOON + timedelta(minutes=5))
    async with serving(answering(status=429, Retry_After="600")) as served:
        assert (await served.fetcher.fetch(f"{HOST}/", until=until)).status == 429
        assert await why(served.fetcher.fetch(f"{HOST}/", until=until)) == "no_time"
        served.time.at = Instant(until - RESERVE)
        assert await why(served.fetcher.fetch("http://other.localhost/", until=until)) == "no_time"
        assert served.time.slept == []


async def test_time_to_hand_the_result_in_is_kept_free():
    soon = Instant(NOON + RESERVE + timedelta(seconds=1))
    async with serving(hello) as served:
        await served.fetcher.fetch(f"{HOST}/", until=soon)
        assert await why(served.fetcher.fetch(f"{HOST}/", delay_ms=2000, until=soon)) == "no_time"
        await served.fetcher.fetch(f"{HOST}/", delay_ms=500, until=soon)
        assert served.time.slept == [0.5]


async def test_a_host_that_fails_waits_its_distance_too():
    async with serving(answering(gzip.compress(b"x")[:5], Content_Encoding="gzip")) as served:
        for _ in range(2):
            assert await why(served.fetcher.fetch(f"{HOST}/", delay_ms=100)) == "broken"
        assert served.time.slept == [0.1]


async def test_hosts_without_end_are_not_remembered_without_end():
    fetcher = Fetcher({}, lambda: NOON)
    for number in range(2000):
        fetcher._site(f"h{number}.example")
    assert len(fetcher._sites) <= 256
    assert fetcher._site("h1999.example") is fetcher._site("h1999.example")


# robots.txt


async def test_what_robots_forbid_is_not_asked_for():
    async with serving(hello, f"User-agent: {PRODUCT}\nDisallow: /private\n") as served:
        assert await why(served.fetcher.fetch(f"{HOST}/private/x")) == "robots"
        assert (await served.fetcher.fetch(f"{HOST}/public")).status == 200
        assert served.paths == ["/public"]


async def test_robots_are_read_once_and_again_when_they_are_old():
    async with serving(hello, "") as served:
        for _ in range(3):
            await served.fetcher.fetch(f"{HOST}/")
        assert len(served.hits) - len(served.paths) == 1
        served.time.pass_(RULES_LAST)
        await served.fetcher.fetch(f"{HOST}/")
        assert len(served.hits) - len(served.paths) == 2


@pytest.mark.parametrize("status", [401, 403, 404, 410])
async def test_a_site_without_robots_allows_everything(status: int):
    async with serving(hello, answering(b"User-agent: *\nDisallow: /", status)) as served:
        assert (await served.fetcher.fetch(f"{HOST}/")).status == 200


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_site_that_cannot_give_its_robots_now_is_not_fetched_from_now(status: int):
    async with serving(hello, answering(status=status)) as served:
        for _ in range(3):
            assert await why(served.fetcher.fetch(f"{HOST}/")) == "unreachable"
        assert [hit.path for hit in served.hits] == ["/robots.txt"]
        served.time.pass_(FAULT_LASTS)
        assert await why(served.fetcher.fetch(f"{HOST}/")) == "unreachable"
        assert len(served.hits) == 2


async def test_robots_are_followed_over_a_few_redirects_and_never_into_a_private_place():
    async def moved(request: web.Request) -> web.StreamResponse:
        return web.Response(status=301, headers={"Location": "http://other.localhost/rules"})

    async def rules(request: web.Request) -> web.StreamResponse:
        return web.Response(text="User-agent: *\nDisallow: /x\n")

    async with serving(rules, moved) as served:
        assert await why(served.fetcher.fetch(f"{HOST}/x")) == "robots"
    for location in ("http://10.0.0.1/robots.txt", "http://[::1]/"):
        async with serving(hello, answering(status=302, Location=location)) as served:
            assert await why(served.fetcher.fetch(f"{HOST}/")) == "private"
            assert served.paths == []


async def test_robots_that_lead_to_themselves_for_ever_are_none():
    async with serving(hello, answering(status=302, Location="/robots.txt")) as served:
        assert (await served.fetcher.fetch(f"{HOST}/")).status == 200


async def test_of_a_robots_txt_without_end_the_beginning_counts():
    long = b"User-agent: *\nDisallow: /x\n" + b"#" * (1 << 20)
    async with serving(hello, answering(long)) as served:
        assert await why(served.fetcher.fetch(f"{HOST}/x")) == "robots"
        assert (await served.fetcher.fetch(f"{HOST}/y")).status == 200
