"""The pages as any client gets them: their headers, their words, and the stream of a running campaign."""

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html import unescape
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from msgspec.structs import replace

from optimai.cli import connect
from optimai.network import campaigns
from optimai.network.api import app
from optimai.network.identity import Commands
from optimai.network.queries import Database, datasets, look
from optimai.network.store.tokens import Bearer
from optimai.web import live, views
from optimai.web.pages import routes
from tests import town
from tests.browser import serving
from tests.road import REQUESTER, Road, campaign
from tests.test_queries import seen

PATHS = ("/", "/campaigns/plants", "/nodes", "/nodes/fay", "/datasets", "/datasets/plants@1", "/ledger")


async def get(address: str, accept: str = "*/*") -> tuple[aiohttp.ClientResponse, str]:
    headers = {"accept": accept}
    async with aiohttp.ClientSession() as session, session.get(address, headers=headers) as response:
        return response, await response.text()


async def test_every_page_forbids_all_but_our_own_files_and_holds_to_it(database: Database):
    await town.live(await town.settle(database), 5)
    async with look(database) as (tx, _):
        row = (await datasets.version(tx, "plants", 1)).first[0]["_row"]
    async with serving(database) as base:
        for path in (*PATHS, f"/trace/plants/1/{row}", "/campaigns/nope"):
            response, text = await get(base + path)
            policy = response.headers["content-security-policy"]
            assert response.status == (404 if path == "/campaigns/nope" else 200)
            assert response.content_type == "text/html"
            assert response.headers["cache-control"] == "no-store"
            assert response.headers["x-content-type-options"] == "nosniff"
            assert policy.startswith("default-src 'none'; ")
            assert "unsafe" not in policy
            assert not re.search(r"<script(?![^>]* src=)|<style| style=| on[a-z]+=|javascript:", text)
            assert all(link.startswith("/") for link in re.findall(r'(?:src|href)="([^"#]+)"', text))


async def test_what_strangers_write_is_shown_and_never_obeyed(database: Database):
    world = await town.settle(database)
    evil = "<script>alert(1)</script>"
    await world.join(evil, town.Machine())
    await town.live(world, 3)
    await town.tell(world, "bad", evil, f"<img src=x onerror='{evil}'>")
    async with serving(database) as base:
        for path in ("/nodes", "/campaigns/plants"):
            _, text = await get(base + path)
            assert "&lt;script&gt;alert(1)" in text
            assert "<script>" not in text
            assert "<img" not in text


async def test_an_error_is_a_page_with_the_sentence_that_says_what_to_do_next(database: Database):
    await town.settle(database)
    async with serving(database) as base:
        for path, status, said in (
            ("/campaigns/nope", 404, "There is no campaign nope. The page of all campaigns lists"),
            ("/datasets/plants@x", 404, "Versions are numbered: write NAME@1."),
            ("/trace/plants/1/ff", 404, "There is no dataset plants@1."),
            ("/nodes/nobody", 404, "There is no node nobody."),
        ):
            response, text = await get(base + path)
            assert response.status == status
            assert said in text
            assert 'data-part="health"' in text
            assert "<footer>" in text


async def test_when_its_database_is_gone_a_page_says_so_as_a_page(database: Database):
    async with serving(database, app.make(database, routes(database))) as base:
        database.pool.terminate()
        for path in ("/", "/campaigns/plants", "/ledger"):
            response, text = await get(base + path, "text/html")
            assert (response.status, response.content_type) == (500, "text/html")
            assert "Something of ours broke in this page; nothing acknowledged is lost. Try again" in text
            assert "default-src 'none'" in response.headers["content-security-policy"]


async def test_what_answers_get_answers_head_without_a_body(database: Database):
    await town.settle(database)
    async with (
        serving(database, app.make(database, routes(database))) as base,
        aiohttp.ClientSession() as client,
    ):
        for path, status in (
            ("/", 200),
            ("/campaigns/plants", 200),
            ("/network", 200),
            ("/nodes/nobody", 404),
        ):
            async with client.head(base + path) as response:
                assert (response.status, await response.read()) == (status, b"")
                length = response.headers["content-length"]
            async with client.get(base + path) as response:
                assert int(length) == len(await response.read())


async def test_the_list_of_campaigns_is_the_first_page(database: Database):
    await town.settle(database)
    async with serving(database) as base:
        response, _ = await get(f"{base}/campaigns")
        assert str(response.url) == f"{base}/"


