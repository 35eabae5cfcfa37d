"""A kind that is damaged, or changes under a running campaign, stops itself and nothing else; and says so."""

import shutil
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from optimai import kinds
from optimai.core.errors import DamagedKind
from optimai.core.ledger import available
from optimai.kinds import bundle, catalog
from optimai.network import campaigns as network_campaigns
from optimai.network.queries import campaigns as queries
from optimai.network.queries import evidence
from optimai.network.store.sql import Database
from optimai.network.store.tokens import Bearer
from optimai.node import ability
from optimai.wire import envelope
from tests.road import MINUTE, REQUESTER, Node, Road, campaign, done

pytestmark = pytest.mark.usefixtures("trial")

TRIAL = Path(__file__).parent / "kinds" / "trial"
SHIFTING = {"kind": "shifting", "validate": {"audit": "0%"}}


class Source:
    """A kind in a folder of its author's, and processes that begin anew after each change of it."""

    def __init__(self, home: Path) -> None:
        self.folder = home / "shifting"
        self.folder.mkdir(parents=True)
        (home / "exact.py").write_text("")  # what kinds share is in the hash, too
        for path in TRIAL.glob("*.py"):
            (self.folder / path.name).write_text(path.read_text().replace("trial", "shifting"))
        self.first = {path: path.read_text() for path in self.folder.glob("*.py")}
        restart()

    def write(self, part: str, text: str) -> None:
        (self.folder / part).write_text(text)
        restart()

    def change(self) -> None:
        """Its code, and nothing of what it does."""
        self.write("judge.py", self.first[self.folder / "judge.py"] + "\n# changed\n")

    def back(self) -> None:
        """As it was."""
        for path, text in self.first.items():
            path.write_text(text)
        restart()


def restart() -> None:
    for name in [name for name in sys.modules if name.startswith("optimai.kinds.shifting")]:
        del sys.modules[name]
    for remembered in catalog.there, catalog.load, catalog._look:
        remembered.cache_clear()


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Source]:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    home = tmp_path / "kinds"
    kinds.__path__.append(str(home))
    yield Source(home)
    kinds.__path__.remove(str(home))
    shutil.rmtree(home)
    restart()


@pytest.fixture
def road(database: Database, source: Source) -> Road:
    return Road(database)


async def begun(road: Road, **step: Any) -> Node:
    """Campaigns `trials` of the kind `shifting` and `others` of `trial`, and a node that does both."""
    await road.begin(step=SHIFTING | step)
    await road.submit_more("others", {"validate": {"audit": "0%"}})
    return await road.join("ann")


async def offered(road: Road, node: Node) -> list[str]:
    """The steps of which it is offered something."""
    able = [name for name in ("shifting", "trial") if name in catalog.names()]
    return [offer.step for offer in await road.offered(node, room=8, kinds=able)]


async def cancel(road: Road, name: str = "trials") -> None:
    async with road.database.begin() as (tx, now):
        await network_campaigns.cancel(tx, now, name, Bearer(REQUESTER, frozenset()))


async def state(road: Road, name: str) -> str:
    return str(await road.value("select state from campaign where name = $1", name))


async def told(road: Road) -> list[tuple[str, str]]:
    return [(row["title"], row["why"]) for row in await road.rows("select title, why from event order by id")]


async def waits_for(road: Road) -> str:
    async with road.database.begin() as (tx, now):
        return (await queries.named(tx, now, "trials")).steps[-1].waits_for


DAMAGES = [
    ("spec.py", "def (", "SyntaxError"),
    ("spec.py", "import nothing_of_that_name\n", "nothing_of_that_name"),
    ("judge.py", "raise RuntimeError('in the middle of it')\n", "in the middle of it"),
    ("judge.py", "", "agree"),
    ("store.py", "1/0\n", "ZeroDivisionError"),
]


@pytest.mark.parametrize(("part", "text", "why"), DAMAGES)
def test_a_damaged_kind_is_left_out_and_says_why(source: Source, part: str, text: str, why: str):
    source.write(part, text)
    assert "shifting" not in catalog.names()
    assert "word_count" in catalog.names()
    assert why in catalog.there().damaged["shifting"]
    with pytest.raises(DamagedKind, match=f"(?s){why}.*kind check shifting"):
        catalog.load("shifting")


def test_a_kind_under_the_name_of_another_is_damaged_and_hides_nobody(source: Source):
    spec = source.folder / "spec.py"
    source.write("spec.py", spec.read_text().replace('name="shifting"', 'name="word_count"'))
    assert "word_count" in catalog.there().damaged["shifting"]
    assert catalog.load("word_count").hash in catalog.there().hashes


