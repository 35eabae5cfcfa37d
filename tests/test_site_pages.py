"""The committed pages, what is known of them, and how the simulated site deals them out."""

import re
from collections import Counter
from datetime import date
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from msgspec import json

from optimai.sim.site.faults import CUT_OFF, MISLABELLED, ONCE, ROBOTS, TRICKLED
from optimai.sim.site.pages import INDEX, Pages, link_up, publish, targets
from optimai.sim.site.revision import revise

DOCS = Path(__file__).parents[1] / "examples/docs"


def lines(name: str) -> dict[str, str]:
    rows = [json.decode(line) for line in (DOCS / name).read_bytes().splitlines()]
    return {urlsplit(row["url"]).path: row["answer"] for row in rows}


@pytest.fixture(scope="module")
def pages() -> Pages:
    return publish(DOCS / "site", hosts=8, port=8000)


def test_pages_are_many_long_and_short_but_light(pages: Pages):
    sizes = [len(page.encode()) for page in pages.source.values()]
    assert 240 <= len(sizes) <= 260
    assert sum(sizes) < 4_100_000
    assert max(sizes) <= 200_000


def test_every_page_has_a_topic_and_no_other_has(pages: Pages):
    assert lines("topics.jsonl").keys() == pages.source.keys()
    assert min(Counter(lines("topics.jsonl").values()).values()) > 20


def test_known_answers_are_true_and_spread_over_the_topics():
    known = lines("known.jsonl")
    assert len(known) == 24
    assert known.items() <= lines("topics.jsonl").items()
    assert set(Counter(known.values()).values()) == {4, 5}


def test_known_answers_can_be_fetched_whole_and_have_one_url(pages: Pages):
    known = lines("known.jsonl").keys()
    assert not known & (CUT_OFF.keys() | MISLABELLED.keys() | pages.mirrored)
    assert not [path for path in known if forbidden(pages, path)]


def test_the_pages_that_faults_name_are_there(pages: Pages):
    assert ONCE.keys() | TRICKLED.keys() | CUT_OFF.keys() | MISLABELLED.keys() <= pages.source.keys()


def test_hosts_have_equal_shares(pages: Pages):
    shares = Counter(pages.homes.values())
    assert sorted(shares) == list(range(1, 9))
    assert max(shares.values()) - min(shares.values()) <= 1


def test_dealing_depends_on_nothing_but_the_paths(pages: Pages):
    assert publish(DOCS / "site", hosts=8, port=9000).homes == pages.homes


def test_every_allowed_page_is_reached_without_a_forbidden_one(pages: Pages):
    seen, todo = {INDEX}, [INDEX]
    while todo:
        path = todo.pop()
        new = {to for to in targets(path, pages.source[path]) if to in pages.source} - seen
        seen |= new
        todo += [to for to in new if not forbidden(pages, to) and to not in CUT_OFF]
    assert seen == pages.source.keys()


def test_one_host_serves_every_page_where_there_is_only_one():
    alone = publish(DOCS / "site", hosts=1, port=8000)
    assert set(alone.homes.values()) == {1}
    assert not alone.mirrored


def test_links_to_pages_that_are_not_here_are_dead_or_lead_outside(pages: Pages):
    gone = {to for path, page in pages.source.items() for to in targets(path, page)} - pages.source.keys()
    inside = {
        link.group(1)
        for path in pages.source
        for link in re.finditer(r'href=["\']http://docs-\d\.localhost:8000([^"\'#?]+)', link_up(pages, path))
    }
    assert 20 <= len(inside & gone) <= 60
    assert len(gone) > 400


def test_revising_leaves_scripts_and_capitals_alone():
    page = "<script>the = a</script><p>The select IS a query, AND it is in the book.</p>"
    new = revise(page, date(2026, 5, 4))
    assert (
        "<script>the = a</script><p>This select IS one query, AND such becomes within this book.</p>" in new
    )


def forbidden(pages: Pages, path: str) -> bool:
    rules = re.findall(r"Disallow: (\S+)", ROBOTS.get(pages.homes[path], "").split("User-agent: *")[-1])
    return any(path.startswith(rule) for rule in rules)
