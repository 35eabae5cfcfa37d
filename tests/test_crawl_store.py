"""The promises of the frontier of `crawl`, on a real PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nacl.signing import SigningKey

from optimai.blobs.memory import MemoryBlobs
from optimai.core.clock import Instant
from optimai.core.ids import BlobId, StepId, blob_id
from optimai.kinds import catalog
from optimai.kinds.contract import Accepted, News, Plan
from optimai.kinds.crawl import store
from optimai.kinds.crawl.outcome import Outcome
from optimai.kinds.crawl.pages import MOST_LINKS
from optimai.kinds.crawl.spec import Fetch, Fetched, Frontier, Options, plan
from optimai.network.identity import Identity
from optimai.network.store.sql import Tx
from optimai.sim.proof.kit import NOON

STEP = StepId(7)
AT = "2026-01-01T12:00:00Z"
HERE = "http://a.example/"


class Crawl:
    """Drives the frontier as the plan stage does. `web` says where each page leads."""

    def __init__(self, tx: Tx, step: StepId = STEP, **options: Any) -> None:
        self.tx = tx
        self.step = step
        self.options = Options(**({"max": 100} | options))
        self.now = NOON
        self.frontier: Frontier

    async def hear(
        self,
        *,
        seeds: Sequence[Any] = (),
        accepted: Sequence[Accepted[Any, Any]] = (),
        ended: bool = True,
        still: int = 0,
    ) -> Plan[Any]:
        columns = {blob_id(b"seeds"): {"url": seeds}} if seeds else {}
        news: News[Any, Any] = News(columns=columns, accepted=accepted, ended=ended, open=still)
        self.frontier = await store.load(self.tx, self.tx.blobs, self.step, self.options, news, self.now)
        made = plan(self.options, self.frontier, news)
        await store.save(self.tx, self.step, made, self.now)
        return made

    async def answered(self, task: Fetch, *outcomes: Outcome) -> Accepted[Any, Any]:
        return Accepted(task, Fetched(outcomes) if outcomes else None)

    async def links(self, *urls: str) -> BlobId:
        return await self.tx.blobs.put("".join(f"{url}\n" for url in urls).encode())

    async def states(self) -> dict[str, str]:
        rows = await self.tx.fetch("select url, state from kind_crawl.urls where step = $1", self.step)
        return {row["url"]: row["state"] for row in rows}


@pytest.fixture(scope="module")
def frontier(server: str) -> str:
    """A database with the kind's own tables and no others."""

    async def create() -> None:
        admin = await asyncpg.connect(server)
        await admin.execute("create database frontier")
        await admin.close()
        connection = await asyncpg.connect(dsn)
        await connection.execute(catalog.load("crawl").tables)
        await connection.close()

    base, _, query = server.partition("?")
    dsn = f"{base.rsplit('/', 1)[0]}/frontier?{query}"
    asyncio.run(create())
    return dsn


@pytest.fixture
async def tx(frontier: str) -> AsyncIterator[Tx]:
    connection = await asyncpg.connect(frontier)
    transaction = connection.transaction()
    await transaction.start()
    yield Tx(connection, MemoryBlobs(), Identity(key=SigningKey(bytes(32)), name="test", private=True))
    await transaction.rollback()
    await connection.close()


def page(url: str, links: BlobId | None = None) -> Outcome:
    return Outcome(url=url, at=AT, status=200, body=blob_id(b"page"), type="text/html", links=links)


def refused(url: str, why: str) -> Outcome:
    return Outcome(url=url, at=AT, refused=why)


def tasks(made: Plan[Any]) -> list[Fetch]:
    return [piece.task for piece in made.pieces]


async def test_seeds_are_taken_in_once_in_normal_form_and_asked_for(tx: Tx):
    crawl = Crawl(tx)
    made = await crawl.hear(seeds=["http://A.example", HERE, "ftp://a.example/", None, "nonsense", 7])
    assert [task.urls for task in tasks(made)] == [(HERE,)]
    assert await crawl.states() == {HERE: "open"}
    assert not (await crawl.hear(seeds=[HERE], still=1)).pieces


async def test_a_host_has_one_open_task_at_a_time(tx: Tx):
    crawl = Crawl(tx, batch=2)
    [task] = tasks(await crawl.hear(seeds=[f"{HERE}{n}" for n in range(5)]))
    assert task.urls == (f"{HERE}0", f"{HERE}1")
    [other] = tasks(await crawl.hear(seeds=["http://b.example/"], still=1))
    assert other.urls == ("http://b.example/",)
    done = await crawl.answered(task, *map(page, task.urls))
    [after] = tasks(await crawl.hear(accepted=[done], still=1))
    assert after.urls == (f"{HERE}2", f"{HERE}3")


async def test_ports_of_a_host_are_one_host(tx: Tx):
    made = await Crawl(tx).hear(seeds=[HERE, "http://a.example:8080/", "https://a.example/"])
    assert [len(task.urls) for task in tasks(made)] == [3]


