"""What a whole run came to, for whoever checks its story: sums, steps, nodes, what was overturned."""

from collections.abc import Mapping, Set

from msgspec import Struct

from optimai.core.ids import AssignmentId
from optimai.core.money import Nano
from optimai.network.store import money, telling
from optimai.network.store.sql import Tx


class Step(Struct, frozen=True):
    name: str
    rows_in: int
    rows_out: int
    answers: int  # of standing work, which makes no rows: those that held


class Node(Struct, frozen=True, kw_only=True):
    name: str
    simulated: bool
    results: Set[AssignmentId]  # that the coordinator has
    done: int  # units that its results were about
    accepted: int  # units that held
    suspended: tuple[str, ...]  # kinds for which it is
    earned: Nano  # pending and free
    bond: Nano  # kept, and not lost
    by_answers: Nano  # of that, in the kinds for which it is suspended: not by audits;
    undue: Nano  # and what it should not have: not free when that happened, or freed against the rule
    why: str  # of the last line that earned nothing


class Seen(Struct, frozen=True, kw_only=True):
    sums: Mapping[str, int]  # all zero, or money is wrong
    steps: tuple[Step, ...]
    nodes: tuple[Node, ...]
    rows: int  # of the version
    verdicts: int
    in_hand: int  # tasks that the killed node had when it was last heard,
    undone: int  # and those of them that nobody did in its place
    overturned: int  # tasks of which a suspended owner's pay was pending, and went void
    detached: int  # results that no kept envelope proves


async def of(tx: Tx, version: str, killed: str) -> Seen:
    """Of the network's whole life; `version` is NAME@NUMBER, `killed` the name of a node."""
    name, _, number = version.partition("@")
    liars = {row["name"]: row for row in await telling.liars(tx)}
    left = await telling.left(tx, killed)
    return Seen(
        sums={what: int(value) for what, value in (await money.sums(tx)).items()},
        steps=tuple(Step(*row.values()) for row in await telling.steps(tx, name)),
        nodes=tuple(
            Node(
                name=row["name"],
                simulated=row["simulated"],
                results=frozenset(row["results"]),
                done=row["done"],
                accepted=row["accepted"],
                suspended=tuple(row["suspended"]),
                earned=Nano(row["earned"]),
                bond=Nano(row["bond"]),
                by_answers=Nano(liars[row["name"]]["by_answers"] if row["name"] in liars else 0),
                undue=Nano(liars[row["name"]]["undue"] if row["name"] in liars else 0),
                why=row["why"] or "",
            )
            for row in await telling.nodes(tx)
        ),
        rows=await telling.rows(tx, name, int(number)),
        verdicts=await telling.verdicts(tx),
        in_hand=left["in_hand"],
        undone=left["undone"],
        overturned=await telling.overturned(tx),
        detached=await telling.detached(tx),
    )
