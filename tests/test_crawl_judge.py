"""The promises of the judge of `crawl`: who is believed, who is paid, who has the fault."""

import re
from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from optimai.core.assignment import Role
from optimai.core.chance import Seed
from optimai.core.ids import AssignmentId, OwnerId, blob_id
from optimai.core.rows import row_id
from optimai.kinds.contract import Answer, Case, Finding, More, Verdict
from optimai.kinds.crawl.judge import MOST_AUDITS, agree, audit, check, rows
from optimai.kinds.crawl.outcome import Outcome, checkable, counts
from optimai.kinds.crawl.spec import Compare, Compared, Fetch, Fetched, Found, Options, Result, Task
from optimai.kinds.kit import Refused
from optimai.kinds.refusals import REASONS

SINCE, AT = "2026-01-01T11:55:00Z", "2026-01-01T12:00:00Z"
OPTIONS = Options(max=100)
FIRST = AssignmentId(1)
SAYS = ("same", "differs", "gone", "changed", "unreachable")


def url(number: int) -> str:
    return f"http://docs.example/{number}.html"


def page(number: int, **more: Any) -> Outcome:
    told: dict[str, Any] = {
        "status": 200,
        "type": "text/html",
        "length": 4,
        "body": blob_id(b"page"),
        "at": AT,
    }
    return Outcome(url=url(number), **(told | more))


def missing(number: int, status: int = 404) -> Outcome:
    return Outcome(url=url(number), at=AT, status=status)


def refused(number: int, why: str) -> Outcome:
    return Outcome(url=url(number), at=AT, refused=why)


def task(pages: int) -> Fetch:
    return Fetch(urls=tuple(map(url, range(pages))), delay_ms=0, within=("docs.example",), since=SINCE)


def first(*outcomes: Outcome, trusted: bool = True) -> Answer[Result]:
    return Answer(
        assignment=FIRST, owner=OwnerId("first"), role=Role.ANSWER, result=Fetched(outcomes), trusted=trusted
    )


def audited(number: int, *says: str, trusted: bool = True) -> Answer[Result]:
    found = tuple(Found(url(at), one) for at, one in enumerate(says))  # type: ignore[arg-type]
    return Answer(
        assignment=AssignmentId(number),
        owner=OwnerId(f"o{number}"),
        role=Role.AUDIT,
        result=Compared(found),
        trusted=trusted,
    )


def case(*answers: Answer[Result], last: bool = False, given: Task | None = None) -> Case[Any, Any, Any]:
    told = answers[0].result
    pages = len(told.outcomes) if isinstance(told, Fetched) else 1
    return Case(
        step="docs/pages",
        options=OPTIONS,
        task=given or task(pages),
        units=pages,
        answers=answers,
        last=last,
    )


def judged(*answers: Answer[Result], last: bool = False) -> Verdict[Result]:
    verdict = agree(case(*answers, last=last))
    assert isinstance(verdict, Verdict), verdict
    return verdict


# One word, no audit


def test_without_an_audit_a_trusted_answer_is_paid_for_pages_redirects_and_real_errors():
    moved = Outcome(url=url(1), at=AT, status=301, moved_to=url(9))
    verdict = judged(first(page(0), moved, missing(2), missing(3, 503), refused(4, "timeout")))
    why = "2 of 5 pages without an answer that counts: 1 answered 503, 1 too slow."
    assert verdict.findings[FIRST] == Finding(3, why=why)
    assert verdict.believed == Fetched((page(0), moved, missing(2), missing(3, 503), refused(4, "timeout")))


def test_of_pages_that_were_not_fetched_the_pay_line_and_the_verdict_say_why_the_commonest_reason_first():
    words = ["unknown_host", "private", "private", "forbidden", "a stranger's \x00"]
    verdict = judged(first(*(refused(at, why) for at, why in enumerate(words))))
    reasons = (
        "2 at a private address, 1 unreachable: host unknown, "
        "1 forbidden (only http and https, on ports 80 and 443, without a password), 1 refused"
    )
    assert verdict.findings[FIRST].why == f"5 of 5 pages without an answer that counts: {reasons}."
    assert verdict.reason.endswith(f"checked by nobody else; without an answer that counts: {reasons}")


