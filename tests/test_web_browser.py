"""The pages in a real browser: they follow what happens, fit a phone, and shut nobody out."""

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import NamedTuple

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, expect

from optimai.network.api import app
from optimai.network.queries import datasets, look
from optimai.sim.world import World
from optimai.web.pages import routes
from tests import town
from tests.browser import CHROMIUM, browsing, page_of, serving

pytestmark = [
    pytest.mark.slow,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason=f"there is no {CHROMIUM}"),
]

PAGES = (
    "/",
    "/campaigns/plants",
    "/nodes",
    "/nodes/fay",
    "/nodes/ann",
    "/datasets",
    "/datasets/plants@1",
    "/trace/plants/1/ROW",
    "/ledger",
    "/api",
)
PHONE = 390
NO_SUCH = ("/campaigns/nope", "/nowhere")
AS_OF = re.compile(r"as of \d\d:\d\d:\d\d")
WHERE = """() => {
    const here = document.activeElement;
    return [[...document.links].indexOf(here), getComputedStyle(here).outlineStyle];
}"""


class Site(NamedTuple):
    world: World
    base: str
    browser: Browser
    row: str

    def at(self, path: str) -> str:
        return self.base + path.replace("ROW", self.row)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(server: str) -> AsyncIterator[Site]:
    """The town after a quarter of an hour: something is paid, something pending, two are caught."""
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(town.fresh(server))
        world = await town.settle(database)
        await town.live(world, 16)
        async with look(database) as (tx, _):
            row = (await datasets.version(tx, "plants", 1)).first[0]["_row"]
        whole = app.make(database, routes(database))
        base = await stack.enter_async_context(serving(database, whole))
        yield Site(world, base, await stack.enter_async_context(browsing()), row)


def watch(page: Page) -> tuple[list[str], list[str]]:
    """What its console says, and what it asks for."""
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    return said, asked


@pytest.mark.parametrize("path", PAGES)
async def test_no_page_asks_anybody_else_for_anything_or_complains(site: Site, path: str):
    async with page_of(site.browser) as page:
        said, asked = watch(page)
        await page.goto(site.at(path), wait_until="load")
        await page.wait_for_timeout(200)
        assert said == []
        assert asked
        assert all(address.startswith(site.base) for address in asked)


@pytest.mark.parametrize("path", [*PAGES, *NO_SUCH])
async def test_axe_finds_nothing_wrong_in_the_light_in_the_dark_or_on_a_phone(site: Site, path: str):
    async with page_of(site.browser) as page:
        await page.goto(site.at(path))
        await faultless(page)
        await page.emulate_media(color_scheme="dark")
        await faultless(page)
        await page.set_viewport_size({"width": PHONE, "height": 800})
        await faultless(page)


async def faultless(page: Page) -> None:
    found = await Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize("path", [*PAGES, *NO_SUCH])
async def test_on_a_phone_no_page_scrolls_sideways(site: Site, path: str):
    async with page_of(site.browser, width=PHONE) as page:
        await page.goto(site.at(path))
        assert await page.evaluate("document.documentElement.scrollWidth") == PHONE


@pytest.mark.parametrize("path", PAGES)
async def test_the_keyboard_reaches_every_link_and_shows_where_it_is(site: Site, path: str):
    async with page_of(site.browser, script=False) as page:
        await page.goto(site.at(path))
        links = await page.locator("a").count()
        reached = set()
        for _ in range(links + 10):
            await page.keyboard.press("Tab")
            here, outline = await page.evaluate(WHERE)
            if here >= 0:
                reached.add(here)
                assert outline != "none"
        assert reached == set(range(links))


async def test_a_page_is_right_without_its_script(site: Site):
    async with page_of(site.browser) as live, page_of(site.browser, script=False) as plain:
        await live.goto(site.at("/campaigns/plants"))
        await plain.goto(site.at("/campaigns/plants"))
        await live.wait_for_timeout(1_500)
        assert await live.inner_text("main") == await plain.inner_text("main")


async def test_what_happens_arrives_without_a_reload_and_takes_nothing_from_who_reads(
    server: str, site: Site
):
    async with town.fresh(server) as database:
        world = await town.settle(database)
        await town.live(world, 1)
        async with serving(database) as base, page_of(site.browser) as page:
            said, _ = watch(page)
            await page.goto(f"{base}/campaigns/plants")
            await page.evaluate("window.untouched = true")
            road = page.locator("[data-part=road] li").first
            before = await road.inner_text()
            link = page.locator("[data-part=checks] a").last
            await link.focus()
            to = await link.get_attribute("href")

            await town.live(world, 3)
            await expect(page.locator("[data-part=checks]")).to_contain_text("Suspended dan for word_count")
            await expect(road).not_to_have_text(before)
            await expect(page.locator("[data-part=lead]")).to_contain_text("120 rows of topic are done")

            assert await page.evaluate("window.untouched")
            assert await page.evaluate("document.activeElement.getAttribute('href')") == to
            assert said == []


async def test_a_page_says_when_it_stands_still_and_goes_on_when_the_coordinator_is_back(
    server: str, site: Site
):
    async with town.fresh(server) as database:
        world = await town.settle(database)
        await town.live(world, 1)
        async with page_of(site.browser) as page:
            async with serving(database) as base:
                await page.goto(f"{base}/campaigns/plants")
                await expect(page.locator("[data-part=lead]")).to_contain_text("have a verdict")
                await expect(page.locator("[data-now=live]")).to_be_visible()
                await expect(page.locator("[data-as-of]")).to_be_hidden()
            await expect(page.locator("[data-lost]")).to_be_visible()
            await expect(page.locator("[data-now=lost] [data-as-of]")).to_have_text(AS_OF)

            await town.tell(world, "good", "Coordinator killed and back in 1.2 s", "None is lost.")
            async with serving(database, port=int(base.rpartition(":")[2])):
                await expect(page.locator("[data-part=checks]")).to_contain_text("back in 1.2 s")
                await expect(page.locator("[data-lost]")).to_be_hidden()
                await expect(page.locator("[data-now=live]")).to_be_visible()


async def test_a_page_that_nothing_will_change_any_more_says_of_when_it_is(server: str, site: Site):
    async with town.fresh(server) as database:
        world = await town.settle(database)
        await town.live(world, 24)
        async with serving(database) as base, page_of(site.browser) as page:
            await page.goto(f"{base}/campaigns/plants")
            await expect(page.locator("[data-now=live]")).to_be_visible()
            await town.live(world, 110)
            await expect(page.locator("[data-part=lead]")).to_contain_text("came back")
            for path in ("/campaigns/plants", "/campaigns/plants", "/", "/ledger"):
                await expect(page.locator("[data-now=still] [data-as-of]")).to_have_text(AS_OF)
                await expect(page.locator("[data-lost]:visible")).to_have_count(0)
                await page.goto(base + path)
