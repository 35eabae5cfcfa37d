"""The simulated site as a visitor sees it: its hosts and its faults."""

import asyncio

import pytest
from aiohttp import ClientPayloadError, TooManyRedirects

from optimai.sim.site.faults import MIRROR
from tests.site_visitor import read, visited, walk


async def test_links_lead_to_every_page_and_to_every_kind_of_fault():
    async with visited() as (site, client):
        status = await walk(site, client)
        missed = {path for path in site.editions if site.pages.url(path) not in status}
        by_status = {code: [url for url in status if status[url] == code] for code in status.values()}
        assert not missed
        assert 20 <= len(by_status[404]) <= 60
        assert by_status[0] == [site.pages.url("/books.html")]
        assert by_status[500] == [site.pages.url("/atomiccommit.html")]
        assert by_status[429] == [site.pages.url("/c3ref/prepare.html")]
        assert site.pages.url("/c3ref/methods.html") in by_status[301]
        assert site.pages.url("/schema.html") in by_status[302]
        assert sum(url.startswith(f"http://docs-{MIRROR.at}.") for url in by_status[200]) >= 31 + 10


async def test_a_page_has_one_home_and_the_other_hosts_send_there():
    async with visited() as (site, client):
        home = site.pages.url("/faq.html")
        away = next(
            site.pages.url("/faq.html", host)
            for host in range(1, 9)
            if not site.pages.answers(host, "/faq.html")
        )
        async with client.get(away) as answer:
            assert [step.status for step in answer.history] == [301]
            assert str(answer.url) == home


async def test_the_bare_address_of_a_host_leads_to_the_start():
    async with visited() as (site, client), client.get(site.pages.url("/", 4)) as answer:
        assert str(answer.url) == site.start
        assert answer.status == 200


async def test_a_mirror_answers_with_the_same_bytes_under_another_url():
    async with visited() as (site, client):
        assert len(site.pages.mirrored) >= 10
        for path in site.pages.mirrored:
            copies = [await read(client, site.pages.url(path, host)) for host in (MIRROR.of, MIRROR.at)]
            assert copies[0] == copies[1]


async def test_robots_differ_by_host_and_forbid_pages_that_are_there():
    async with visited() as (site, client):
        rules = [await read(client, site.pages.url("/robots.txt", host)) for host in (1, 5, 2)]
        assert b"Disallow: /session/" in rules[0]
        assert b"Crawl-delay: 0.2" in rules[1]
        assert b"Disallow: /syntax/" in rules[2]
        assert [path for path in site.editions if site.pages.home(path) == 1 and path.startswith("/session/")]
        assert [path for path in site.editions if site.pages.home(path) == 2 and path.startswith("/syntax/")]
        async with client.get(site.pages.url("/robots.txt", 4)) as answer:
            assert answer.status == 404


async def test_a_chain_of_redirects_ends_at_a_page():
    async with visited() as (site, client), client.get(site.pages.url("/c3ref/io_methods.html")) as answer:
        assert [step.status for step in answer.history] == [301, 302, 301]
        assert str(answer.url) == site.pages.url("/c3ref/vfs.html")


async def test_a_loop_of_redirects_never_ends():
    async with visited() as (site, client):
        with pytest.raises(TooManyRedirects):
            await client.get(site.pages.url("/schematab.html"))


@pytest.mark.parametrize(
    ("path", "encoding", "letter"),
    [("/spellfix1.html", "windows-1252", "ß"), ("/cli.html", "shift_jis", "─")],
)
async def test_a_mislabelled_page_says_utf_8_and_is_not(path: str, encoding: str, letter: str):
    async with visited() as (site, client), client.get(site.pages.url(path)) as answer:
        body = await answer.read()
        assert answer.charset == "utf-8"
        assert letter in body.decode(encoding)
        with pytest.raises(UnicodeDecodeError):
            body.decode()


async def test_a_page_that_failed_once_works_the_next_time():
    async with visited() as (site, client):
        for path, status, wait in ("/atomiccommit.html", 500, None), ("/c3ref/prepare.html", 429, "1"):
            async with client.get(site.pages.url(path)) as answer:
                assert (answer.status, answer.headers.get("Retry-After")) == (status, wait)
            async with client.get(site.pages.url(path)) as answer:
                assert answer.status == 200


async def test_a_slow_page_trickles_for_two_seconds_and_is_whole():
    async with visited() as (site, client):
        clock = asyncio.get_running_loop().time
        began = clock()
        body = await read(client, site.pages.url("/pragma.html"))
        assert 1.9 < clock() - began < 5
        assert body == site.editions["/pragma.html"].body


async def test_a_compressed_answer_is_cut_off():
    async with visited() as (site, client), client.get(site.pages.url("/books.html")) as answer:
        assert answer.headers["Content-Encoding"] == "gzip"
        with pytest.raises(ClientPayloadError):
            await answer.read()
