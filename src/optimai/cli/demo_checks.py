"""Every claim that the demo makes, looked up: in the database, in the bundles, in the files, in the nodes' outboxes.

What each is checked by is told in docs/demo.md.
"""

from collections.abc import Mapping, Sequence, Set
from pathlib import Path

import pyarrow.parquet as pq
from msgspec import Struct

from optimai.blobs.disk import DiskBlobs
from optimai.cli import demo_evidence
from optimai.cli.demo_report import Dataset, Fault, Ledger, NodeLine, Report, StepLine, Verified
from optimai.client.network import Client
from optimai.core.clock import Instant
from optimai.core.ids import AssignmentId
from optimai.core.money import Nano, opi
from optimai.kinds import catalog
from optimai.network.home import Home, Numbers
from optimai.network.queries import story
from optimai.network.queries.story import Seen
from optimai.network.store import postgres
from optimai.network.store.sql import Database
from optimai.node.clock import now
from optimai.node.outbox import Outbox

Told = Mapping[str, Set[AssignmentId]]  # by node: the assignments whose result it was told had been taken

LIARS = ("fabricator", "replayer", "copier")
SUMS = {  # what it means where one of the ledger's sums is not 0
    "all_accounts": "all accounts together are {}, not 0: money was made or lost",
    "transfers": "all transfers together move {}, not 0: money was made or lost",
    "double_paid": "{} results were paid more than once",
    "wrong_balances": "{} accounts differ from the sum of their transfers",
    "wrong_bonds": "{} bonds differ from what was kept in them",
    "wrong_states": "{} reserved or pending accounts differ from the sum of their lines of pay",
}


class Story(Struct, frozen=True, kw_only=True):
    """What happened, as the demo knows it without asking anybody."""

    began: Instant
    name: str  # of the dataset
    folder: Path
    killed: str
    habits: Mapping[str, str]
    back_after: float
    key: bytes  # the network's


async def check(home: Path, network: Client, this: Story) -> Report:
    """Outboxes first: whatever a node was told by then is in what is read of the database after that."""
    told = _told(home)
    seen = await _from_database(home, this)
    verified = await demo_evidence.epochs(network, this.key)
    lost = seen.detached + _unknown(told, seen)
    nodes = tuple(_line(one, this) for one in seen.nodes)
    rows = sum(pq.ParquetFile(file).metadata.num_rows for file in sorted(this.folder.glob("*.parquet")))
    faults = (
        Fault(f"{this.killed} was killed with its tasks in hand", seen.in_hand > 0 and not seen.undone),
        Fault("the coordinator was killed", lost == 0 and this.back_after > 0),
        Fault("an early verdict was overturned before it was paid", seen.overturned > 0),
    )
    wrong = [
        *_of_liars(seen, nodes),
        *(f"not survived: {one.what}" for one in faults if not one.survived),
        *(unbalanced(what, value) for what, value in seen.sums.items() if value),
        *_of_results(told, seen, lost),
        *([f"the files have {rows} rows, the manifest {seen.rows}"] if rows != seen.rows or not rows else []),
        *_of_evidence(verified, seen),
    ]
    return Report(
        ok=not wrong,
        seconds=round((now() - this.began).total_seconds(), 1),
        steps=tuple(StepLine(one.name, one.rows_in, one.rows_out, one.answers) for one in seen.steps),
        nodes=nodes,
        faults=faults,
        ledger=Ledger(
            seen.sums["all_accounts"],
            seen.sums["double_paid"],
            lost,
            sum(len(assignments) for assignments in told.values()),
        ),
        dataset=Dataset(this.name, str(this.folder), rows),
        verify=verified,
        wrong=tuple(wrong),
    )


def _of_liars(seen: Seen, nodes: Sequence[NodeLine]) -> list[str]:
    caught = {one.habit for one in nodes if one.caught_by}
    return [
        *(f"the {liar} was not caught" for liar in LIARS if liar not in caught),
        *(
            f"the honest {one.name} was suspended"
            for one in nodes
            if one.habit not in LIARS and one.caught_by
        ),
        *(
            f"{one.name}, a {one.habit}, has {opi(Nano(one.undue_nopi))} OPI that should not be its own: it was "
            "found before they were free"
            for one in nodes
            if one.undue_nopi
        ),
        *(
            f"{one.name}, a fabricator, has {opi(one.by_answers)} OPI for pages that it invented"
            for one, line in zip(seen.nodes, nodes, strict=True)
            if line.habit == "fabricator" and one.by_answers
        ),
    ]


def _of_results(told: Told, seen: Seen, lost: int) -> list[str]:
    return [
        *([f"{lost} acknowledged results are lost"] if lost else []),
        *(
            []
            if any(told.values())
            else ["no node was told that a result was taken: there was nothing to lose"]
        ),
        *(
            f"{one.name} has no outbox any more: nobody can tell what it was told"
            for one in seen.nodes
            if one.name not in told
        ),
    ]


def _of_evidence(verified: Verified, seen: Seen) -> list[str]:
    missing = seen.verdicts - verified.verdicts
    return [
        *([] if verified.ok else ["an epoch's bundle does not hold"]),
        *([f"{missing} of {seen.verdicts} verdicts are in no epoch's bundle"] if missing else []),
        *([] if verified.tampered_detected else ["a copy with one byte changed was not noticed"]),
    ]


def unbalanced(what: str, value: int) -> str:
    """Of a sum of the ledger that must be 0: what it means that it is not."""
    return SUMS[what].format(
        f"{opi(Nano(value))} OPI" if what in ("all_accounts", "transfers") else f"{value:,}"
    )


def _told(home: Path) -> Told:
    """A node whose outbox is not there is left out: opened, it would be a new one, and empty."""
    told = {}
    for folder in sorted((home / "nodes").iterdir()):
        path = folder / "outbox.db"
        if path.is_file():
            outbox = Outbox(path)
            told[folder.name] = frozenset(outbox.taken())
            outbox.close()
    return told


def _unknown(told: Told, seen: Seen) -> int:
    """Results that a node was told had been taken, and that the database does not have of it."""
    return sum(len(told.get(one.name, frozenset()) - one.results) for one in seen.nodes)


def _line(one: story.Node, this: Story) -> NodeLine:
    habit = this.habits.get(one.name, "honest")
    return NodeLine(
        one.name,
        "honest" if habit in ("person", "tattler") else habit,
        one.simulated,
        one.done,
        one.accepted,
        _caught_by(one.suspended),
        one.earned,
        one.undue,
        one.bond,
        one.why,
    )


def _caught_by(suspended: Sequence[str]) -> str | None:
    """What the kinds that suspended it check by."""
    ways = {"audits" if catalog.load(kind).kind.audit else "known answers" for kind in suspended}
    return ", ".join(sorted(ways)) or None


async def _from_database(home: Path, this: Story) -> Seen:
    place = Home(home)
    database = await Database.connect(
        postgres.start(place.postgres), DiskBlobs(place.blobs), place.identity(Numbers())
    )
    try:
        async with database.begin() as (tx, _):
            return await story.of(tx, this.name, this.killed)
    finally:
        await database.close()
