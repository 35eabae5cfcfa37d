"""How work is judged that has one right result, to the byte."""

from hypothesis import given
from hypothesis import strategies as st

from optimai.core.assignment import Role
from optimai.core.ids import AssignmentId, BlobId, OwnerId
from optimai.kinds.contract import Answer, Case, Finding, More, Shard, Verdict
from optimai.kinds.exact import agree
from optimai.kinds.word_count.spec import Options, Result, Task

Said = list[tuple[str, bool]]  # a result, and whether its owner is trusted


def judged(said: Said, *, last: bool = False) -> Verdict[Result] | More:
    answers = [
        Answer(
            assignment=AssignmentId(number),
            owner=OwnerId(f"owner {number}"),
            role=Role.ANSWER,
            result=Result(BlobId(result)),
            trusted=trusted,
        )
        for number, (result, trusted) in enumerate(said)
    ]
    task = Task(Shard(BlobId("in"), rows=3, bytes=9), "text")
    return agree(Case(step="c/s", options=Options(), task=task, units=3, answers=answers, last=last))


def found(said: Said) -> list[tuple[int, int, int]]:
    """Units, checked and faults of each."""
    verdict = judged(said, last=True)
    assert isinstance(verdict, Verdict)
    return [(one.units, one.checked, one.faults) for one in verdict.findings.values()]


def test_two_who_agree_are_paid_and_checked():
    assert found([("x", True), ("x", True)]) == [(3, 3, 0), (3, 3, 0)]


def test_a_tie_asks_one_more_owner_and_believes_nobody_where_there_is_none():
    assert judged([("x", True), ("y", True)]) == More(1, "the owners do not agree")
    assert found([("x", True), ("y", True)]) == [(0, 0, 0), (0, 0, 0)]


def test_the_majority_decides_and_who_differs_has_a_fault_in_each_unit():
    verdict = judged([("x", True), ("y", True), ("x", True)])
    assert isinstance(verdict, Verdict)
    assert verdict.findings[AssignmentId(1)] == Finding(
        0, 3, 3, "2 of 3 have the same result, and it is not this one."
    )


def test_who_is_alone_is_paid_and_checked_by_nobody():
    verdict = judged([("x", True)])
    assert isinstance(verdict, Verdict)
    assert (verdict.reason, found([("x", True)])) == ("checked by nobody else", [(3, 0, 0)])


def test_a_suspended_owner_has_no_vote_and_checks_nobody():
    assert judged([("x", False)]) == More(1, "nobody trusted has answered")
    assert found([("x", True), ("y", False)]) == [(3, 0, 0), (0, 3, 3)]
    assert found([("x", True), ("x", False)]) == [(3, 0, 0), (3, 3, 0)]


@given(st.lists(st.tuples(st.sampled_from("xyz"), st.booleans()), min_size=1, max_size=7))
def test_whoever_differs_from_what_is_believed_gets_nothing(said: Said):
    verdict = judged(said, last=True)
    assert isinstance(verdict, Verdict)
    believed = verdict.believed and verdict.believed.rows
    assert [one.units for one in verdict.findings.values()] == [3 * (it == believed) for it, _ in said]


@given(st.permutations([("x", True), ("x", True), ("y", True), ("x", False), ("z", True), ("x", True)]))
def test_the_order_of_answers_does_not_matter(said: Said):
    verdict = judged(said)
    assert isinstance(verdict, Verdict)
    assert verdict.believed == Result(BlobId("x"))