async def test_links_and_redirects_of_believed_pages_wait_next(tx: Tx):
    crawl = Crawl(tx, within=("*.example",))
    [task] = tasks(await crawl.hear(seeds=[HERE, f"{HERE}old"]))
    moved = Outcome(url=f"{HERE}old", at=AT, status=301, moved_to=f"{HERE}new")
    leads = await crawl.links("http://b.example/x", HERE)
    made = await crawl.hear(accepted=[await crawl.answered(task, page(HERE, leads), moved)])
    assert sorted(task.urls for task in tasks(made)) == [(f"{HERE}new",), ("http://b.example/x",)]


async def test_a_redirect_loop_ends(tx: Tx):
    crawl = Crawl(tx)
    here, there = HERE, f"{HERE}there"
    moved = {
        here: Outcome(url=here, at=AT, status=302, moved_to=there),
        there: Outcome(url=there, at=AT, status=302, moved_to=here),
    }
    made = await crawl.hear(seeds=[here])
    for _ in range(2):
        [task] = tasks(made)
        made = await crawl.hear(accepted=[await crawl.answered(task, *(moved[url] for url in task.urls))])
    assert made.finished


async def test_without_a_scope_links_stay_on_the_hosts_of_the_seeds(tx: Tx):
    crawl = Crawl(tx)
    made = await crawl.hear(seeds=[HERE, "http://b.example/"])
    assert {task.within for task in tasks(made)} == {("a.example", "b.example")}


async def test_of_very_many_seeds_each_leads_only_to_its_own_host(tx: Tx):
    crawl = Crawl(tx)
    made = await crawl.hear(seeds=[f"http://h{n}.example/" for n in range(store.MOST_HOSTS + 1)])
    assert {task.within for task in tasks(made)} == {()}
    leads = await crawl.links("http://h1.example/more", "http://h2.example/more")
    [task] = [task for task in tasks(made) if task.urls == ("http://h1.example/",)]
    made = await crawl.hear(accepted=[await crawl.answered(task, page(task.urls[0], leads))])
    assert [task.urls for task in tasks(made)] == [("http://h1.example/more",)]


async def test_what_a_node_wrote_into_a_list_of_links_is_not_taken_unread(tx: Tx):
    crawl = Crawl(tx)
    [task] = tasks(await crawl.hear(seeds=[HERE]))
    leads = await crawl.links(
        "http://evil.example/",
        "http://a.example/x#part",
        "file:///etc/passwd",
        "\x00",
        "a" * 3000,
        "",
        f"{HERE}ok",
    )
    made = await crawl.hear(accepted=[await crawl.answered(task, page(HERE, leads))])
    assert [task.urls for task in tasks(made)] == [(f"{HERE}ok",)]


@pytest.mark.parametrize("flaw", ["missing", "too many", "not text"])
async def test_a_list_of_links_that_no_honest_node_writes_leads_nowhere(tx: Tx, flaw: str):
    crawl = Crawl(tx)
    [task] = tasks(await crawl.hear(seeds=[HERE]))
    leads = {
        "missing": blob_id(b"never sent"),
        "too many": await crawl.links(*(f"{HERE}{n}" for n in range(MOST_LINKS + 1))),
        "not text": await tx.blobs.put(b"\xff\xfe\x00" * 100),
    }[flaw]
    assert (await crawl.hear(accepted=[await crawl.answered(task, page(HERE, leads))])).finished


async def test_no_more_pages_are_asked_for_than_the_campaign_wants(tx: Tx):
    crawl = Crawl(tx, max=3)
    [task] = tasks(await crawl.hear(seeds=[HERE]))
    leads = await crawl.links(*(f"{HERE}{n}" for n in range(9)))
    made = await crawl.hear(accepted=[await crawl.answered(task, page(HERE, leads))])
    [task] = tasks(made)
    assert len(task.urls) == 2
    made = await crawl.hear(accepted=[await crawl.answered(task, *map(page, task.urls))])
    assert made.finished


async def test_a_refused_page_gives_its_place_to_another(tx: Tx):
    crawl = Crawl(tx, max=1)
    [task] = tasks(await crawl.hear(seeds=[HERE, f"{HERE}other"]))
    assert task.urls == (HERE,)
    [task] = tasks(await crawl.hear(accepted=[await crawl.answered(task, refused(HERE, "robots"))]))
    assert task.urls == (f"{HERE}other",)
    assert (await crawl.states())[HERE] == "refused"


async def test_what_is_out_of_reach_is_tried_three_times(tx: Tx):
    crawl = Crawl(tx)
    made = await crawl.hear(seeds=[HERE])
    for _ in range(store.MOST_TRIES):
        [task] = tasks(made)
        made = await crawl.hear(accepted=[await crawl.answered(task, refused(HERE, "timeout"))])
    assert made.finished
    assert await crawl.states() == {HERE: "lost"}


