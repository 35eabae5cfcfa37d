"""What pages say in words."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from optimai.core.clock import Instant, instant
from optimai.core.money import OPI
from optimai.kinds import catalog
from optimai.network.queries.campaigns import Campaign
from optimai.network.queries.checks import Check, together
from optimai.network.queries.steps import Step
from optimai.network.queries.workers import Suspension, Worker
from optimai.network.queries.workers import together as crowd
from optimai.web import views, words

NOON = instant(2026, 12, 1, 12)


def step(name: str, **said: Any) -> Step:
    given: dict[str, Any] = {
        field.name: {int: 0, str: "", float: 0.0, bool: False}.get(field.type)
        for field in msgspec.structs.fields(Step)
    }
    plain = {"name": name, "kind": "label", "source": "texts", "unit": "row", "state": "waits", "series": ()}
    return Step(**given | {"id": 1, "price": 1} | plain | said)


def campaign(*steps: Step, state: str = "running", **said: Any) -> Campaign:
    money = {
        "budget": 10 * OPI,
        "available": OPI,
        "pending": 0,
        "reserved": 0,
        "escrow": 9 * OPI,
        "returned": 0,
    }
    given = {
        "id": 1,
        "newest": 1,
        "name": "plants",
        "state": state,
        "created": NOON,
        "ends": NOON,
        "ended": None,
        "now": NOON,
        "people": "real",
        "target": steps[-1].name,
        "steps": [],
        "checks": [],
        "workers": [],
        "money": money | {"spent": OPI, "next_free": None},
        "version": None,
        "no_rows": "",
        "checked": 0,
        "faults": 0,
        "time_left": None,
    }
    return replace(msgspec.convert(given, Campaign), steps=steps, **said)


def test_a_campaign_that_runs_says_how_far_it_is_what_it_cost_and_when_it_is_done():
    flows = step("topic", state="flows", done=1_204, wanted=2_000)
    said = words.lead(campaign(flows, time_left=timedelta(minutes=14))).striptags()
    assert said == (
        "1,204 of 2,000 rows of topic have a verdict. 1.000 of 10.000 OPI are spent; the rest comes back. "
        "At this rate it is done in 14 min."
    )


def test_a_campaign_whose_end_is_not_known_does_not_pretend_to_know_it():
    said = words.lead(campaign(step("topic", state="flows", done=5))).striptags()
    assert said.startswith("5 rows of topic have a verdict so far; how many there will be is not known yet.")
    assert "At this rate" not in said


def test_a_campaign_in_which_nothing_is_done_says_what_it_waits_for():
    waits = campaign(
        step("pages", waits_for="a node that can do crawl"), step("topic", waits_for="rows of pages")
    )
    assert (
        words.lead(waits)
        .striptags()
        .startswith("Nothing is done yet: pages waits for a node that can do crawl.")
    )
    flows = campaign(step("pages", state="flows"), step("topic", waits_for="rows of pages"))
    assert words.lead(flows).striptags().startswith("topic has no rows yet: pages comes first.")


def test_a_campaign_that_ended_says_what_it_made_how_long_it_took_and_what_came_back():
    sealed = step("topic", state="sealed", rows=1, sealed=NOON)
    done = campaign(sealed, state="done", ended=Instant(NOON + timedelta(minutes=77)))
    done = replace(done, money=replace(done.money, returned=9 * OPI, escrow=0))
    assert words.lead(done).striptags() == (
        "1 row of topic is done. It took 1 h 17 min. 1.000 of 10.000 OPI were spent, 9.000 OPI came back."
    )
    over = campaign(step("topic", state="stopped", done=3), state="cancelled")
    assert words.lead(over).striptags().startswith("It was cancelled before it was done. 3 rows of topic")


def test_a_campaign_whose_dataset_has_no_rows_says_why_and_not_that_they_are_done():
    sealed = step("text", state="sealed", sealed=NOON)
    done = campaign(sealed, state="done", ended=NOON, no_rows="pages: 1 of 1 pages <b>too slow</b>.")
    said = words.lead(done)
    assert said.startswith("<b>No rows</b> of text came out: pages: 1 of 1 pages &lt;b&gt;too slow")
    assert " is done" not in said
    assert " are done" not in said


def test_a_card_says_what_happens_how_it_is_checked_and_what_went_wrong():
    flows = step(
        "text", state="flows", per_second=2.5, in_hand=3, drawn=20, audited=1, closed=20, parked=1, unsealed=7
    )
    assert [line.striptags() for line in words.notes(flows, NOON)] == [
        "2.5 rows/s · 3 tasks in hand",
        "7 more believed, not sealed yet",
        "5 % of its tasks done twice",
        "1 task parked, and not done",
    ]
    sealed = step("text", state="sealed", sealed=NOON, rows=90, rows_in=100, waived=4, drawn=4)
    assert [line.striptags() for line in words.notes(sealed, NOON)] == [
        "100 came in · sealed 12:00:00",
        "checked by nobody else: 4 of 4 tasks",
    ]
    label = step("topic", waits_for="rows of text", closed=10, results=47)
    assert [line.striptags() for line in words.notes(label, NOON)] == [
        "for rows of text",
        "4.7 opinions each",
    ]


def test_standing_tasks_that_proved_nothing_are_no_fault_and_what_broke_is():
    held = step("kept", kind="hold", state="sealed", standing=True, sealed=NOON, parked=3, unproved=2)
    *_, unproved, broken = words.notes(held, NOON)
    assert unproved == "2 tasks ended before their nodes proved anything, unpaid"
    assert broken == '<span class="bad">1 task parked, and not done</span>'


@pytest.mark.parametrize(
    ("time", "said"),
    [(0.4, "0 s"), (59, "59 s"), (61, "1 min"), (3600, "1 h"), (7500, "2 h 5 min"), (200_000, "2 days")],
)
def test_a_span_is_told_as_somebody_would_say_it(time: float, said: str):
    assert words.span(timedelta(seconds=time)) == said


@given(st.integers(1, 10**9).flatmap(lambda whole: st.tuples(st.integers(0, whole), st.just(whole))))
def test_a_share_is_only_0_or_100_percent_of_none_or_all(given: tuple[int, int]):
    part, whole = given
    said = words.share(part, whole)
    assert (said == "0 %") == (part == 0)
    assert (said == "100 %") == (part == whole)


@pytest.mark.parametrize(
    ("part", "whole", "said"),
    [(4, 6, "67 %"), (1, 3, "33 %"), (1, 8, "13 %"), (1, 300, "under 1 %"), (299, 300, "over 99 %")],
)
def test_a_share_is_rounded_and_not_cut(part: int, whole: int, said: str):
    assert words.share(part, whole) == said


def test_a_moment_of_another_day_says_which():
    assert words.when(NOON, NOON).striptags() == "12:00:00"
    assert words.when(NOON, Instant(NOON + timedelta(days=1))).striptags() == "1 Dec 12:00"


def test_what_came_from_outside_is_text_and_never_markup():
    hostile = step("<b>x</b>", state="flows", in_hand=1, waits_for="<i>y</i>")
    said = [words.lead(campaign(hostile)), *words.notes(hostile, NOON)]
    assert not any("<b>x" in line or "<i>" in line for line in said)


def check(what: str, units: int = 4, **said: Any) -> Check:
    given = {
        "at": NOON,
        "what": what,
        "tone": "bad",
        "why": "Wrong.",
        "name": "fern",
        "units": units,
        "tasks": 1,
    }
    return msgspec.convert(given | {"step": "pages", "unit": "page"} | said, Check)


def test_what_went_wrong_is_told_with_what_was_done_about_it():
    assert words.what(check("refused", step="crawl")) == "4 pages of crawl by"
    assert words.what(check("refused", step="crawl", audit=True)) == "4 pages of crawl, as a check, by"
    assert words.what(check("refused")) == "4 pages by"
    assert words.what(check("refused", 1)) == "1 page by"
    assert words.done_about(check("refused", returned=OPI)) == "1.000 OPI went back to escrow."
    assert words.done_about(check("overturned", returned=OPI)) == (
        "They were pending and are void now: 1.000 OPI went back to escrow."
    )
    assert words.done_about(check("refused", paid=OPI)) == "1.000 OPI had been paid before; that is final."
    assert words.done_about(check("lapsed", 2, done=2)) == "Others have done them since."
    assert words.done_about(check("lapsed", 1)) == "Nobody has done it yet."


def test_refusals_of_somebodys_work_are_told_together_at_the_time_of_the_last():
    late, early = (Instant(NOON + timedelta(seconds=seconds)) for seconds in (9, 1))
    lines = together(
        [
            check("refused", 3, at=early, why="Two wrong.", reasons=["Two wrong."]),
            check("refused", 1, name="reed", at=early),
            check("uncounted", 2, at=late, reasons=["Wrong."]),
            check("overturned", 1, at=early),
        ]
    )
    assert [(one.what, one.name, one.units, one.tasks, one.at, one.why) for one in lines] == [
        ("refused", "fern", 5, 2, late, "Wrong."),
        ("refused", "reed", 1, 1, early, "Wrong."),
        ("overturned", "fern", 1, 1, early, "Wrong."),
    ]
    assert words.done_about(lines[0]) == "That is the last of 2 such verdicts."


def worker(name: str, **said: Any) -> Worker:
    plain: dict[str, Any] = {
        "name": name,
        "node": name,
        "hands": "person",
        "simulated": True,
        "alive": True,
        "accepted": 5,
        "checked": 2,
        "faults": 1,
        "quality": 500_000,
        "in_hand": (("topic", 1),),
        "probation": (),
        "unchecked": (),
        "suspended": (),
        "available": OPI,
        "pending": 0,
        "zero_why": "",
    }
    return Worker(**plain | said)


def test_people_who_are_real_or_suspended_are_never_told_together():
    barred = worker("copier", suspended=(Suspension("label", NOON, 4, 4),), available=0, zero_why="void")
    real = worker("ann", simulated=False, available=5 * OPI)
    lines = crowd([real, worker("p1"), barred, worker("p2", in_hand=())])
    assert [(one.name, one.available, one.in_hand) for one in lines] == [
        ("ann", 5 * OPI, (("topic", 1),)),
        ("2 people", 2 * OPI, (("topic", 1),)),
        ("copier", 0, (("topic", 1),)),
    ]
    assert "suspended for label: 4 of 4 checked were wrong then" in words.doing(barred)


def test_whose_work_nobody_else_can_check_is_not_said_to_be_done_twice():
    said = words.doing(worker("ann", unchecked=("crawl", "dedup")))
    assert "its crawl and dedup is checked by nobody else: no other owner is here" in said
    assert "twice" not in said


@pytest.mark.parametrize("kind", catalog.names())
def test_every_column_of_a_kind_is_explained_where_its_rows_are_shown(kind: str):
    assert set(catalog.load(kind).kind.gives) <= words.COLUMNS.keys()


@given(st.lists(st.integers(0, 10**6), min_size=2, max_size=60))
def test_a_line_never_leaves_its_box(series: list[int]):
    points = [tuple(map(float, point.split(","))) for point in views.spark(tuple(series)).split()]
    assert [x for x, _ in points] == sorted(x for x, _ in points)
    assert all(0 <= x <= 100 and 2 <= y <= 26 for x, y in points)