def test_a_node_leaves_a_damaged_kind_out_and_does_the_others(source: Source):
    source.write("spec.py", "def (")
    found = ability.kinds_here(None, "machine")
    assert "word_count" in found.able
    assert "line 1" in found.broken["shifting"]


async def test_a_campaign_that_names_a_damaged_kind_is_refused(road: Road, source: Source):
    source.write("judge.py", "def (")
    await road.deposit()
    with pytest.raises(DamagedKind) as refused:
        await road.submit(campaign(step=SHIFTING))
    assert refused.value.code == "damaged_kind"
    assert await road.balance(available(REQUESTER)) > 0


@pytest.mark.parametrize("what", ["damaged", "changed"])
async def test_a_step_whose_kind_is_not_what_it_began_with_waits_and_all_others_go_on(
    road: Road, source: Source, what: str
):
    ann = await begun(road, tasks=2)
    [first, *_] = await road.offered(ann, kinds=["shifting"])
    await road.exchange(ann, done(first), kinds=["shifting"])
    if what == "damaged":
        source.write("spec.py", "def (")
    else:
        source.change()
    assert await offered(road, ann) == ["others/tried"]
    await road.exchange(ann, done(2), kinds=["trial"])
    for _ in range(5):
        await road.quiet()
        road.later(15 * MINUTE)
    assert await state(road, "others") == "done"
    assert await state(road, "trials") == "running"
    assert not await road.value("select verdict from task where id = $1", 1)
    assert await offered(road, ann) == []
    assert "the kind shifting" in await waits_for(road)
    [(title, why)] = await told(road)
    assert title.startswith("trials/tried waits: the kind shifting ")
    assert "optimai cancel trials" in why


async def test_with_the_old_code_it_goes_on_by_itself(road: Road, source: Source):
    ann = await begun(road)
    [offer] = await road.offered(ann, kinds=["shifting"])
    source.change()
    await road.exchange(ann, done(offer))
    await road.quiet()
    assert not await road.value("select verdict from task where id = 1")
    source.back()
    for _ in range(2):
        await road.quiet()
        road.later(15 * MINUTE)
    await road.quiet()
    assert await state(road, "trials") == "done"
    assert await road.value("select rows from version where name = 'trials'") == 1


async def test_what_is_believed_is_published_by_the_code_that_believed_it(road: Road, source: Source):
    ann = await begun(road)
    [offer] = await road.offered(ann, kinds=["shifting"])
    await road.exchange(ann, done(offer))
    await road.stage("judge", "settle")
    source.change()
    road.later(15 * MINUTE)
    await road.quiet()
    assert not await road.value("select published from task where id = 1")
    source.back()
    await road.quiet()
    assert await road.value("select published from task where id = 1")


async def test_cancelled_it_ends_and_what_nobody_can_judge_is_not_paid(road: Road, source: Source):
    ann = await begun(road, tasks=4)
    before = await road.balance(available(REQUESTER))
    judged, answered, _ = await road.offered(ann, room=3, kinds=["shifting"])
    await road.exchange(ann, done(judged))
    await road.stage("judge", "settle")
    await road.exchange(ann, done(answered))
    source.change()
    await road.quiet()
    await cancel(road)
    for _ in range(3):
        await road.quiet()
        road.later(15 * MINUTE)
    await road.quiet()
    assert await state(road, "trials") == "cancelled"
    assert await road.in_order()
    paid = await road.rows(
        "select assignment, amount, reason from earning where state <> 'reserved' order by id"
    )
    assert [(row["assignment"], row["amount"] > 0) for row in paid if row["amount"]] == [
        (judged.assignment, True)
    ]
    assert await road.balance(available(REQUESTER)) > before
    [unjudged] = {row["reason"] for row in paid if row["assignment"] == answered.assignment}
    assert "its kind was changed" in unjudged


async def test_a_bundle_names_the_code_that_judged_whatever_is_installed_when_it_is_written(
    road: Road, source: Source
):
    ann = await begun(road)
    [offer] = await road.offered(ann, kinds=["shifting"])
    await road.exchange(ann, done(offer))
    await road.stage("judge", "settle")
    source.change()
    road.later(timedelta(hours=1))
    await road.quiet()
    async with road.database.begin() as (tx, _):
        closed = await evidence.closed(tx, 1)
        data = await tx.blobs.get(closed.bundle)
    head, key = envelope.read(closed.head), bytes(road.database.network.key.verify_key)
    assert "other rules than yours" in bundle.verify(head, data, key).wrong[0]
    source.write("judge.py", "def (")
    assert "can't be recomputed with the kinds that are here" in bundle.verify(head, data, key).wrong[0]
    source.back()
    assert bundle.verify(head, data, key).ok
