"""What a whole run came to, for whoever checks its story: sums, steps, nodes, what was overturned."""

from collections.abc import Mapping

from msgspec import Struct

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
    results: int  # that the coordinator has
    done: int  # units that its results were about
    accepted: int  # units that held
    suspended: tuple[str, ...]  # kinds for which it is
    earned: Nano  # pending and available
    why: str  # of the last line that earned nothing


class Seen(Struct, frozen=True, kw_only=True):
    sums: Mapping[str, int]  # all zero, or money is wrong
    steps: tuple[Step, ...]
    nodes: tuple[Node, ...]
    rows: int  # of the version
    replaced: int  # tries that lapsed or were never answered, whose task another owner did
    overturned: int  # earnings that were pending and went void
    detached: int  # results that no kept envelope proves


async def of(tx: Tx, version: str) -> Seen:
    """Of the network's whole life; `version` is NAME@NUMBER."""
    name, _, number = version.partition("@")
    return Seen(
        sums={what: int(value) for what, value in (await money.sums(tx)).items()},
        steps=tuple(Step(*row.values()) for row in await telling.steps(tx, name)),
        nodes=tuple(
            Node(
                name=row["name"],
                results=row["results"],
                done=row["done"],
                accepted=row["accepted"],
                suspended=tuple(row["suspended"]),
                earned=Nano(row["earned"]),
                why=row["why"] or "",
            )
            for row in await telling.nodes(tx)
        ),
        rows=await telling.rows(tx, name, int(number)),
        replaced=await telling.replaced(tx),
        overturned=await telling.overturned(tx),
        detached=await telling.detached(tx),
    )
