"""From a row of a dataset back to the signed work behind it, and to who was paid for that.

Each row names the verdict that believed it (`_verdict`) and the rows it was made of
(`_from`), which stand in the shards that its task was given. So a trace looks nothing
up by value: it follows names until it is at an input, which the requester gave.
"""

from collections.abc import Sequence, Set
from typing import Any

import msgspec
from msgspec import Struct

from optimai.core.clock import Instant
from optimai.core.errors import BadValue, NotFound
from optimai.core.ids import AssignmentId, CampaignId, EarningId, EnvelopeId, NodeId, OwnerId, RowId, TaskId
from optimai.core.money import Nano
from optimai.core.version import Version
from optimai.kinds.contract import Shard
from optimai.kinds.ruling import Draw, Record
from optimai.network import shards
from optimai.network.queries import evidence
from optimai.network.queries.datasets import manifest
from optimai.network.queries.private import Who, require
from optimai.network.store import tracing
from optimai.network.store.sql import Tx
from optimai.wire import envelope
from optimai.wire.envelope import Envelope
from optimai.wire.exchange import Signed

MOST_PARENTS = 8  # of one row that are followed
MOST_HOPS = 60
MOST_SAID = 200  # characters


class Pay(Struct, frozen=True, kw_only=True):
    id: EarningId
    amount: Nano
    state: str
    reason: str
    release_at: Instant | None
    at: Instant


class Result(Struct, frozen=True, kw_only=True):
    """One owner's signed answer, and what became of it."""

    assignment: AssignmentId
    node: NodeId
    name: str  # the node's, for people
    owner: OwnerId
    simulated: bool
    role: str  # answer, audit
    envelope: EnvelopeId  # that carries it,
    index: int  # at which place,
    keyid: str  # whose signature it bears
    sent: Instant
    said: dict[str, str]  # of this very row or of what it was made of, where its result names that
    price: Nano  # for a unit
    held: int  # units
    checked: int
    faults: int
    trusted: bool
    why: str
    pay: tuple[Pay, ...]


class Made(Struct, frozen=True, kw_only=True):
    """The verdict that believed a row."""

    verdict: int
    at: Instant
    task: TaskId
    unit: str
    units: int
    reason: str
    draw: Draw  # whether somebody else was to check it, and why
    stands: bool  # False: another verdict has replaced it since
    again: int  # verdicts on the same task since then
    epoch: int
    shown: bool  # the epoch is closed: anybody can recompute the verdict from its bundle
    results: tuple[Result, ...]


class Hop(Struct, frozen=True, kw_only=True):
    """A row on the way back."""

    row: RowId
    step: str
    kind: str | None  # None: an input
    values: dict[str, Any]  # its columns, without the network's own
    made_of: tuple[RowId, ...]
    made: Made | None  # None: the requester gave it


class Trace(Struct, frozen=True, kw_only=True):
    name: str
    number: int
    keyid: str  # that signed the version
    hops: tuple[Hop, ...]  # the row itself first; each before those it was made of
    cut: int  # rows that were left out, because there are too many


async def row(tx: Tx, name: str, number: int, prefix: str, who: Who = None) -> Trace:
    """Of the row whose name begins so, in that version (0: the newest).

    Raises NotFound; Private; BadValue where it is not exactly one.
    """
    found = await evidence.version(tx, name, number)
    version, signed = manifest(found["manifest"])
    require(who, found, f"The way back from a row of {name}@{version.number}")
    shard, named = await _find(tx, version, prefix)
    walk = _Walk(tx, found["campaign"])
    await walk.from_row(await _row(tx, [shard], named))
    return Trace(
        name=name,
        number=version.number,
        keyid=signed.signatures[0].keyid,
        hops=tuple(walk.hops),
        cut=walk.cut,
    )


async def _find(tx: Tx, version: Version, prefix: str) -> tuple[Shard, RowId]:
    found: list[tuple[Shard, RowId]] = []
    for part in version.parts:
        shard = Shard(part.blob, part.rows, part.bytes)
        names = [one["_row"] for one in await shards.read(tx, shard, ["_row"])]
        found += [(shard, RowId(name)) for name in names if name.startswith(prefix)]
    if not found:
        raise NotFound("row", prefix, f"A row of {version.name}@{version.number} is named by its `_row`.")
    if len(found) > 1:
        raise BadValue("the beginning of exactly one row's name", prefix, found[0][1])
    return found[0]


async def _row(tx: Tx, given: Sequence[Shard], name: RowId) -> dict[str, Any]:
    return (await _rows(tx, given, [name]))[name]


