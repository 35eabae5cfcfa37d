"""The simulated site over time: its second edition, what it notes, and the orders that it takes."""

import asyncio
import sys
from datetime import timedelta

from msgspec import json

from optimai.sim.site import serve
from tests.site_visitor import DOCS, KNOWN, LATER, read, similarity, visited, visitor


async def test_change_gives_a_third_of_the_pages_a_text_that_is_hardly_like_the_old_one():
    async with visited() as (site, client):
        changed = site.change(1 / 3, LATER)
        assert 0.2 < len(changed) / len(site.editions) < 0.4
        assert not set(changed) & set(KNOWN)
        for path in changed:
            old, new = (
                edition[path].body.decode("utf-8", "replace") for edition in (site.first, site.editions)
            )
            assert similarity(old, new) < 0.5, path
        async with client.get(site.pages.url(changed[0])) as answer:
            assert answer.headers["Last-Modified"] == "Mon, 04 May 2026 12:30:00 GMT"
            assert "Revised on 2026-05-04" in await answer.text()
        async with client.get(site.pages.url(KNOWN[0])) as answer:
            assert answer.headers["Last-Modified"] == "Wed, 28 Dec 2022 00:00:00 GMT"


async def test_a_page_changes_once_and_a_greater_share_holds_the_smaller():
    async with visited() as (site, _):
        first = site.change(0.2, LATER)
        assert not set(first) & set(site.change(0.4, LATER + timedelta(days=1)))
        assert site.editions[first[0]].modified == LATER


async def test_exact_duplicates_change_together():
    async with visited() as (site, _):
        for percent in range(0, 101, 5):
            changed = site.change(percent / 100, LATER)
            assert ("/fileformat.html" in changed) == ("/fileformat2.html" in changed)
        assert site.editions["/fileformat.html"] != site.first["/fileformat.html"]


async def test_a_visitor_with_the_tag_or_the_date_gets_304_until_the_page_changes():
    async with visited() as (site, client):
        url = site.pages.url("/whentouse.html")
        async with client.get(url) as answer:
            tag, date = answer.headers["ETag"], answer.headers["Last-Modified"]
        for headers in {"If-None-Match": tag}, {"If-Modified-Since": date}:
            async with client.get(url, headers=headers) as answer:
                assert (answer.status, answer.headers["ETag"]) == (304, tag)
        assert "/whentouse.html" in site.change(1, LATER)
        for headers in {"If-None-Match": tag}, {"If-Modified-Since": date}:
            async with client.get(url, headers=headers) as answer:
                assert answer.status == 200
                assert answer.headers["ETag"] != tag


async def test_the_archive_holds_the_first_edition_after_the_change():
    async with visited() as (site, client):
        before = {path: await read(client, site.pages.url(path)) for path in ("/faq.html", "/about.html")}
        site.change(1, LATER)
        old, new = site.archive(edition=1), site.archive(edition=2)
        for path, body in before.items():
            assert old[site.pages.url(path)] == body
            assert new[site.pages.url(path)] == await read(client, site.pages.url(path)) != body
        assert len(old) == len(site.editions) + len(site.pages.mirrored)


async def test_every_request_is_noted_with_its_time_host_path_and_agent():
    ticks = iter(range(10))
    async with serve(DOCS / "site", clock=lambda: float(next(ticks))) as site, visitor() as client:
        await read(client, site.start)
        await read(client, site.pages.url("/no-such.html", 2))
        assert [(hit.at, hit.path, hit.agent) for hit in site.hits] == [
            (0, "/index.html", "test-visitor"),
            (1, "/no-such.html", "test-visitor"),
        ]
        assert site.counts()[site.start] == 1


async def test_orders_are_taken_under_the_bare_address_only():
    async with visited() as (site, client):
        order = json.encode({"share": 1, "now": LATER})
        async with client.post(site.pages.url("/_control/change"), data=order) as answer:
            assert answer.status == 405
        async with client.get(f"http://127.0.0.1:{site.pages.port}/index.html") as answer:
            assert answer.status == 404
        async with client.post(f"{site.control}/change", data=b"{}") as answer:
            assert answer.status == 400
        assert site.editions == site.first
        async with client.post(f"{site.control}/change", data=order) as answer:
            assert "/faq.html" in await answer.json()


async def test_as_a_child_it_prints_where_to_start_and_changes_when_told():
    command = [sys.executable, "-m", "optimai.sim.site", DOCS / "site", "--steady", DOCS / "known.jsonl"]
    child = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    try:
        assert child.stdout
        start = (await child.stdout.readline()).decode().strip()
        port = start.split(":")[2].split("/")[0]
        async with visitor() as client:
            before = await read(client, start)
            order = json.encode({"share": 1, "now": LATER})
            async with client.post(f"http://127.0.0.1:{port}/_control/change", data=order) as answer:
                changed = await answer.json()
            assert not set(changed) & set(KNOWN)
            assert "/index.html" in changed
            assert await read(client, start) != before
            hits = json.decode(await read(client, f"http://127.0.0.1:{port}/_control/hits"))
            assert [hit["path"] for hit in hits] == ["/index.html", "/index.html"]
    finally:
        child.terminate()
        assert await child.wait() == 0
