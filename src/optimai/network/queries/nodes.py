"""The nodes of the network, and one with what it did and what it was paid for it, line by line."""

from msgspec import Struct

from optimai.core.assignment import Role
from optimai.core.chance import Ppm
from optimai.core.clock import Instant
from optimai.core.conduct import State
from optimai.core.errors import NotFound
from optimai.core.ids import NodeId, OwnerId
from optimai.core.money import Nano
from optimai.network.queries import earnings
from optimai.network.queries.earnings import Line
from optimai.network.queries.workers import Suspension, alone, done_twice, quality, suspension
from optimai.network.store import reading, watching
from optimai.network.store.sql import Record, Tx

MOST = 500
MOST_LINES = 100


class Trust(Struct, frozen=True, kw_only=True):
    """How far its owner is trusted with a kind of work."""

    kind: str
    role: Role  # as who answers or as who audits
    checked: int
    faults: int
    done_twice: bool  # it is checked by doing it again: on probation all of it, later a share
    probation: bool
    bond: Nano  # kept of what was earned, until it leaves
    owed: Nano  # fines that are not paid yet
    alone: bool  # but nobody else is there to do it
    suspended: Suspension | None  # no more offers


class Node(Struct, frozen=True, kw_only=True):
    id: NodeId
    name: str
    owner: OwnerId
    hands: str
    simulated: bool
    alive: bool
    joined: Instant
    seen: Instant
    cores: int
    memory_mb: int
    asked: bool  # it has said what it would do: of ours nothing, where it is paused or its code is other than ours
    kinds: tuple[str, ...]  # that it last said it can do,
    engine: bool  # and whether it has one, for work that needs all shards at once
    in_hand: int  # tasks
    lapsed: int  # tasks that it did not answer in time
    accepted: int  # units that held
    checked: int
    faults: int
    quality: Ppm | None
    trust: tuple[Trust, ...]
    available: Nano
    pending: Nano


class Paid(Struct, frozen=True):
    """A node with its last lines of pay, zeros too."""

    node: Node
    lines: tuple[Line, ...]


async def listed(tx: Tx, now: Instant) -> tuple[Node, ...]:
    """The MOST that were seen last: those who are here first, of these who earned most."""
    found = await _nodes(tx, now, await reading.nodes(tx, now, None, MOST))
    return tuple(sorted(found, key=lambda one: (not one.alive, -one.available - one.pending, one.name)))


async def named(tx: Tx, now: Instant, name: str) -> Paid:
    """By name or id. Raises NotFound."""
    found = await _nodes(tx, now, await reading.nodes(tx, now, name, 1))
    if not found:
        raise NotFound("node", name, "The page of all nodes lists those there are.")
    return Paid(found[0], await earnings.last_of(tx, found[0].id, MOST_LINES))


async def _nodes(tx: Tx, now: Instant, rows: list[Record]) -> tuple[Node, ...]:
    trust: dict[OwnerId, list[Trust]] = {row["owner"]: [] for row in rows}
    conducts = await watching.conducts(tx, sorted(trust))
    by_itself = await alone(tx, now, {one["kind"] for one in conducts}, set(trust))
    for one in conducts:
        trust[one["owner"]].append(
            Trust(
                kind=one["kind"],
                role=Role(one["role"]),
                checked=one["checked"],
                faults=one["faults"],
                done_twice=done_twice(one["kind"]),
                probation=one["state"] == State.PROBATION,
                bond=one["bond"],
                owed=one["owed"],
                alone=(one["owner"], one["kind"]) in by_itself,
                suspended=suspension(one),
            )
        )
    return tuple(
        Node(
            id=row["id"],
            name=row["name"],
            owner=row["owner"],
            hands=row["hands"],
            simulated=row["simulated"],
            alive=row["alive"],
            joined=row["joined"],
            seen=row["seen"],
            cores=row["cores"],
            memory_mb=row["memory_mb"],
            asked=row["asked"],
            kinds=tuple(sorted({kind.partition("+")[0] for kind in row["kinds"]})),
            engine=any("+" in kind for kind in row["kinds"]),
            in_hand=row["in_hand"],
            lapsed=row["lapsed"],
            accepted=row["accepted"],
            checked=row["checked"],
            faults=row["faults"],
            quality=quality(row["checked"], row["faults"]),
            trust=tuple(trust[row["owner"]]),
            available=row["available"],
            pending=row["pending"],
        )
        for row in rows
    )
