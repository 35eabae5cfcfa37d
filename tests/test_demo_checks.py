"""The demo ends well only if every claim was looked up and holds: any one that does not is told, and status is 1."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from msgspec.structs import replace

from optimai.cli import demo_checks, demo_evidence
from optimai.cli.demo_checks import Story
from optimai.cli.demo_report import Report, Verified
from optimai.core.clock import Instant, instant
from optimai.core.ids import AssignmentId
from optimai.core.money import Nano
from optimai.network.queries.story import Node, Seen
from optimai.node.outbox import Outbox
from tests.test_node_outbox import done, reply, sign, with_offers

ROWS = 3
LIARS = {"fern": "fabricator", "reed": "replayer", "moss": "copier"}
GOOD = Verified(4, ok=True, tampered_detected=True, fullest=2, verdicts=9)
BEGAN = instant(2026, 12, 1)
RESULTS = (1, 2, 3)  # of each node


def node(name: str, *suspended: str, earned: int = 0) -> Node:
    return Node(
        name=name,
        simulated=name in LIARS,
        results=frozenset(map(AssignmentId, RESULTS)),
        done=5,
        accepted=0,
        suspended=suspended,
        earned=Nano(earned),
        by_answers=Nano(0),
        undue=Nano(0),
        bond=Nano(0),
        why="so it was judged",
    )


SEEN = Seen(
    sums=dict.fromkeys(demo_checks.SUMS, 0),
    steps=(),
    nodes=(
        node("ann", earned=7),
        node("maple", earned=3),
        node("fern", "crawl"),
        node("reed", "crawl", earned=1),
        node("moss", "label"),
    ),
    rows=ROWS,
    verdicts=GOOD.verdicts,
    in_hand=2,
    undone=0,
    overturned=1,
    detached=0,
)


TOLD = {one.name: RESULTS for one in SEEN.nodes}


def among(name: str, **fields: Any) -> Seen:
    return replace(
        SEEN, nodes=tuple(replace(one, **fields) if one.name == name else one for one in SEEN.nodes)
    )


def outbox_of(folder: Path, taken: Sequence[int]) -> None:
    """Of a node that was told that these were taken."""
    folder.mkdir(parents=True)
    outbox = Outbox(folder / "outbox.db")
    with_offers(outbox, *taken)
    for one in taken:
        outbox.finish(done(one))
    outbox.answer(reply(outbox.envelope(sign).serial, taken=taken))
    outbox.close()


async def report_on(
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    seen: Seen = SEEN,
    verified: Verified = GOOD,
    *,
    rows: int = ROWS,
    told: Mapping[str, Sequence[int]] = TOLD,
    back_after: float = 2.0,
) -> Report:
    now = BEGAN

    async def from_database(home: Path, this: Story) -> Seen:
        return seen

    async def epochs(network: Any, key: bytes) -> Verified:
        nonlocal now
        now = Instant(BEGAN + timedelta(seconds=100))
        return verified

    monkeypatch.setattr(demo_checks, "_from_database", from_database)
    monkeypatch.setattr(demo_evidence, "epochs", epochs)
    monkeypatch.setattr(demo_checks, "now", lambda: now)
    for name, assignments in told.items():
        outbox_of(folder / "nodes" / name, assignments)
    pq.write_table(pa.table({"_row": [str(number) for number in range(rows)]}), folder / "data-00000.parquet")
    story = Story(
        began=BEGAN,
        name="docs@1",
        folder=folder,
        killed="maple",
        habits=LIARS | {"maple": "killed"},
        back_after=back_after,
        key=b"",
    )
    return await demo_checks.check(folder, None, story)  # type: ignore[arg-type]  # nobody asks the network here


async def test_where_all_holds_nothing_is_wrong_and_who_was_caught_by_what_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    report = await report_on(monkeypatch, tmp_path)
    assert report.ok
    assert report.wrong == ()
    assert report.seconds == 100.0  # the checks included
    assert report.ledger.acknowledged_results == len(TOLD) * len(RESULTS)
    assert {one.name for one in report.nodes if one.simulated} == LIARS.keys()
    assert {one.name: (one.habit, one.caught_by) for one in report.nodes} == {
        "ann": ("honest", None),
        "maple": ("killed", None),
        "fern": ("fabricator", "audits"),
        "reed": ("replayer", "audits"),
        "moss": ("copier", "known answers"),
    }


@pytest.mark.parametrize(
    ("says", "broken"),
    [
        *(
            (f"the {habit} was not caught", {"seen": among(name, suspended=())})
            for name, habit in LIARS.items()
        ),
        *(
            (demo_checks.unbalanced(one, 1), {"seen": replace(SEEN, sums=SEEN.sums | {one: 1})})
            for one in demo_checks.SUMS
        ),
        ("the honest ann was suspended", {"seen": among("ann", suspended=("crawl",))}),
        *(
            (f"{name}, a {habit}, has 0.000000005 OPI that should not", {"seen": among(name, undue=Nano(5))})
            for name, habit in LIARS.items()
        ),
        ("fern, a fabricator, has 0.000000005 OPI for pages", {"seen": among("fern", by_answers=Nano(5))}),
        ("not survived: maple was killed", {"seen": replace(SEEN, in_hand=0)}),
        ("not survived: maple was killed", {"seen": replace(SEEN, undone=1)}),
        ("not survived: the coordinator was killed", {"back_after": 0.0}),
        ("not survived: an early verdict", {"seen": replace(SEEN, overturned=0)}),
        ("1 acknowledged results are lost", {"seen": replace(SEEN, detached=1)}),
        ("1 acknowledged results are lost", {"told": TOLD | {"maple": (1, 2, 4)}}),  # as many as it has
        ("no node was told", {"told": dict.fromkeys(TOLD, ())}),
        ("maple has no outbox", {"told": {name: RESULTS for name in TOLD if name != "maple"}}),
        ("1 of 10 verdicts are in no epoch's bundle", {"seen": replace(SEEN, verdicts=10)}),
        ("the files have 2 rows, the manifest 3", {"rows": 2}),
        ("the files have 0 rows", {"seen": replace(SEEN, rows=0), "rows": 0}),
        ("an epoch's bundle does not hold", {"verified": replace(GOOD, ok=False)}),
        (
            "a copy with one byte changed was not noticed",
            {"verified": replace(GOOD, tampered_detected=False)},
        ),
    ],
)
async def test_each_claim_that_does_not_hold_makes_the_demo_end_badly_and_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, says: str, broken: dict[str, Any]
):
    report = await report_on(monkeypatch, tmp_path, **broken)
    assert not report.ok
    assert any(says in one for one in report.wrong), report.wrong
