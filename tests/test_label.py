"""The promises of the kind `label`: which rows are asked, what is believed, who is paid and who is caught."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from optimai.core.assignment import Role
from optimai.core.conduct import OPINIONS, Conduct, State, Units, observe
from optimai.core.errors import BadCampaign
from optimai.core.ids import AssignmentId, OwnerId, RowId
from optimai.core.rows import row_id
from optimai.kinds import catalog
from optimai.kinds.contract import Answer, Case, Finding, More, News, Piece, Verdict
from optimai.kinds.label.judge import NO_VOTE, OUT_OF_FORM, agree, check, rows
from optimai.kinds.label.spec import (
    KIND,
    Answers,
    Label,
    Labels,
    Opinion,
    Options,
    Result,
    Task,
    chance,
    known_answers,
    plan,
)
from optimai.sim.proof.kit import MemoryKit

CHOICES = ("api", "sql", "guide")
KNOWN = ({"url": "http://x/1", "answer": "sql"}, {"url": "http://x/3", "answer": "api"})
ASK = Options("What is it about?", CHOICES)


def pieces_of(options: Options, count: int, shards: int = 2) -> list[Piece[Task]]:
    """The plan of a step over that many rows, whose url ends with their number."""
    kit = MemoryKit()
    made = [{"_row": row_id("docs/unique", str(n)), "url": f"http://x/{n}"} for n in range(count)]
    parts = [sorted(made[start::shards], key=lambda row: row["_row"]) for start in range(shards)]
    sealed = [kit.shard(part) for part in parts if part]
    columns = {
        shard.blob: {name: [row[name] for row in part] for name in ("_row", "url")}
        for shard, part in zip(sealed, filter(None, parts), strict=True)
    }
    whole = plan(options, b"", News(sealed=sealed, columns=columns, ended=True))
    assert whole.finished
    return list(whole.pieces)


def names(piece: Piece[Task]) -> list[str]:
    return [item.name for item in piece.task.items()]


def task_of(options: Options, count: int = 5) -> Task:
    (piece,) = pieces_of(options, count, shards=1)
    return piece.task


def result(task: Task, choices: Mapping[str, str], otherwise: str = "api") -> Answers:
    return Answers(tuple(Opinion(item.row, choices.get(item.name, otherwise)) for item in task.items()))


def answers(*results: Result, untrusted: frozenset[int] = frozenset()) -> list[Answer[Result]]:
    return [
        Answer(
            assignment=AssignmentId(n),
            owner=OwnerId(f"owner{n}"),
            role=Role.ANSWER,
            result=one,
            trusted=n not in untrusted,
        )
        for n, one in enumerate(results)
    ]


def case(
    options: Options, task: Task, given: list[Answer[Result]], *, last: bool = False
) -> Case[Any, Any, Any]:
    units = len(list(task.items()))
    return Case(step="docs/topic", options=options, task=task, units=units, answers=given, last=last)


def verdict(options: Options, task: Task, *results: Result, **more: Any) -> Verdict[Result]:
    last = more.pop("last", False)
    found = agree(case(options, task, answers(*results, **more), last=last))
    assert isinstance(found, Verdict)
    return found


def labels(found: Verdict[Result]) -> dict[RowId, str]:
    return (
        {one.row: one.choice for one in found.believed.labels} if isinstance(found.believed, Labels) else {}
    )


# What a campaign may ask


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"choices": ["api"]}, "length >= 2"),
        ({"choices": ["api", "api"]}, "stands twice"),
        ({"answers": "7..3"}, "write it like this: 3..7"),
        ({"answers": "3-7"}, "write it like this: 3..7"),
        ({"answers": "0..7"}, "write it like this: 3..7"),
        ({"sample": 0}, "sample"),
        ({"batch": 51}, "batch"),
        ({"known": [{"url": "u", "answer": "cooking"}]}, "one of the choices"),
        ({"known": [{"page": "u", "answer": "sql"}]}, "known row 1 needs 'url'"),
        ({"known": [{"url": "u", "answer": "sql"}, {"url": "u", "answer": "api"}]}, "the same 'url'"),
        ({"shown": "text"}, "shown"),
    ],
)
def test_a_campaign_that_can_not_be_asked_is_refused_with_the_reason(wrong: dict[str, Any], why: str):
    given = {"question": "What is it about?", "choices": list(CHOICES), **wrong}
    with pytest.raises(BadCampaign, match=why):
        catalog.options_of("topic", catalog.load("label"), given)


def test_the_catalog_finds_all_parts_of_the_kind():
    loaded = catalog.load("label")
    given = {
        "question": "What?",
        "choices": ["a", "b"],
        "answers": "1..1",
        "known": [{"path": "/", "answer": "a"}],
    }
    options = catalog.options_of("topic", loaded, {**given, "by": "path"})
    assert loaded.looks(options) == ("_row", "path")
    assert known_answers(options) == {"/": "a"}


# Which rows, and in which order


@given(st.integers(0, 60), st.integers(1, 7), st.integers(0, 30), st.one_of(st.none(), st.integers(1, 40)))
def test_each_known_row_and_each_row_of_the_sample_is_asked_once(
    count: int, batch: int, known: int, sample: int | None
):
    gold = tuple({"url": f"http://x/{2 * n}", "answer": "sql"} for n in range(known))
    pieces = pieces_of(replace(ASK, known=gold, batch=batch, sample=sample), count)
    asked = [name for piece in pieces for name in names(piece)]
    assert len(set(asked)) == len(asked)
    there = {f"http://x/{n}" for n in range(count)}
    tests = {row["url"] for row in gold} & there
    assert tests <= set(asked)
    assert len(asked) - len(tests) == min(sample or count, len(there - tests))
    assert [piece.units for piece in pieces] == [len(names(piece)) for piece in pieces]
    assert all(piece.units == batch for piece in pieces[:-1])


def test_a_task_reads_exactly_the_shards_of_its_rows():
    for piece in pieces_of(ASK, 23, shards=3):
        assert list(piece.reads) == [part.shard for part in piece.task.parts]
        assert all(part.items for part in piece.task.parts)


def test_a_sample_stays_when_the_data_grows():
    few = {name for piece in pieces_of(replace(ASK, sample=20, known=KNOWN), 40) for name in names(piece)}
    more = {name for piece in pieces_of(replace(ASK, sample=20, known=KNOWN), 80) for name in names(piece)}
    old = {f"http://x/{n}" for n in range(40)}
    assert few - more, "a row that is added may push one out"
    assert more & old <= few, "but never brings an old one in"


def test_twenty_known_rows_stand_in_the_first_fifty_and_the_rest_one_in_twenty():
    gold = tuple({"url": f"http://x/{n}", "answer": "sql"} for n in range(30))
    pieces = pieces_of(replace(ASK, known=gold), 300)
    known = [
        sum(name in known_answers(replace(ASK, known=gold)) for name in names(piece)) for piece in pieces
    ]
    assert known[:10] == [2] * 10
    assert [sum(known[start : start + 4]) for start in range(10, 50, 4)] == [1] * 10


@pytest.mark.parametrize("batch", [1, 3, 5])
def test_neither_a_row_nor_its_place_tells_that_its_answer_is_known(batch: int):
    gold = tuple({"url": f"http://x/{n}", "answer": "sql"} for n in range(40))
    options = replace(ASK, known=gold, sample=100, batch=batch)
    asked = [item for piece in pieces_of(options, 2_000) for item in piece.task.items()]
    known = [item.name in known_answers(options) for item in asked]
    assert {place % 5 for place in range(50) if known[place]} == {0, 1, 2, 3, 4}
    others = [item.row for item, is_known in zip(asked, known, strict=True) if not is_known]
    assert max(others) > "f", "a sample of the lowest `_row`s would show up the known ones"


def test_nobody_without_the_known_answers_can_foresee_the_order():
    told, guessed = (
        [
            names(piece)
            for piece in pieces_of(replace(ASK, known=({"url": "http://x/1", "answer": answer},)), 50)
        ]
        for answer in ("sql", "api")
    )
    assert told != guessed


def test_a_worker_sees_the_question_the_choices_and_no_known_answer():
    task = task_of(replace(ASK, known=KNOWN))
    without = task_of(replace(ASK, known=({"url": "http://x/1", "answer": "guide"},)))
    assert msgspec.json.encode(task) == msgspec.json.encode(without)


# What is believed


def test_three_who_agree_need_no_fourth():
    task = task_of(ASK)
    found = verdict(ASK, task, *[result(task, {}, "sql")] * 3)
    assert set(labels(found).values()) == {"sql"}
    assert found.believed == Labels(tuple(Label(item.row, "sql", 3, 3) for item in task.items()))
    assert all(finding.units == 5 and not finding.why for finding in found.findings.values())


def test_fewer_than_asked_for_is_never_enough():
    task = task_of(ASK)
    assert agree(case(ASK, task, answers(result(task, {})))) == More(2, "1 of 3 answers count so far")


def test_one_row_that_is_not_clear_asks_one_more_for_the_whole_task():
    task = task_of(ASK)
    odd = result(task, {"http://x/2": "guide"})
    asked = agree(case(ASK, task, answers(result(task, {}), result(task, {}), odd)))
    assert asked == More(1, "1 of 5 rows are not clear yet")
    assert labels(verdict(ASK, task, result(task, {}), result(task, {}), odd, result(task, {})))


def test_nobody_is_asked_about_a_row_whose_answer_is_known():
    options = replace(ASK, known=KNOWN)
    task = task_of(options)
    told = [result(task, {"http://x/1": choice}) for choice in CHOICES]
    assert labels(verdict(options, task, *told))


def test_when_all_were_asked_a_lead_of_one_decides_and_a_tie_has_no_label():
    options = replace(ASK, answers="2..3")
    task = task_of(options, 2)
    sql, api, guide = (result(task, {"http://x/0": "sql", "http://x/1": choice}) for choice in CHOICES[::-1])
    found = verdict(
        options, task, sql, api, replace(guide, opinions=result(task, {"http://x/1": "api"}).opinions)
    )
    by_name = {item.name: labels(found).get(item.row) for item in task.items()}
    assert by_name["http://x/0"] == "sql"
    tie = verdict(options, task, sql, api, guide)
    assert len(labels(tie)) == 1
    assert tie.findings[AssignmentId(0)].why == "1 of 2 ended even."


def test_where_nobody_else_can_be_asked_it_is_decided_with_what_there_is():
    task = task_of(ASK)
    alone = verdict(ASK, task, result(task, {}, "sql"), last=True)
    assert set(labels(alone).values()) == {"sql"}
    assert alone.reason == "5 of 5 rows have a label; 1 of 1 answers count, checked by nobody else"


CHOICE = st.sampled_from(CHOICES)
SHEET = st.fixed_dictionaries({f"http://x/{n}": CHOICE for n in range(5)})


@given(st.lists(SHEET, min_size=1, max_size=7), st.randoms(use_true_random=False), st.booleans())
def test_the_order_of_answers_does_not_matter(sheets: list[dict[str, str]], chance: Any, last: bool):
    options = replace(ASK, known=KNOWN)
    task = task_of(options)
    given = answers(*(result(task, sheet) for sheet in sheets))
    shuffled = chance.sample(given, len(given))
    assert agree(case(options, task, given, last=last)) == agree(case(options, task, shuffled, last=last))


@given(SHEET, SHEET, st.integers(0, 3))
def test_one_liar_never_wins_against_three_who_agree(truth: dict[str, str], lie: dict[str, str], place: int):
    task = task_of(ASK)
    honest = [result(task, truth)] * 3
    found = verdict(ASK, task, *honest[:place], result(task, lie), *honest[place:])
    assert labels(found) == {item.row: truth[item.name] for item in task.items()}
    assert found.findings[AssignmentId(place)].units == sum(truth[name] == lie[name] for name in truth)


@given(st.lists(SHEET, min_size=1, max_size=7))
def test_an_answer_is_paid_for_exactly_the_rows_on_which_it_has_the_label(sheets: list[dict[str, str]]):
    options = replace(ASK, known=KNOWN)
    task = task_of(options)
    found = verdict(options, task, *(result(task, sheet) for sheet in sheets), last=True)
    for n, sheet in enumerate(sheets):
        held = sum(labels(found).get(item.row) == sheet[item.name] for item in task.items())
        finding = found.findings[AssignmentId(n)]
        assert finding.units == held
        assert bool(finding.why) == (held < 5)


# Who is caught


def test_only_known_answers_check_anybody():
    options = replace(ASK, known=KNOWN)
    task = task_of(options)
    right = result(task, known_answers(options), "guide")
    wrong = result(task, {"http://x/1": "guide", "http://x/3": "guide", "http://x/0": "sql"}, "guide")
    found = verdict(options, task, right, right, right, wrong)
    caught = found.findings[AssignmentId(3)]
    assert (caught.units, caught.checked, caught.faults) == (2, 2, 2)
    assert caught.why == "2 of 2 known answers were wrong; 1 of 3 differ from what most said."
    assert (found.findings[AssignmentId(0)].checked, found.findings[AssignmentId(0)].faults) == (2, 0)
    free = verdict(ASK, task, right, right, right, wrong)
    assert all(finding.checked == 0 for finding in free.findings.values())


def test_a_known_answer_stands_against_any_majority():
    options = replace(ASK, known=KNOWN)
    task = task_of(options)
    found = verdict(options, task, *[result(task, {}, "guide")] * 3)
    assert {labels(found)[item.row] for item in task.items() if item.name in known_answers(options)} == {
        "sql",
        "api",
    }
    assert isinstance(found.believed, Labels)
    assert {(one.votes, one.of) for one in found.believed.labels} == {(3, 3), (0, 3)}


def test_who_copies_wrong_answers_to_known_rows_is_suspended_within_six_tasks():
    gold = tuple({"url": f"http://x/{n}", "answer": "sql"} for n in range(20))
    options = replace(ASK, known=gold)
    copier = Conduct()
    for number, piece in enumerate(pieces_of(options, 100)[:6]):
        honest, copied = result(piece.task, known_answers(options)), result(piece.task, {}, "api")
        finding = verdict(options, piece.task, honest, honest, copied).findings[AssignmentId(2)]
        copier = observe(
            copier, Units(finding.checked, finding.faults), OPINIONS, task=number, chance=chance(options)
        )
    assert copier.state is State.SUSPENDED


@pytest.mark.parametrize(("choices", "wrong"), [(2, 7), (3, 10), (4, 12)])
def test_who_is_right_no_more_often_than_chance_and_a_bit_is_suspended(choices: int, wrong: int):
    """Of the last twenty known answers so many may be wrong, and one more may not."""
    guess = chance(replace(ASK, choices=tuple("abcd"[:choices])))
    one = observe(Conduct(), Units(20, wrong), OPINIONS, chance=guess)
    assert one.state is State.STANDING
    assert observe(Conduct(), Units(20, wrong + 1), OPINIONS, chance=guess).state is State.SUSPENDED


@pytest.mark.parametrize(
    "bend",
    [
        pytest.param(lambda given: given[1:], id="a row is missing"),
        pytest.param(lambda given: (*given, given[0]), id="a row is there twice"),
        pytest.param(lambda given: (*given[1:], Opinion(RowId("f" * 32), "api")), id="a row of another task"),
        pytest.param(
            lambda given: (*given[1:], Opinion(given[0].row, "cooking")), id="not one of the choices"
        ),
        pytest.param(lambda given: (), id="nothing"),
    ],
)
def test_an_answer_out_of_form_is_refused_whole(bend: Any):
    task = task_of(ASK)
    good = result(task, {})
    assert check(ASK, task, good, []) == ""
    assert check(ASK, task, Answers(good.opinions[::-1]), []) == "", "in any order"
    assert check(ASK, task, Answers(bend(good.opinions)), []) == OUT_OF_FORM


def test_nobody_can_hand_in_the_judges_own_labels():
    task = task_of(ASK)
    forged = Labels(tuple(Label(item.row, "sql", 99, 99) for item in task.items()))
    assert check(ASK, task, forged, []) == OUT_OF_FORM


def test_what_one_person_says_publishes_nothing():
    task = task_of(ASK)
    assert rows("docs/topic", task, result(task, {})) is None


@given(st.lists(SHEET, min_size=3, max_size=7), st.sets(st.integers(0, 6)))
def test_the_suspended_have_no_vote_and_others_are_asked_in_their_place(
    sheets: list[dict[str, str]], bad: set[int]
):
    task = task_of(ASK)
    untrusted = frozenset(bad & set(range(len(sheets))))
    given = answers(*(result(task, sheet) for sheet in sheets), untrusted=untrusted)
    without = [one for one in given if one.trusted]
    found, expected = agree(case(ASK, task, given)), agree(case(ASK, task, without))
    if isinstance(expected, More):
        assert found == expected
        return
    assert isinstance(found, Verdict)
    assert found.believed == expected.believed
    assert all(found.findings[AssignmentId(n)].units == 0 for n in untrusted)


def test_where_all_are_suspended_and_nobody_is_left_nothing_is_believed():
    options = replace(ASK, known=KNOWN)
    task = task_of(options)
    found = verdict(options, task, result(task, {}), untrusted=frozenset({0}), last=True)
    assert found.believed is None


def test_what_was_wrong_before_a_suspension_stays_wrong_in_it():
    options = replace(ASK, known=KNOWN)
    task = task_of(options)
    found = verdict(options, task, *[result(task, {}, "guide")] * 4, untrusted=frozenset({0}))
    assert found.findings[AssignmentId(0)] == Finding(0, 2, 2, NO_VOTE)


# What is published


def test_a_published_row_names_its_parent_and_carries_its_votes():
    task = task_of(ASK, 1)
    found = verdict(ASK, task, *[result(task, {}, "sql")] * 3)
    (item,) = task.items()
    assert found.believed is not None
    assert rows("docs/topic", task, found.believed) == [
        {"_row": row_id("docs/topic", item.row), "_from": [item.row], "label": "sql", "votes": 3, "of": 3}
    ]
    assert KIND.carries, "the text comes from the parent"