def test_each_word_of_the_kit_for_a_page_that_was_not_fetched_has_words_for_people():
    said = re.findall(r"^    (\w+) +\S", Refused.__doc__ or "", re.MULTILINE)
    assert len(said) == 9
    assert set(said) < set(REASONS)


def test_without_an_audit_an_untrusted_answer_asks_for_one():
    more = agree(case(first(page(0), trusted=False)))
    assert isinstance(more, More)
    assert (more.owners, more.role) == (1, Role.AUDIT)


def test_where_nobody_else_can_be_had_an_untrusted_answer_is_not_believed():
    verdict = judged(first(page(0), trusted=False), last=True)
    assert verdict.believed is None
    assert verdict.findings[FIRST].units == 0


# Audits


def test_what_an_audit_confirms_is_paid_to_both_and_counts_as_checked():
    verdict = judged(first(page(0), page(1)), audited(2, "same", "same"))
    assert verdict.findings == {FIRST: Finding(2, checked=2), AssignmentId(2): Finding(2)}


def test_a_dispute_asks_one_more_auditor():
    more = agree(case(first(page(0), page(1)), audited(2, "same", "differs")))
    assert more == More(1, "the owners do not agree on 1 of 2 pages", Role.AUDIT)


def test_two_who_agree_do_not_outvote_one_while_somebody_else_can_be_asked():
    """They may be liars, and he the only one who has looked."""
    said = first(page(0)), audited(2, "differs"), audited(3, "same")
    assert agree(case(*said)) == More(1, "the owners do not agree on 1 of 1 pages", Role.AUDIT)
    assert agree(case(*said, audited(4, "gone"))) == More(
        1, "the owners do not agree on 1 of 1 pages", Role.AUDIT
    )
    verdict = judged(*said, audited(4, "gone"), audited(5, "differs"))
    assert verdict.believed is None
    assert verdict.findings[FIRST].faults == verdict.findings[AssignmentId(3)].faults == 1


def test_a_page_that_two_auditors_refute_is_dropped_and_is_the_first_ones_fault_where_there_is_no_third():
    verdict = judged(
        first(page(0), page(1)), audited(2, "same", "differs"), audited(3, "same", "gone"), last=True
    )
    assert verdict.believed == Fetched((page(0),))
    assert verdict.findings[FIRST] == Finding(
        1, checked=2, faults=1, why=f"1 of 2 pages refuted, among them {url(1)}."
    )
    assert verdict.findings[AssignmentId(2)] == verdict.findings[AssignmentId(3)] == Finding(2, checked=2)


def test_an_auditor_who_stands_alone_has_the_fault():
    verdict = judged(first(page(0)), audited(2, "differs"), audited(3, "same"), audited(4, "same"))
    assert verdict.findings[FIRST] == Finding(1, checked=1)
    assert verdict.findings[AssignmentId(2)] == Finding(
        0, checked=1, faults=1, why="1 of 1 pages judged against all others."
    )


def test_one_word_against_one_believes_nobody_where_nobody_else_can_be_had():
    verdict = judged(first(page(0), page(1)), audited(2, "differs", "same"), last=True)
    assert verdict.believed == Fetched((page(1),))
    assert verdict.findings[FIRST].units == 1
    assert verdict.findings[FIRST].faults == verdict.findings[AssignmentId(2)].faults == 0
    assert verdict.findings[AssignmentId(2)] == Finding(1, why="1 of 2 pages undecided.")


def test_a_page_that_changed_or_is_out_of_reach_stands_on_the_first_word_unchecked():
    verdict = judged(first(page(0), page(1)), audited(2, "changed", "unreachable"))
    assert verdict.findings[FIRST] == Finding(2)
    assert verdict.findings[AssignmentId(2)] == Finding(1, why="1 of 2 pages out of reach.")


def test_a_suspended_owner_has_no_word_of_his_own():
    verdict = judged(first(page(0), page(1), trusted=False), audited(2, "same", "gone"))
    assert verdict.believed == Fetched((page(0),))
    assert (verdict.findings[FIRST].units, verdict.findings[FIRST].faults) == (1, 1)