async def test_what_was_not_believed_is_asked_of_another(tx: Tx):
    crawl = Crawl(tx)
    [task] = tasks(await crawl.hear(seeds=[HERE, f"{HERE}two"]))
    [again] = tasks(await crawl.hear(accepted=[await crawl.answered(task, page(HERE))]))
    assert again.urls == (f"{HERE}two",)
    [again] = tasks(await crawl.hear(accepted=[await crawl.answered(again)]))
    assert again.urls == (f"{HERE}two",)


async def test_time_that_was_up_is_no_try_where_the_task_came_to_something(tx: Tx):
    crawl = Crawl(tx, batch=5)
    urls = [f"{HERE}{n}" for n in range(9)]
    made = await crawl.hear(seeds=urls)
    for _ in urls:
        [task] = tasks(made)
        slow = (page(task.urls[0]), *(refused(url, "no_time") for url in task.urls[1:]))
        made = await crawl.hear(accepted=[await crawl.answered(task, *slow)])
    assert made.finished
    assert set((await crawl.states()).values()) == {"done"}


async def test_a_verdict_that_is_overturned_sends_its_pages_back(tx: Tx):
    crawl = Crawl(tx, max=1)
    [task] = tasks(await crawl.hear(seeds=[HERE]))
    assert (await crawl.hear(accepted=[await crawl.answered(task, page(HERE))])).finished
    [again] = tasks(await crawl.hear(accepted=[await crawl.answered(task)]))
    assert again.urls == (HERE,)


async def test_the_host_that_has_waited_longest_comes_first(tx: Tx):
    crawl = Crawl(tx, max=2, batch=1)
    made = await crawl.hear(seeds=["http://z.example/", "http://b.example/", HERE])
    assert [task.urls for task in tasks(made)] == [("http://z.example/",), ("http://b.example/",)]


async def test_a_calendar_without_end_is_not_remembered_without_end(tx: Tx):
    crawl = Crawl(tx, max=2, batch=1)
    made = await crawl.hear(seeds=[HERE])
    for _ in range(4):
        for task in tasks(made):
            leads = await crawl.links(*(f"{task.urls[0]}/{day}" for day in range(30)))
            done = page(task.urls[0], leads)
            made = await crawl.hear(accepted=[await crawl.answered(task, done)])
    assert len(await crawl.states()) <= 30 + store.MOST_KNOWN * 2


async def test_steps_do_not_see_each_other(tx: Tx):
    one, other = Crawl(tx), Crawl(tx, StepId(8))
    assert tasks(await one.hear(seeds=[HERE]))
    assert tasks(await other.hear(seeds=[HERE]))
    assert (await other.states()) == {HERE: "open"}


async def test_a_task_dates_from_a_little_before_its_plan(tx: Tx):
    crawl = Crawl(tx)
    crawl.now = Instant(NOON + timedelta(minutes=5))
    [task] = tasks(await crawl.hear(seeds=[HERE]))
    assert task.since == AT


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
async def test_whatever_the_web_answers_a_crawl_ends_within_its_limit_and_loses_nothing(
    tx: Tx, data: st.DataObject
):
    """A small web of random links and faults: each page is asked for until it is done, refused or lost."""
    crawl = Crawl(
        tx,
        StepId(await tx.fetchval("select coalesce(max(step), 100) + 1 from kind_crawl.crawls")),
        max=data.draw(st.integers(1, 12)),
        batch=data.draw(st.integers(1, 4)),
        within=("*.example",),
    )
    web = [f"http://h{n % 3}.example/{n}" for n in range(9)]
    made = await crawl.hear(seeds=[web[0]])
    open_tasks = tasks(made)
    paid = 0
    while open_tasks:
        hosts = [task.urls[0].rpartition("/")[0] for task in open_tasks]
        assert len(hosts) == len(set(hosts))
        task = open_tasks.pop(data.draw(st.integers(0, len(open_tasks) - 1)))
        outcomes = []
        for url in task.urls:
            fate = data.draw(st.sampled_from(["page", "page", "page", "robots", "timeout", "disputed"]))
            if fate == "page":
                paid += 1
                to = data.draw(st.lists(st.sampled_from(web), max_size=4))
                outcomes.append(page(url, await crawl.links(*to) if to else None))
            elif fate != "disputed":
                outcomes.append(refused(url, fate))
        done = await crawl.answered(task, *outcomes)
        made = await crawl.hear(accepted=[done], still=len(open_tasks))
        open_tasks += tasks(made)
    assert made.finished
    assert paid <= crawl.options.max
    states = await crawl.states()
    assert list(states.values()).count("done") == paid
    assert "open" not in states.values()
    assert paid == crawl.options.max or "waiting" not in states.values()
    [counted] = await tx.fetch("select known, asked from kind_crawl.crawls where step = $1", crawl.step)
    assert (counted["known"], counted["asked"]) == (len(states), paid)
