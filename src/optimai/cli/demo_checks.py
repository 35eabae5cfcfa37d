"""Every claim that the demo makes, looked up: in the database, in the bundles, in the files."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import pyarrow.parquet as pq
from msgspec import Struct

from optimai.blobs.disk import DiskBlobs
from optimai.client.network import Client
from optimai.core.errors import NotFound
from optimai.core.money import Nano, opi
from optimai.kinds import bundle, catalog
from optimai.kinds.lines import Head
from optimai.network.home import Home, Numbers
from optimai.network.queries import story
from optimai.network.queries.story import Seen
from optimai.network.store import postgres
from optimai.network.store.sql import Database
from optimai.node.outbox import Outbox

LIARS = ("fabricator", "replayer", "copier")
SUMS = {  # what it means where one of the ledger's sums is not 0
    "all_accounts": "all accounts together are {}, not 0: money was made or lost",
    "transfers": "all transfers together move {}, not 0: money was made or lost",
    "double_paid": "{} results were paid more than once",
    "wrong_balances": "{} accounts differ from the sum of their transfers",
    "wrong_states": "{} reserved or pending accounts differ from the sum of their lines of pay",
}


class Story(Struct, frozen=True, kw_only=True):
    """What happened, as the demo knows it without asking anybody."""

    seconds: float
    name: str  # of the dataset
    folder: Path
    killed: str
    habits: Mapping[str, str]
    back_after: float
    key: bytes  # the network's


class StepLine(Struct, frozen=True, omit_defaults=True):
    name: str
    rows_in: int
    rows_out: int
    answers: int = 0  # of standing work, which makes no rows


class NodeLine(Struct, frozen=True):
    name: str
    habit: str
    done: int
    accepted: int
    caught_by: str | None
    earned_nopi: int
    why: str


class Fault(Struct, frozen=True):
    what: str
    survived: bool


class Ledger(Struct, frozen=True):
    sum_nopi: int
    double_paid: int
    lost_results: int


class Dataset(Struct, frozen=True):
    name: str
    path: str
    rows: int


class Verified(Struct, frozen=True):
    epoch: int
    ok: bool
    tampered_detected: bool
    fullest: int  # the epoch with the most verdicts


class Report(Struct, frozen=True, kw_only=True):
    ok: bool
    seconds: float
    steps: tuple[StepLine, ...]
    nodes: tuple[NodeLine, ...]
    faults: tuple[Fault, ...]
    ledger: Ledger
    dataset: Dataset
    verify: Verified
    wrong: tuple[str, ...]  # claims that did not hold


async def newest_epoch(network: Client) -> int:
    """Of those that are closed; 0 where none is."""
    try:
        head, _ = await network.epoch(0)
    except NotFound:
        return 0
    return msgspec.json.decode(head.payload, type=Head).epoch


async def check(home: Path, network: Client, told: Story) -> Report:
    seen = await _from_database(home, told.name)
    lost = seen.detached + _unknown(home, seen)
    verified = await _epochs(network, told.key)
    nodes = tuple(_node(one, told) for one in seen.nodes)
    rows = sum(pq.ParquetFile(file).metadata.num_rows for file in sorted(told.folder.glob("*.parquet")))
    caught = {one.habit: one.caught_by for one in nodes if one.caught_by}
    faults = (
        Fault(f"{told.killed} was killed with its tasks in hand", seen.replaced > 0),
        Fault("the coordinator was killed", lost == 0 and told.back_after > 0),
        Fault("an early verdict was overturned before it was paid", seen.overturned > 0),
    )
    wrong = [f"the {liar} was not caught" for liar in LIARS if liar not in caught]
    wrong += [
        f"the honest {one.name} was suspended" for one in nodes if one.habit not in LIARS and one.caught_by
    ]
    wrong += [
        f"{one.name}, a {one.habit}, earned {opi(one.earned_nopi)} OPI with made-up work, and should have earned 0"
        for one in nodes
        if _overpaid(one)
    ]
    wrong += [f"not survived: {one.what}" for one in faults if not one.survived]
    wrong += [unbalanced(what, value) for what, value in seen.sums.items() if value]
    wrong += [f"{lost} acknowledged results are lost"] if lost else []
    wrong += (
        [f"the files have {rows} rows, the manifest {seen.rows}"] if rows != seen.rows or not rows else []
    )
    wrong += [] if verified.ok else ["an epoch's bundle does not hold"]
    wrong += [] if verified.tampered_detected else ["a changed bundle was not noticed"]
    return Report(
        ok=not wrong,
        seconds=told.seconds,
        steps=tuple(StepLine(one.name, one.rows_in, one.rows_out, one.answers) for one in seen.steps),
        nodes=nodes,
        faults=faults,
        ledger=Ledger(seen.sums["all_accounts"], seen.sums["double_paid"], lost),
        dataset=Dataset(told.name, str(told.folder), rows),
        verify=verified,
        wrong=tuple(wrong),
    )


def unbalanced(what: str, value: int) -> str:
    """Of a sum of the ledger that must be 0: what it means that it is not."""
    return SUMS[what].format(
        f"{opi(Nano(value))} OPI" if what in ("all_accounts", "transfers") else f"{value:,}"
    )


def _unknown(home: Path, seen: Seen) -> int:
    """Results that a node's outbox calls acknowledged and the database does not have."""
    lost = 0
    for one in seen.nodes:
        outbox = Outbox(home / "nodes" / one.name / "outbox.db")
        lost += max(0, outbox.counts().taken - one.results)
        outbox.close()
    return lost


def _node(one: story.Node, told: Story) -> NodeLine:
    habit = told.habits.get(one.name, "honest")
    return NodeLine(
        one.name,
        "honest" if habit in ("person", "tattler") else habit,
        one.done,
        one.accepted,
        _caught_by(one.suspended),
        one.earned,
        one.why,
    )


def _caught_by(suspended: Sequence[str]) -> str | None:
    """What the kinds that suspended it check by."""
    ways = {"audits" if catalog.load(kind).kind.audit else "known answers" for kind in suspended}
    return ", ".join(sorted(ways)) or None


def _overpaid(one: NodeLine) -> bool:
    """Who invents everything earns nothing; who lies in part keeps what was free before his lies were found."""
    return one.habit in ("fabricator", "copier") and one.earned_nopi > 0


async def _from_database(home: Path, version: str) -> Seen:
    place = Home(home)
    database = await Database.connect(
        postgres.start(place.postgres), DiskBlobs(place.blobs), place.identity(Numbers())
    )
    try:
        async with database.begin() as (tx, _):
            return await story.of(tx, version)
    finally:
        await database.close()


async def _epochs(network: Client, key: bytes) -> Verified:
    """All closed epochs are recomputed; of the newest also a copy with one byte changed."""
    last = await newest_epoch(network)
    ok = last > 0
    caught = False
    verdicts: dict[int, int] = {}
    for number in range(1, last + 1):
        head, data = await network.epoch(number)
        found = bundle.verify(head, data, key)
        ok &= found.ok
        verdicts[number] = found.verdicts
        changed = bytearray(data)
        changed[len(changed) // 2] ^= 1
        caught = not bundle.verify(head, bytes(changed), key).ok
    return Verified(last, ok, caught, max(verdicts, key=verdicts.__getitem__, default=0))
