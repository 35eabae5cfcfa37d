"""The demo ends well only if every claim was looked up and holds: any one that does not is told, and status is 1."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from msgspec.structs import replace

from optimai.cli import demo_checks
from optimai.cli.demo_checks import Story, Verified
from optimai.core.money import Nano
from optimai.network.queries.story import Node, Seen

ROWS = 3
LIARS = {"fern": "fabricator", "reed": "replayer", "moss": "copier"}
GOOD = Verified(4, ok=True, tampered_detected=True, fullest=2)


def node(name: str, *suspended: str, earned: int = 0) -> Node:
    return Node(
        name=name,
        results=5,
        done=5,
        accepted=0,
        suspended=suspended,
        earned=Nano(earned),
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
    replaced=1,
    overturned=1,
    detached=0,
)


def among(name: str, **fields: Any) -> Seen:
    return replace(
        SEEN, nodes=tuple(replace(one, **fields) if one.name == name else one for one in SEEN.nodes)
    )


async def report_on(
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    seen: Seen = SEEN,
    verified: Verified = GOOD,
    *,
    rows: int = ROWS,
    unknown: int = 0,
) -> demo_checks.Report:
    async def from_database(home: Path, version: str) -> Seen:
        return seen

    async def epochs(network: Any, key: bytes) -> Verified:
        return verified

    monkeypatch.setattr(demo_checks, "_from_database", from_database)
    monkeypatch.setattr(demo_checks, "_epochs", epochs)
    monkeypatch.setattr(demo_checks, "_unknown", lambda home, seen: unknown)
    pq.write_table(pa.table({"_row": [str(number) for number in range(rows)]}), folder / "data-00000.parquet")
    story = Story(
        seconds=100.0,
        name="docs@1",
        folder=folder,
        killed="maple",
        habits=LIARS | {"maple": "killed"},
        back_after=2.0,
        key=b"",
    )
    return await demo_checks.check(folder, None, story)  # type: ignore[arg-type]  # nobody asks the network here


async def test_where_all_holds_nothing_is_wrong_and_who_was_caught_by_what_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    report = await report_on(monkeypatch, tmp_path)
    assert report.ok
    assert report.wrong == ()
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
        ("fern, a fabricator, earned", {"seen": among("fern", earned=Nano(5))}),
        ("moss, a copier, earned", {"seen": among("moss", earned=Nano(5))}),
        ("not survived: maple was killed", {"seen": replace(SEEN, replaced=0)}),
        ("not survived: an early verdict", {"seen": replace(SEEN, overturned=0)}),
        ("1 acknowledged results are lost", {"seen": replace(SEEN, detached=1)}),
        ("2 acknowledged results are lost", {"unknown": 2}),
        ("the files have 2 rows, the manifest 3", {"rows": 2}),
        ("the files have 0 rows", {"seen": replace(SEEN, rows=0), "rows": 0}),
        ("an epoch's bundle does not hold", {"verified": replace(GOOD, ok=False)}),
        ("a changed bundle was not noticed", {"verified": replace(GOOD, tampered_detected=False)}),
    ],
)
async def test_each_claim_that_does_not_hold_makes_the_demo_end_badly_and_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, says: str, broken: dict[str, Any]
):
    report = await report_on(monkeypatch, tmp_path, **broken)
    assert not report.ok
    assert any(says in one for one in report.wrong), report.wrong
