"""The steps of a campaign: what flows, what waits, and for what.

Rows are those in sealed shards; while a step runs they may include some of a verdict
that was overturned since, which its version leaves out. Units are counted as soon as
they are believed, so they are ahead of the rows.
"""

from collections.abc import Mapping, Sequence, Set
from datetime import timedelta
from typing import Literal

import msgspec
from msgspec import Struct

from optimai.core.clock import Instant
from optimai.core.ids import OwnerId, StepId
from optimai.core.money import Nano, opi
from optimai.kinds import catalog
from optimai.kinds.contract import Shard
from optimai.network.store import nodes, watching
from optimai.network.store.sql import Record, Tx

POINTS = 40
LATELY = timedelta(minutes=1)
LEAST = timedelta(seconds=1)  # that a series shows


class Step(Struct, frozen=True, kw_only=True):
    id: StepId
    name: str
    kind: str | None  # None: an input
    source: str | None
    unit: str
    price: Nano  # for a unit; 0: nobody is paid for it
    standing: bool
    state: Literal["flows", "waits", "sealed", "stopped"]
    waits_for: str  # "" unless it waits
    sealed: Instant | None
    rows: int  # in sealed shards
    rows_in: int  # of its source
    unsealed: int  # units believed whose rows are not in a shard yet
    open: int  # tasks
    closed: int
    parked: int
    unproved: int  # of these standing tasks that ended before their node had proved anything: nothing is wrong there
    in_hand: int  # open tasks that are with a node
    done: int  # units with a verdict
    held: int  # units that held, of all who did them
    results: int  # that were judged, of the closed tasks
    wanted: int | None  # units in the end; None while its plan may still add some
    per_second: float  # units believed, over the last minute
    series: tuple[int, ...]  # the same from the campaign's begin to its last verdict, in POINTS equal parts
    drawn: int  # tasks for which it was decided whether somebody else checks them
    audited: int  # and of those, how many are
    waived: int  # or would be, if there were anybody else


async def of(tx: Tx, now: Instant, campaign: Record) -> tuple[Step, ...]:
    """All steps of a campaign, inputs first."""
    rows = await watching.steps(tx, campaign["id"])
    lately = Instant(now - LATELY)
    edges, standing = (
        _edges(campaign["created"], [row["last_believed"] for row in rows if row["standing"] is is_standing])
        for is_standing in (False, True)
    )
    believed = await watching.believed(tx, campaign["id"], edges, standing, lately)
    out = await watching.in_hand(tx, campaign["id"])
    wanted = sorted({kind for row in rows for kind in row["wanted"]})
    able = await nodes.able(tx, wanted, now)
    idle = await nodes.idle(tx, now)
    escrow = (await watching.money(tx, campaign["id"]))["escrow"]
    made = {row["name"]: _rows(row) for row in rows}
    running = campaign["state"] == "running"
    return tuple(
        _step(
            row,
            made,
            sum(one["tasks"] for one in out if one["step"] == row["name"]),
            [one for one in believed if one["step"] == row["id"]],
            _Around(running, able, idle, escrow),
        )
        for row in rows
    )


class _Around(Struct, frozen=True):
    """What a step may be waiting for outside of itself."""

    running: bool
    able: Mapping[str, Set[OwnerId]]
    idle: int  # nodes that are here and take nothing
    escrow: int


def _edges(begin: Instant, last: Sequence[Instant | None]) -> list[Instant]:
    """Where POINTS equal parts of the time from `begin` to the last verdict meet."""
    whole = max([LEAST, *(moment - begin for moment in last if moment)])
    return [Instant(begin + whole * number / POINTS) for number in range(1, POINTS)]


def _rows(row: Record) -> int:
    if row["version"] is None:
        return int(row["rows"])
    return sum(shard.rows for shard in msgspec.json.decode(row["version"], type=tuple[Shard, ...]))


def _step(
    row: Record,
    made: Mapping[str, int],
    in_hand: int,
    believed: Sequence[Record],
    around: _Around,
) -> Step:
    lately = sum(one["recent"] for one in believed)
    state, waits_for = _state(row, in_hand, lately, around)
    series = [0] * POINTS
    for one in believed:
        series[one["part"]] = one["units"]
    known = row["kind"] is not None and row["finished"] and not row["standing"]
    return Step(
        id=row["id"],
        name=row["name"],
        kind=row["kind"],
        source=row["source"],
        unit=row["unit"],
        price=row["price"],
        standing=row["standing"],
        state=state,
        waits_for=waits_for,
        sealed=row["sealed"],
        rows=made[row["name"]],
        rows_in=made.get(row["source"], 0),
        unsealed=row["unsealed"],
        open=row["open"],
        closed=row["closed"],
        parked=row["parked"],
        unproved=row["unproved"],
        in_hand=in_hand,
        done=row["done"],
        held=row["held"],
        results=row["results"],
        wanted=row["asked_for"] if known else None,
        per_second=lately / LATELY.total_seconds(),
        series=tuple(series),
        drawn=row["drawn"],
        audited=row["audited"],
        waived=row["waived"],
    )


def _state(
    row: Record, in_hand: int, lately: int, around: _Around
) -> tuple[Literal["flows", "waits", "sealed", "stopped"], str]:
    if row["state"] == "sealed":
        return "sealed", ""
    if not around.running:
        return "stopped", ""
    if stalled := catalog.stalled(row["kind"], row["kind_hash"]):
        return "waits", f"the kind {row['kind']}, which {stalled.how}"
    nobody = row["wanted"] and not any(around.able[kind] for kind in row["wanted"])
    if in_hand or (row["open"] and lately and not nobody):
        return "flows", ""
    return "waits", _waits_for(row, around)


def _waits_for(row: Record, around: _Around) -> str:
    source = row["source"]
    if not row["open"]:
        if row["closed"] and row["unsealed"]:
            return "its last rows to be sealed"
        if row["parked"] and not row["standing"]:
            return "somebody to look at what is parked"
        if row["standing"] and row["closed"]:
            return "the next epoch"
        whole = catalog.load(row["kind"]).kind.reads == "all"
        if row["source_state"] != "sealed":
            return f"all of {source}" if whole else f"rows of {source}"
        return "its plan"
    if row["dearest"] is not None and row["dearest"] > around.escrow:
        return f"money: the next task may cost {opi(row['dearest'])} OPI, and escrow has {opi(around.escrow)}"
    unable = [kind for kind in row["wanted"] if not around.able[kind]]
    if unable:
        missing = f"a node {' or '.join(map(_able_to_do, unable))}"
        if not around.idle:
            return missing
        here = "one is" if around.idle == 1 else f"{around.idle} are"
        return f"{missing} now: {here} here and taking nothing, paused or with other code"
    if row["wants_audit"]:
        return "another owner to check it"
    return "a node to ask for work" if row["wanted"] else "its judge"


def _able_to_do(kind: str) -> str:
    name, _, engine = kind.partition("+")
    return f"with the engine for {name} (pip install '.[engine]')" if engine else f"that can do {name}"
