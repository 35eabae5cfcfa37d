"""The promises of the kind `link.check`: whom it believes when the web changes, and what a lie gains."""

from itertools import permutations

import pytest
from msgspec.structs import replace

from optimai.core.assignment import Role
from optimai.core.ids import AssignmentId, OwnerId
from optimai.kinds.contract import Answer, Case, More, News, Verdict
from optimai.kinds.kit import Refused
from optimai.kinds.link_check.judge import agree, check
from optimai.kinds.link_check.judge import rows as published
from optimai.kinds.link_check.seen import Link, Seen, alike
from optimai.kinds.link_check.spec import Options, Result, Task, plan
from optimai.kinds.link_check.work import work
from optimai.sim.proof.kit import MemoryKit, page

URL = "http://docs.example/"
TASK = Task((Link("row", URL),), 0)
WORKS = Seen(row="row", status=200, length=1_000)
GONE = Seen(row="row", status=404)
MOVED = replace(WORKS, moved_to=f"{URL}new?visit=1")
BUSY = Seen(row="row", status=503)
DOWN = Seen(row="row", refused="unreachable")


def judged(*said: Seen, last: bool = False, suspended: int = 0) -> Verdict[Result] | More:
    """The first answers, others audit; of these, one may be suspended."""
    answers = [
        Answer(
            assignment=AssignmentId(at),
            owner=OwnerId(f"owner {at}"),
            role=Role.ANSWER if at == 1 else Role.AUDIT,
            result=Result((one,)),
            trusted=at != suspended,
        )
        for at, one in enumerate(said, 1)
    ]
    return agree(Case(step="c/links", options=Options(), task=TASK, units=1, answers=answers, last=last))


def told(
    *said: Seen, last: bool = False, suspended: int = 0
) -> tuple[Seen | None, list[tuple[int, int, int]]]:
    """What is believed, and of each answer units, checked and faults."""
    verdict = judged(*said, last=last, suspended=suspended)
    assert isinstance(verdict, Verdict)
    findings = [verdict.findings[AssignmentId(at)] for at in range(1, len(said) + 1)]
    return verdict.believed and verdict.believed.seen[0], [
        (one.units, one.checked, one.faults) for one in findings
    ]


def test_two_who_saw_the_same_are_paid_and_checked():
    assert told(WORKS, replace(WORKS, length=600)) == (WORKS, [(1, 1, 0), (1, 1, 0)])


def test_two_who_disagree_ask_a_third_and_the_majority_decides():
    for said in permutations((WORKS, GONE)):
        assert isinstance(judged(*said), More)
    for said in permutations((WORKS, GONE, GONE)):
        believed, findings = told(*said)
        assert believed == GONE
        assert sorted(findings) == [(0, 1, 1), (1, 1, 0), (1, 1, 0)]


def test_what_is_never_twice_the_same_gives_no_row_and_is_nobodys_fault():
    said = [replace(WORKS, length=10**at) for at in range(5)]
    assert isinstance(judged(*said[:4]), More)
    assert told(*said) == (None, [(0, 0, 0)] * 5)


def test_a_dispute_that_nobody_can_settle_is_nobodys_fault():
    assert told(WORKS, GONE, last=True) == (None, [(0, 0, 0)] * 2)


@pytest.mark.parametrize("unknown", [BUSY, DOWN])
def test_unknown_pays_nobody_refutes_nobody_and_yields_to_who_knows(unknown: Seen):
    assert told(unknown) == (unknown, [(0, 0, 0)])
    assert told(WORKS, unknown) == (WORKS, [(1, 0, 0), (0, 0, 0)])
    assert told(unknown, WORKS) == (WORKS, [(0, 0, 0), (1, 0, 0)])
    assert told(unknown, WORKS, suspended=2) == (unknown, [(0, 0, 0), (0, 0, 0)])


def test_saying_that_it_works_takes_a_look():
    assert not alike(WORKS, replace(WORKS, length=0))
    assert not alike(WORKS, replace(WORKS, length=5_000))


def test_addresses_differ_by_more_than_a_visitors_query():
    assert alike(MOVED, replace(MOVED, moved_to=f"{URL}new?visit=2"))
    assert not alike(MOVED, replace(MOVED, moved_to=f"{URL}other"))
    assert not alike(MOVED, WORKS)