async def test_what_a_program_may_ask_for_is_described_without_anything_from_elsewhere(database: Database):
    async with serving(database, app.make(database, routes(database))) as base:
        response, text = await get(f"{base}/api", "text/html")
        assert "default-src 'none'" in response.headers["content-security-policy"]
        assert "GET /v1/campaigns/{name}" in text
        assert "What a campaign does just now" in text
        response, text = await get(f"{base}/api/openapi.json", "text/html")
        assert set(msgspec.json.decode(text)["paths"]) >= {"/v1/campaigns", "/network"}
        for path in ("/api/", "/api/openapi.json/", "/api/openapi.json/x"):
            _, text = await get(base + path, "text/html")
            assert "http://" not in text
            assert "https://" not in text


async def test_an_unknown_address_is_a_page_to_a_browser_and_an_error_with_a_code_to_a_program(
    database: Database,
):
    async with serving(database, app.make(database, routes(database))) as base:
        for path in ("/nowhere", "/no/where.html"):
            response, text = await get(base + path, "text/html,*/*;q=0.8")
            assert (response.status, response.content_type) == (404, "text/html")
            assert "There is no page" in text
        for path in ("/nowhere", "/no/where.html", "/v1/nowhere"):
            response, text = await get(base + path)
            assert (response.status, response.content_type) == (404, "application/json")
            assert msgspec.json.decode(text)["code"] == "http"


async def test_a_dataset_shows_what_says_most_of_a_row_first_and_the_sizes_of_its_splits(database: Database):
    await town.live(await town.settle(database), 5)
    async with serving(database) as base:
        _, text = await get(f"{base}/datasets/plants@1")
    [first, *_] = re.findall(r"<ol class=.rows.>(.*?)</li>", text, re.DOTALL)
    assert re.findall("<dt>(.*?)</dt>", first)[:3] == ["label", "votes", "of"]
    assert "how many people&#39;s answers counted; from topic" in text
    train, test = (
        int(rows) for rows in re.search(r"train with (\d+) rows and test with (\d+)", text).groups()
    )
    assert train + test == 120


@pytest.mark.usefixtures("trial")
async def test_campaigns_of_one_name_have_a_page_each_and_the_name_leads_to_the_last(database: Database):
    road = Road(database)
    first = await road.begin()
    async with database.begin() as (tx, now):
        await campaigns.cancel(tx, now, "trials", Bearer(REQUESTER, frozenset()))
    await road.quiet()
    second = await road.submit(campaign(budget="2 OPI"))
    await road.stage("plan")
    async with serving(database) as base:
        _, listed = await get(base)
        assert re.findall('<a href="(/campaigns/[^"]+)"', listed) == [
            f"/campaigns/trials/{second}",
            f"/campaigns/trials/{first}",
        ]
        assert "cancelled" in listed
        _, old = await get(f"{base}/campaigns/trials/{first}")
        assert "It was cancelled before it was done." in old
        assert "cut short" not in old + listed
        assert f'A newer one has the name now: <a href="/campaigns/trials">number {second}</a>' in old
        for path in (f"/campaigns/trials/{second}", "/campaigns/trials"):
            _, new = await get(base + path)
            assert f'data-live="/campaigns/trials/{second}/live"' in new
            assert "newer one" not in new
        for number in ("9", "x", "9" * 30):
            response, text = await get(f"{base}/campaigns/trials/{number}")
            assert response.status == 404
            assert f"with the number {number}. The page of all campaigns" in text


async def test_a_dataset_without_its_number_leads_to_the_newest(database: Database):
    await town.live(await town.settle(database), 5)
    async with serving(database) as base:
        response, _ = await get(f"{base}/datasets/plants")
        assert str(response.url) == f"{base}/datasets/plants@1"


async def test_files_are_kept_for_ever_under_a_path_that_changes_with_them(database: Database):
    async with serving(database) as base:
        for name, kind in views.ASSETS.items():
            response, _ = await get(base + views.asset(name))
            assert response.content_type == kind
            assert "immutable" in response.headers["cache-control"]
            response, _ = await get(f"{base}/static/000000000000/{name}")
            assert response.status == 404


async def test_pages_and_the_api_live_in_one_server(database: Database):
    async with serving(database, app.make(database, routes(database))) as base:
        async with aiohttp.ClientSession() as session, session.post(f"{base}/nodes", data=b"{}") as joined:
            assert joined.content_type == "application/json"
            assert 400 <= joined.status < 500
        response, text = await get(f"{base}/nodes")
        assert response.status == 200
        assert "Nobody has joined yet" in text
        response, _ = await get(f"{base}/nodes/nobody")
        assert response.content_type == "text/html"


# The stream


