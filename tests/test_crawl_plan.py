"""The promises of the plan of `crawl`: what is asked for next, and when it is over."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimai.core.errors import BadCampaign
from optimai.kinds import catalog
from optimai.kinds.contract import News
from optimai.kinds.crawl.spec import Fetch, Frontier, Options, Result, Task, plan

ENDED: News[Task, Result] = News(ended=True)


def frontier(*free: tuple[str, ...], room: int = 100) -> Frontier:
    return Frontier(free=free, room=room, within=("docs.example",), since="2026-01-01T12:00:00Z")


def urls(host: str, number: int) -> tuple[str, ...]:
    return tuple(f"http://{host}.example/{n}" for n in range(number))


def test_each_free_host_gets_a_task_of_a_batch():
    made = plan(Options(max=100, batch=2, delay_ms=50), frontier(urls("a", 5), urls("b", 1)), News())
    assert [piece.task for piece in made.pieces] == [
        Fetch(urls=some, delay_ms=50, within=("docs.example",), since="2026-01-01T12:00:00Z")
        for some in (urls("a", 2), urls("b", 1))
    ]
    assert [piece.units for piece in made.pieces] == [2, 1]
    assert not made.finished


@given(
    st.lists(st.integers(1, 9).map(lambda n: urls("a", n)), max_size=6), st.integers(0, 20), st.integers(1, 9)
)
def test_no_more_is_asked_for_than_there_is_room(free: list[tuple[str, ...]], room: int, batch: int):
    made = plan(Options(max=100, batch=batch), frontier(*free, room=room), ENDED)
    asked = sum(piece.units for piece in made.pieces)
    assert asked <= room
    assert all(0 < piece.units <= batch for piece in made.pieces)
    assert made.finished == (asked == 0)


def test_it_is_over_when_nothing_waits_nothing_is_open_and_no_seed_will_come():
    options = Options(max=100)
    assert plan(options, frontier(), ENDED).finished
    assert plan(options, frontier(urls("a", 1), room=0), ENDED).finished
    assert not plan(options, frontier(), News()).finished
    assert not plan(options, frontier(), News(ended=True, open=1)).finished


def test_options_are_refused_that_no_crawl_can_have():
    crawl = catalog.load("crawl")
    assert catalog.options_of("pages", crawl, {"max": 5, "within": ["docs-*.localhost"]}).batch == 10
    for wrong in (
        {},
        {"max": 0},
        {"max": 5, "batch": 51},
        {"max": 5, "delay_ms": -1},
        {"max": 5, "within": ["http://docs.example/"]},
    ):
        with pytest.raises(BadCampaign):
            catalog.options_of("pages", crawl, wrong)


def test_tasks_and_results_survive_the_wire():
    crawl = catalog.load("crawl")
    task = plan(Options(max=1), frontier(urls("a", 1)), ENDED).pieces[0].task
    assert msgspec.json.decode(msgspec.json.encode(task), type=crawl.task) == task


@pytest.mark.parametrize(
    "outcome",
    [
        {"at": "2026-01-01 12:00"},
        {"at": "2026-01-01T12:00:00Z\n"},
        {"body": "../../etc/passwd"},
        {"status": 700},
        {"length": -1},
        {"url": "http://a.example/" + "a" * 2000},
        {"surprise": 1},
    ],
)
def test_an_outcome_is_decoded_strictly(outcome: dict[str, object]):
    crawl = catalog.load("crawl")
    good = {"url": "http://a.example/", "at": "2026-01-01T12:00:00Z", "status": 200}
    told = {"type": "fetched", "outcomes": [good]}
    assert msgspec.convert(told, crawl.result)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(told | {"outcomes": [good | outcome]}, crawl.result)