def test_audits_of_suspended_owners_do_not_count():
    verdict = judged(first(page(0)), audited(2, "differs", trusted=False))
    assert verdict.findings[FIRST] == Finding(1)
    assert verdict.findings[AssignmentId(2)].units == 0


def test_after_so_many_audits_it_is_decided_with_what_there_is():
    says = [audited(2 + at, "unreachable") for at in range(MOST_AUDITS)]
    assert isinstance(agree(case(first(page(0), trusted=False), *says[:-1])), More)
    assert judged(first(page(0), trusted=False), *says).believed is None


def test_refusals_are_not_paid_but_whoever_claims_robots_falsely_has_a_fault():
    no = refused(0, "robots")
    assert judged(first(no)).findings[FIRST].units == 0
    verdict = judged(first(no), *(audited(2 + at, "differs") for at in range(3)))
    assert verdict.believed is None
    assert verdict.findings[FIRST].faults == 1


def test_what_nobody_can_check_is_no_fault_whatever_auditors_say():
    verdict = judged(first(refused(0, "timeout")), audited(2, "differs"), audited(3, "differs"))
    assert verdict.findings[FIRST].faults == 0
    assert verdict.findings[AssignmentId(2)].units == 0


# Whatever they say

OUTCOMES = st.lists(
    st.one_of(
        st.sampled_from([page, missing]),
        st.sampled_from(["robots", "too_large", "timeout", "private"]).map(
            lambda why: lambda n: refused(n, why)
        ),
    ),
    min_size=1,
    max_size=5,
).map(lambda made: [one(at) for at, one in enumerate(made)])


@st.composite
def cases(draw: st.DrawFn) -> list[Answer[Result]]:
    outcomes = draw(OUTCOMES)
    audits = [
        audited(2 + at, *(draw(st.sampled_from(SAYS)) for _ in outcomes), trusted=draw(st.booleans()))
        for at in range(draw(st.integers(0, 4)))
    ]
    return [first(*outcomes, trusted=draw(st.booleans())), *audits]


@given(cases(), st.booleans(), st.randoms(use_true_random=False))
def test_the_order_of_answers_does_not_matter(answers: list[Answer[Result]], last: bool, chance: Any):
    shuffled = chance.sample(answers, len(answers))
    given = task(len(answers[0].result.outcomes))  # type: ignore[union-attr]
    assert agree(replace(case(*answers, last=last), answers=shuffled, task=given)) == agree(
        case(*answers, last=last)
    )


@given(cases())
def test_nobody_is_paid_more_than_the_task_is_worth_and_faults_are_among_what_was_checked(
    answers: list[Answer[Result]],
):
    asked = case(*answers, last=True)
    verdict = agree(asked)
    assert isinstance(verdict, Verdict)
    assert set(verdict.findings) == {one.assignment for one in answers}
    for finding in verdict.findings.values():
        assert 0 <= finding.units <= asked.units
        assert 0 <= finding.faults <= finding.checked <= asked.units
    assert isinstance(verdict.believed, Fetched | None)
    paid = [one for one in verdict.believed.outcomes if counts(one)] if verdict.believed else []
    assert verdict.findings[FIRST].units == len(paid)


def until_decided(answers: Sequence[Answer[Result]], honest: Sequence[str]) -> Verdict[Result]:
    """As the network does it: whoever is asked in addition is honest."""
    asked = list(answers)
    for number in range(10, 20):
        verdict = agree(case(*asked))
        if isinstance(verdict, Verdict):
            return verdict
        assert verdict.role is Role.AUDIT
        asked.append(audited(number, *honest))
    raise AssertionError("it never ends")


@given(st.integers(1, 5), st.sampled_from(["differs", "gone"]))
def test_a_fabricator_who_meets_two_honest_auditors_gets_nothing(pages: int, says: str):
    verdict = until_decided([first(*map(page, range(pages)))], [says] * pages)
    assert verdict.findings[FIRST].units == pages, "nobody looked"
    verdict = until_decided([first(*map(page, range(pages))), audited(2, *[says] * pages)], [says] * pages)
    assert verdict.believed is None
    assert verdict.findings[FIRST] == Finding(0, pages, pages, verdict.findings[FIRST].why)
    assert all(one.units == pages for key, one in verdict.findings.items() if key != FIRST)