class Stream:
    """Server-sent events, one after the other."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._lines = response.content

    async def message(self) -> dict[str, str]:
        """Its fields; a comment is the field "". An empty message: the stream is over."""
        fields: dict[str, str] = {}
        while line := (await self._lines.readline()).decode().rstrip("\r\n") or (None if not fields else ""):
            name, _, value = line.partition(": ")
            fields[name.strip(":")] = value
        return fields

    async def parts(self) -> dict[str, str]:
        message = await self.message()
        assert message["event"] == "parts"
        found: dict[str, str] = msgspec.json.decode(message["data"])
        return found


@asynccontextmanager
async def watching(base: str) -> AsyncIterator[Stream]:
    async with (
        aiohttp.ClientSession(read_bufsize=1 << 20) as session,
        session.get(f"{base}/campaigns/plants/1/live") as response,
    ):
        assert response.content_type == "text/event-stream"
        yield Stream(response)


async def test_who_watches_is_sent_what_changed_and_nothing_else(database: Database):
    world = await town.settle(database)
    await town.live(world, 1)
    async with serving(database) as base, watching(base) as stream:
        shown = await stream.parts()
        assert set(shown) == set(views.PARTS)
        _, page = await get(f"{base}/campaigns/plants")
        assert all(html.strip() in page for html in shown.values())

        await town.tell(world, "good", "Coordinator back", "Nothing is lost.")
        changed = await stream.parts()
        assert set(changed) == {"checks"}
        assert "Coordinator back" in changed["checks"]


async def test_the_stream_ends_with_its_campaign(database: Database):
    world = await town.settle(database)
    await town.live(world, 24)
    async with serving(database) as base, watching(base) as stream:
        await stream.parts()
        await town.live(world, 110)
        lead = ""
        while (message := await stream.message())["event"] == "parts":
            lead = msgspec.json.decode(message["data"]).get("lead", lead)
        assert "came back" in lead
        assert message["event"] == "end"
        assert await stream.message() == {}
    assert (await seen(database)).state == "done"


async def test_while_nothing_changes_an_event_tells_that_we_are_still_here(
    database: Database, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(live, "EVERY", 0.05)
    monkeypatch.setattr(live, "HEARTBEAT", 0.2)
    await town.live(await town.settle(database), 1)
    async with serving(database) as base, watching(base) as stream:
        await stream.parts()
        assert (await stream.message())["event"] == "here"


async def test_many_who_watch_cost_one_look_at_a_time(database: Database, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(live, "EVERY", 0.3)
    monkeypatch.setattr(live, "SHARE", 1)  # a busy machine looks slowly
    await town.live(await town.settle(database), 1)
    looks = 0
    begin = database.begin

    def counted(**given: Any) -> Any:
        nonlocal looks
        looks += 1
        return begin(**given)

    monkeypatch.setattr(database, "begin", counted)
    watched = live.Live(database)

    async def watch() -> None:
        async for _ in watched.follow(("plants", 1)):
            pass

    watchers = [asyncio.create_task(watch()) for _ in range(20)]
    await asyncio.sleep(1)
    for watcher in watchers:
        watcher.cancel()
    await asyncio.gather(*watchers, return_exceptions=True)
    assert 2 <= looks <= 5


async def test_commands_are_shown_as_they_work_where_they_are_pasted(database: Database):
    await town.live(await town.settle(database), 5)
    database.network = replace(
        database.network, commands=Commands("'/a b/optimai'", " --home '/tmp/the demo/network'")
    )
    async with look(database) as (tx, _):
        row = (await datasets.version(tx, "plants", 1)).first[0]["_row"]
    async with serving(database) as base:
        shown = {path: unescape((await get(base + path))[1]) for path in ("/datasets/plants@1", "/ledger")}
        traced = unescape((await get(f"{base}/trace/plants/1/{row}"))[1])
    home = " --home '/tmp/the demo/network'"
    assert f"'/a b/optimai' get plants@1 --to parquet{home}\n" in shown["/datasets/plants@1"]
    assert f"'/a b/optimai' trace plants@1 {row[:12]}{home}<" in shown["/datasets/plants@1"]
    assert f"'/a b/optimai' verify EPOCH{home}<" in shown["/ledger"]
    assert not re.search(r"<code>optimai (get|trace|verify)", traced + "".join(shown.values()))


def test_a_command_names_the_folder_unless_it_is_the_usual_one_and_to_strangers_the_address(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("HOME", str(tmp_path))
    usual = tmp_path / ".optimai" / "private"
    assert connect.commands(usual, "http://h:1", private=True).where == ""
    other = tmp_path / "the demo" / "network"
    assert connect.commands(other, "http://h:1", private=True).where == f" --home '{other}'"
    assert (
        connect.commands(other, "http://h:1", private=False)("verify 7")
        == "optimai verify 7 --url http://h:1"
    )
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))
    assert connect.commands(usual, "", private=True).program == "optimai"
    monkeypatch.setenv("PATH", "/nowhere")
    assert connect.commands(usual, "", private=True).program == str(Path(sys.executable).with_name("optimai"))
