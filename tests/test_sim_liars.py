"""The promises of simulated liars: their work has the form of honest work, and ordinary rules find them."""

from typing import Any

import msgspec
from msgspec import Raw

from optimai.core.assignment import Role
from optimai.core.clock import Instant
from optimai.core.ids import AssignmentId, OwnerId
from optimai.kinds import catalog
from optimai.kinds.contract import Answer, Case, Verdict
from optimai.kinds.crawl import spec as crawl
from optimai.kinds.kit import Page
from optimai.kinds.label.judge import agree
from optimai.kinds.label.spec import Answers, Options
from optimai.node.hands import Declined, Hands, Line, kind_of
from optimai.node.kit import Fetch
from optimai.sim.liars import Copier, Fabricator, Leak, Replayer, Slow, Tattler
from optimai.sim.people import PersonHands
from optimai.sim.proof.kit import NOON, MemoryKit, page
from optimai.wire.exchange import Offer
from tests.test_sim_people import CHOICES, SilentLine, Watch, offer, person, task

OPTIONS = Options("What is it about?", CHOICES)
URL = "http://docs-1.localhost/guide/backup.html"


class MemoryDesk:
    """Does a kind's own work with a kit in memory, as `Desk` does it with a node's."""

    def __init__(self, kit: MemoryKit) -> None:
        self.kit = kit

    async def do(self, offer: Offer, line: Line, fetch: Fetch | None = None) -> Raw | Declined:
        kit: Any = self.kit
        kit.fetch = fetch or self.fetch
        kind = kind_of(offer)
        given = msgspec.json.decode(offer.task, type=catalog.load(kind).task)
        return Raw(msgspec.json.encode(await catalog.work(kind)(given, kit)))

    async def fetch(self, url: str, *, delay_ms: int = 0, until: Instant | None = None) -> Page:
        return await MemoryKit.fetch(self.kit, url, delay_ms=delay_ms)

    async def close(self) -> None: ...


async def labelled(hands: Hands, number: int) -> Answer[Answers]:
    result = await hands.do(offer("label", task()), SilentLine())
    assert isinstance(result, Raw)
    given = msgspec.json.decode(result, type=Answers)
    return Answer(
        assignment=AssignmentId(number), owner=OwnerId(f"o{number}"), role=Role.ANSWER, result=given
    )


async def fetched(hands: Hands, *urls: str) -> list[Any]:
    asked = crawl.Fetch(urls=urls, delay_ms=0, within=(), since="2026-01-01T00:00:00Z")
    result = await hands.do(offer("crawl", asked), SilentLine())
    assert isinstance(result, Raw)
    return list(msgspec.json.decode(result, type=crawl.Fetched).outcomes)


# Slow


async def test_the_slow_one_does_honest_work_late():
    watch = Watch()
    slow = Slow(PersonHands(person(1_000_000), Watch()), watch, 30.0)
    honest = await labelled(PersonHands(person(1_000_000), Watch()), 1)
    assert (await labelled(slow, 1)).result == honest.result
    assert watch.seconds == 30.0


# Copier


async def test_a_copier_says_what_another_said_mistakes_included():
    leak = Leak({})
    first = await labelled(Tattler(PersonHands(person(500_000), Watch()), leak), 1)
    assert (await labelled(Copier(leak), 2)).result == first.result


async def test_a_copier_who_has_nothing_to_copy_says_the_first_choice():
    copied = await labelled(Copier(Leak({})), 1)
    assert {opinion.choice for opinion in copied.result.opinions} == {CHOICES[0]}


async def test_a_copier_whose_leak_is_wrong_on_known_rows_is_found_wrong_in_each():
    """Rows 1 to 3 have a known answer, and the leak tells another; of the rest it tells the truth."""
    right = {f"http://x/{n}": CHOICES[n % 3] for n in (1, 2, 3)}
    wrong = {name: CHOICES[(CHOICES.index(answer) + 1) % 3] for name, answer in right.items()}
    leak = Leak(wrong)
    people = [Tattler(PersonHands(person(1_000_000), Watch()), leak) for _ in range(3)]
    answers = [await labelled(hands, n) for n, hands in enumerate([*people, Copier(leak)])]
    known = tuple({"url": name, "answer": answer} for name, answer in right.items())
    options = Options("What is it about?", CHOICES, known=known)
    found = agree(Case(step="docs/topic", options=options, task=task(), units=5, answers=answers))
    assert isinstance(found, Verdict)
    finding = found.findings[AssignmentId(3)]
    assert (finding.units, finding.checked, finding.faults) == (2, 3, 3)


# Fabricator


async def test_a_fabricator_invents_a_page_without_asking_anybody():
    kit = MemoryKit()
    (outcome,) = await fetched(Fabricator(MemoryDesk(kit), kit.now), URL)
    assert (outcome.url, outcome.status, outcome.type) == (URL, 200, "text/html")
    assert b"backup" in kit.blobs[outcome.body]
    assert kit.fetched == []


async def test_what_it_invents_leads_on_to_pages_of_the_same_host():
    kit = MemoryKit()
    (outcome,) = await fetched(Fabricator(MemoryDesk(kit), kit.now), URL)
    links = kit.blobs[outcome.links].decode().split()
    assert links
    assert all(link.startswith("http://docs-1.localhost/guide/backup-") for link in links)


async def test_as_an_auditor_a_fabricator_calls_every_page_the_same():
    kit = MemoryKit()
    honest = Replayer(MemoryDesk(kit), {URL: b"<p>This is what stands there.</p>"}, kit.now)
    pages = tuple(await fetched(honest, URL))
    asked = crawl.Compare(pages=pages, delay_ms=0, within=())
    result = await Fabricator(MemoryDesk(kit), kit.now).do(offer("crawl", asked), SilentLine())
    assert isinstance(result, Raw)
    assert msgspec.json.decode(result, type=crawl.Compared).found == (crawl.Found(URL, "same"),)


# Replayer


async def test_a_replayer_sends_the_old_page_under_the_present_time_and_fetches_what_it_lacks():
    other = "http://docs-1.localhost/new.html"
    kit = MemoryKit(web={URL: page(URL, "the present edition"), other: page(other, "never archived")})
    old, new = await fetched(Replayer(MemoryDesk(kit), {URL: b"an old edition"}, lambda: NOON), URL, other)
    assert kit.blobs[old.body] == b"an old edition"
    assert old.at == "2026-01-01T12:00:00Z"
    assert kit.blobs[new.body] == b"never archived"
    assert URL not in kit.fetched


async def test_an_auditor_who_fetches_the_same_pages_finds_both_out():
    other = "http://docs-1.localhost/steady.html"
    text = "<p>" + " ".join(f"word{n}" for n in range(100)) + "</p>"
    web = {URL: page(URL, text), other: page(other, text)}
    kit = MemoryKit(web=web)
    archive = {URL: b"<p>something quite different stood here</p>", other: text.encode()}
    for liar, says in (
        (Replayer(MemoryDesk(kit), archive, kit.now), ["differs", "same"]),
        (Fabricator(MemoryDesk(kit), kit.now), ["differs", "differs"]),
    ):
        asked = crawl.Compare(pages=tuple(await fetched(liar, URL, other)), delay_ms=0, within=())
        result = await MemoryDesk(kit).do(offer("crawl", asked), SilentLine())
        assert isinstance(result, Raw)
        assert [one.says for one in msgspec.json.decode(result, type=crawl.Compared).found] == says