def test_the_word_of_a_suspended_owner_counts_for_nothing():
    assert told(GONE, WORKS, suspended=1)[0] == WORKS
    assert isinstance(judged(GONE, suspended=1), More)
    assert told(GONE, suspended=1, last=True)[0] is None


@pytest.mark.parametrize(
    "result",
    [
        Result(()),
        Result((replace(WORKS, row="another"),)),
        Result((WORKS, WORKS)),
        Result((replace(WORKS, refused="robots"),)),
        Result((replace(GONE, length=1),)),
        Result((Seen(row="row"),)),
    ],
)
def test_what_cannot_be_is_refused(result: Result):
    assert check(Options(), TASK, result, [])


async def test_redirects_are_followed_to_their_end_and_no_further_than_five():
    web = {
        URL: page(URL, "", status=301, headers={"location": "/1"}),
        f"{URL}1": page(f"{URL}1", "", status=302, headers={"location": "2#top"}),
        f"{URL}2": page(f"{URL}2", "text"),
        f"{URL}loop": page(f"{URL}loop", "", status=302, headers={"location": "/loop"}),
        f"{URL}bad": page(f"{URL}bad", "", status=302, headers={"location": "http://[x"}),
        f"{URL}mail": page(f"{URL}mail", "", status=302, headers={"location": "mailto:a@docs.example"}),
        f"{URL}robots": Refused("robots"),
    }
    kit = MemoryKit(web=web)
    rows = [{"_row": url, "url": url} for url in web if url[-1] not in "12"]
    shard = kit.shard(rows)
    columns = {shard.blob: {"_row": [row["_row"] for row in rows], "url": [row["url"] for row in rows]}}
    planned = plan(Options(batch=3), b"", News(sealed=[shard], columns=columns, ended=True))
    assert [piece.units for piece in planned.pieces] == [3, 2]
    done = [published("c/links", piece.task, await work(piece.task, kit)) for piece in planned.pieces]
    found = {row["url"]: row for each in done for row in each}
    seen = {url: (row["state"], row["status"], row["moved_to"], row["refused"]) for url, row in found.items()}
    assert seen == {
        URL: ("moved", 200, f"{URL}2", None),
        f"{URL}loop": ("unknown", None, None, "loop"),
        f"{URL}bad": ("unknown", 302, None, None),
        f"{URL}mail": ("unknown", 302, None, None),
        f"{URL}robots": ("unknown", None, None, "robots"),
    }
    assert kit.fetched.count(f"{URL}loop") == 6


async def test_what_is_no_address_gives_a_row_that_says_so_and_is_neither_fetched_nor_paid():
    given = [URL, "not a url", None, 7, "http://" + "x" * 2_000]
    kit = MemoryKit(web={URL: page(URL, "text")})
    shard = kit.shard([{"_row": f"row {at}", "url": None} for at in range(len(given))])
    columns = {shard.blob: {"_row": [f"row {at}" for at in range(len(given))], "url": given}}
    [piece] = plan(Options(), b"", News(sealed=[shard], columns=columns, ended=True)).pieces
    result = await work(piece.task, kit)
    assert not check(Options(), piece.task, result, [])
    found = [(row["url"], row["state"], row["refused"]) for row in published("c/links", piece.task, result)]
    nothing = (None, "unknown", "no_address")
    assert found == [(URL, "works", None), ("not a url", "unknown", "no_address"), nothing, nothing, nothing]
    assert kit.fetched == [URL]

    answer = Answer(assignment=AssignmentId(1), owner=OwnerId("owner"), role=Role.ANSWER, result=result)
    verdict = agree(
        Case(step="c/links", options=Options(), task=piece.task, units=5, answers=[answer], last=True)
    )
    assert isinstance(verdict, Verdict)
    finding = verdict.findings[AssignmentId(1)]
    assert (finding.units, finding.why) == (1, "4 of 5 links gave no answer that counts: 4 no address.")


def test_nobody_may_say_of_an_address_that_it_is_none_or_of_none_that_it_works():
    none = Task((Link("row", "not a url"),), 0)
    assert check(Options(), TASK, Result((Seen(row="row", refused="no_address"),)), [])
    assert check(Options(), none, Result((WORKS,)), [])
    assert check(Options(), none, Result((DOWN,)), [])
    assert not check(Options(), none, Result((Seen(row="row", refused="no_address"),)), [])
