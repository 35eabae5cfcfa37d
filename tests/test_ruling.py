"""From signed results to a verdict: pure, the same for the network's judge and for a stranger."""

from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw
from msgspec.structs import replace

from optimai.core.assignment import Role
from optimai.core.chance import MILLION, Ppm, Seed, happens
from optimai.core.ids import AssignmentId, NodeId, OwnerId, ResultId, TaskId
from optimai.kinds import catalog, ruling
from optimai.kinds.catalog import Loaded
from optimai.kinds.contract import Case, Finding, More, Verdict
from optimai.kinds.ruling import Asked, Given

WORDS = catalog.load("word_count")
SEED = Seed(b"s" * 32)
OLD, NEW = Ppm(0), Ppm(MILLION)
BODY = Raw(b'{"shard":{"blob":"b","rows":2,"bytes":9},"column":"text"}')


def drawn(**more: Any) -> ruling.Draw:
    fields = {"rate": Ppm(0), "always": False, "pinned": [OLD], "seed": SEED, "epoch": 4, "others": True}
    return ruling.draw(more.pop("kind", WORDS), more.pop("task", TaskId(1)), **(fields | more))


def test_whoever_is_on_probation_is_checked_and_so_is_his_company():
    assert drawn(pinned=[OLD, NEW]) == ruling.Draw(True, "probation", 4)
    assert drawn(pinned=[OLD, OLD]) == ruling.Draw(False, "chance", 4, OLD)


@given(st.integers(0, 1_000_000), st.integers(1, 1 << 40))
def test_after_that_chance_decides_and_anybody_can_draw_again(rate: int, task: int):
    draw = drawn(rate=Ppm(rate), pinned=[Ppm(rate)], task=TaskId(task))
    assert draw == ruling.Draw(happens(SEED, Ppm(rate), "audit", task), "chance", 4, Ppm(rate))


def test_a_plan_may_want_all_of_it_checked():
    assert drawn(always=True).why == "always"


def test_nobody_is_asked_where_there_is_nobody():
    assert drawn(always=True, others=False) == ruling.Draw(False, "nobody else", 4)


def test_opinions_check_each_other():
    opinions = replace(WORDS, kind=replace(WORDS.kind, audit=Ppm(0)))
    assert drawn(kind=opinions, pinned=[NEW]).why == "opinions"
    assert drawn(kind=opinions, always=True).audit


def one(number: int, refused: str = "", trusted: bool = True) -> Given:
    return Given(
        assignment=AssignmentId(number),
        owner=OwnerId(f"owner {number}"),
        node=NodeId(f"node {number}"),
        role=Role.ANSWER,
        result=ResultId(f"envelope.{number}"),
        price=5,
        quality=Ppm(MILLION),
        rate=Ppm(MILLION),
        epoch=1,
        waited=0,
        trusted=trusted,
        refused=refused,
    )


def asked(*some: Given, last: bool = False) -> Asked:
    return Asked(
        task=TaskId(1),
        step="c/s",
        kind="word_count",
        options=Raw(b"{}"),
        body=BODY,
        units=2,
        last=last,
        given=some,
    )


def result(blob: str) -> Raw:
    return Raw(msgspec.json.encode({"rows": blob}))


def test_a_refused_result_is_no_answer_and_a_fault_in_all_its_units():
    ruled = ruling.rule(WORDS, asked(one(1, refused="no such blob"), one(2)), [result("x"), result("y")])
    assert isinstance(ruled, ruling.Ruled)
    assert [(found.units, found.checked, found.faults, found.why) for found in ruled.found] == [
        (0, 2, 2, "no such blob"),
        (2, 0, 0, ""),
    ]
    assert bytes(ruled.believed) == b'{"rows":"y"}'


def test_without_any_answer_another_owner_is_asked_or_where_there_is_none_nobody_is_believed():
    refused = one(1, refused="no such blob")
    assert ruling.rule(WORDS, asked(refused), [result("x")]) == More(1, "no result could be taken")
    last = ruling.rule(WORDS, asked(refused, last=True), [result("x")])
    assert isinstance(last, ruling.Ruled)
    assert (bytes(last.believed), last.reason) == (b"null", "no result could be taken")


def test_what_is_no_result_of_the_kind_is_unreadable():
    assert ruling.unreadable(WORDS, result("x")) == ""
    assert "`rows`" in ruling.unreadable(WORDS, Raw(b"{}"))
    assert ruling.unreadable(WORDS, Raw(b'{"rows":"x","more":1}'))
    assert ruling.unreadable(WORDS, Raw(b"[]"))


@dataclass
class Saying:
    """A judge that says what a test wants."""

    outcome: Verdict[Any] | More
    seen: list[Case[Any, Any, Any]] = field(default_factory=list)

    def agree(self, case: Case[Any, Any, Any]) -> Verdict[Any] | More:
        self.seen.append(case)
        return self.outcome

    @property
    def kind(self) -> Loaded:
        return replace(WORDS, agree=self.agree)


def says(units: int = 1, checked: int = 0, faults: int = 0, reason: str = "because") -> Saying:
    findings = {AssignmentId(1): Finding(units, checked, faults)}
    return Saying(Verdict(believed=None, findings=findings, reason=reason))


@pytest.mark.parametrize(
    "judge",
    [
        says(units=3),
        says(units=-1),
        says(faults=1),
        says(checked=1, faults=-1),
        says(reason=""),
        Saying(Verdict(believed=None, findings={}, reason="forgot one")),
    ],
    ids=[
        "too many units",
        "less than none",
        "more faults than checked",
        "fewer than none",
        "no reason",
        "forgot",
    ],
)
def test_a_judge_that_breaks_its_contract_is_noticed(judge: Saying):
    with pytest.raises((ValueError, KeyError)):
        ruling.rule(judge.kind, asked(one(1)), [result("x")])


def test_a_judge_that_asks_for_more_where_there_is_nobody_is_noticed():
    judge = Saying(More(1, "not sure"))
    assert ruling.rule(judge.kind, asked(one(1)), [result("x")]) == More(1, "not sure")
    with pytest.raises(ValueError, match="nobody more"):
        ruling.rule(judge.kind, asked(one(1), last=True), [result("x")])


def test_a_judge_sees_values_of_its_own_types_and_nothing_else():
    judge = says()
    ruling.rule(judge.kind, asked(one(1, trusted=False)), [result("x")])
    [case] = judge.seen
    assert type(case.options) is WORDS.options
    assert type(case.task) is WORDS.task
    assert [type(answer.result) for answer in case.answers] == [WORDS.result]
    assert [answer.trusted for answer in case.answers] == [False]
    assert not hasattr(case.answers[0], "price")