@given(OUTCOMES, st.data())
def test_a_lone_lying_auditor_harms_nobody(outcomes: list[Outcome], data: st.DataObject):
    lies = [data.draw(st.sampled_from(SAYS)) for _ in outcomes]
    honest = ["same" if checkable(one) else "unreachable" for one in outcomes]
    verdict = until_decided([first(*outcomes), audited(2, *lies)], honest)
    assert verdict.believed == Fetched(tuple(outcomes))
    assert verdict.findings[FIRST].units == sum(map(counts, outcomes))
    assert all(one.faults == 0 for key, one in verdict.findings.items() if key != AssignmentId(2))
    disputes = [at for at, one in enumerate(lies) if one in {"differs", "gone"} and checkable(outcomes[at])]
    assert verdict.findings[AssignmentId(2)].faults == len(disputes)


# What can't be an answer


def test_an_answer_tells_of_each_url_once_and_in_order():
    assert check(OPTIONS, task(2), Fetched((page(0), page(1))), []) == ""
    for wrong in ((page(0),), (page(1), page(0)), (page(0), page(1), page(1)), (page(0), page(0))):
        assert "in its order" in check(OPTIONS, task(2), Fetched(wrong), [])


def test_an_answer_from_before_the_task_existed_is_refused():
    old = page(0, at="2026-01-01T11:54:59Z")
    assert "Set the clock" in check(OPTIONS, task(1), Fetched((old,)), [])
    verdict = judged(first(old))
    assert (verdict.believed, verdict.findings[FIRST].units) == (None, 0)


def test_an_outcome_that_contradicts_itself_is_refused():
    for wrong in (
        page(0, refused="robots"),
        Outcome(url=url(0), at=AT),
        page(0, status=404),
        Outcome(url=url(0), at=AT, status=200, links=blob_id(b"links")),
    ):
        assert check(OPTIONS, task(1), Fetched((wrong,)), [])


def test_an_audit_hands_over_the_first_ones_outcomes_and_its_answer_tells_of_each():
    asked = audit(OPTIONS, task(2), Fetched((page(0), page(1))), Seed(bytes(32)))
    assert asked == Compare(pages=(page(0), page(1)), delay_ms=0, within=("docs.example",))
    both = audited(2, "same", "same").result
    assert check(OPTIONS, asked, both, []) == ""
    assert check(OPTIONS, asked, audited(2, "same").result, [])
    assert check(OPTIONS, asked, Fetched((page(0), page(1))), [])
    assert check(OPTIONS, task(2), both, [])


def test_an_audit_of_something_else_counts_for_nothing():
    verdict = judged(first(page(0), page(1)), audited(2, "differs"))
    assert verdict.findings[FIRST] == Finding(2)
    assert verdict.findings[AssignmentId(2)] == Finding(0, why="It does not answer what was asked.")


# Rows


def test_each_readable_page_is_a_row_named_by_its_url():
    told = page(0, encoding="utf-8", last_modified="2025-12-31T00:00:00Z")
    picture, empty = page(1, type="image/png"), page(2, body=None)
    made = rows("docs/pages", task(4), Fetched((told, picture, empty, missing(3))))
    assert made == [
        {
            "_row": row_id("docs/pages", url(0)),
            "url": url(0),
            "site": "docs.example",
            "status": 200,
            "type": "text/html",
            "encoding": "utf-8",
            "body": blob_id(b"page"),
            "length": 4,
            "fetched_at": AT,
            "last_modified": "2025-12-31T00:00:00Z",
        }
    ]


def test_an_audit_makes_no_rows():
    assert rows("docs/pages", Compare(pages=(page(0),), delay_ms=0, within=()), Compared(())) is None


@given(st.text(max_size=40))
def test_rows_are_made_of_any_url_that_a_stranger_writes(text: str):
    outcome = replace(page(0), url=text)
    assert rows("docs/pages", task(1), Fetched((outcome,)))