async def _rows(tx: Tx, given: Sequence[Shard], names: Sequence[RowId]) -> dict[RowId, dict[str, Any]]:
    wanted = set(names)
    found: dict[RowId, dict[str, Any]] = {}
    for shard in given:
        if len(found) == len(wanted):
            break
        if wanted.isdisjoint(one["_row"] for one in await shards.read(tx, shard, ["_row"])):
            continue
        found |= {one["_row"]: one for one in await shards.read(tx, shard) if one["_row"] in wanted}
    return found


class _Walk:
    """Follows rows back, each once."""

    def __init__(self, tx: Tx, campaign: CampaignId) -> None:
        self.tx = tx
        self.campaign = campaign
        self.hops: list[Hop] = []
        self.cut = 0
        self._seen: set[RowId] = set()

    async def from_row(self, start: dict[str, Any]) -> None:
        waiting: list[tuple[dict[str, Any], str]] = [(start, "")]
        while waiting:
            values, source = waiting.pop(0)
            self._seen.add(values["_row"])
            record = await self._verdict(values.get("_verdict"))
            self.hops.append(await self._hop(values, record, source))
            if record is None:
                continue
            names = [name for name in values.get("_from") or () if name not in self._seen]
            room = max(0, min(MOST_PARENTS, MOST_HOPS - len(self.hops) - len(waiting)))
            self.cut += len(names[room:])
            reads = msgspec.json.decode(record["reads"], type=tuple[Shard, ...])
            parents = await _rows(self.tx, reads, names[:room])
            self._seen |= set(parents)
            waiting += [(parents[name], record["source"]) for name in names[:room] if name in parents]

    async def _verdict(self, number: int | None) -> Any:
        if number is None:
            return None
        [record] = await tracing.verdicts(self.tx, self.campaign, [number])
        return record

    async def _hop(self, values: dict[str, Any], record: Any, source: str) -> Hop:
        return Hop(
            row=values["_row"],
            step=record["step"] if record else source,
            kind=record["kind"] if record else None,
            values={name: value for name, value in values.items() if not name.startswith("_")},
            made_of=tuple(values.get("_from") or ()),
            made=await _made(self.tx, record, {values["_row"], *(values.get("_from") or ())})
            if record
            else None,
        )


async def _made(tx: Tx, record: Any, rows: Set[str]) -> Made:
    body = msgspec.json.decode(record["body"], type=Record)
    return Made(
        verdict=record["id"],
        at=record["at"],
        task=record["task"],
        unit=record["unit"],
        units=body.asked.units,
        reason=record["reason"],
        draw=body.draw,
        stands=record["stands"],
        again=record["again"],
        epoch=record["epoch"],
        shown=record["shown"],
        results=await _results(tx, body, rows),
    )


def _said(signed: Envelope, place: int, rows: Set[str]) -> dict[str, str]:
    """The part of a result that names one of these rows, less that name. What it says elsewhere is of other rows."""
    result = msgspec.json.decode(signed.payload, type=Signed).results[place].result
    waiting: list[Any] = [msgspec.json.decode(result)] if result else []
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            plain = {name: value for name, value in one.items() if not isinstance(value, dict | list)}
            if rows & {value for value in plain.values() if isinstance(value, str)}:
                return {
                    name: str(value)[:MOST_SAID]
                    for name, value in plain.items()
                    if value not in {*rows, "", None}
                }
        waiting += one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()
    return {}


async def _results(tx: Tx, body: Record, rows: Set[str]) -> tuple[Result, ...]:
    given = body.asked.given
    names = {row["id"]: row for row in await tracing.nodes(tx, [one.node for one in given])}
    places = [one.result.partition(".") for one in given]
    came = {
        row["id"]: (envelope.read(row["body"]), row["at"])
        for row in await tracing.envelopes(tx, [EnvelopeId(place[0]) for place in places])
    }
    pay: dict[AssignmentId, list[Pay]] = {one.assignment: [] for one in given}
    for row in await tracing.earnings(tx, list(pay)):
        pay[row["assignment"]].append(
            Pay(
                id=row["id"],
                amount=row["amount"],
                state=row["state"],
                reason=row["reason"],
                release_at=row["release_at"],
                at=row["at"],
            )
        )
    found = {one.assignment: one for one in body.ruled.found}
    return tuple(
        Result(
            assignment=one.assignment,
            node=one.node,
            name=names[one.node]["name"],
            owner=one.owner,
            simulated=names[one.node]["simulated"],
            role=one.role.value,
            envelope=EnvelopeId(place[0]),
            index=int(place[2]),
            keyid=came[place[0]][0].signatures[0].keyid,
            sent=came[place[0]][1],
            said=_said(came[place[0]][0], int(place[2]), rows),
            price=Nano(one.price),
            held=found[one.assignment].units,
            checked=found[one.assignment].checked,
            faults=found[one.assignment].faults,
            trusted=one.trusted,
            why=found[one.assignment].why,
            pay=tuple(pay[one.assignment]),
        )
        for one, place in zip(given, places, strict=True)
    )
