"""Standing work: hold the shards of a dataset, and prove it whenever asked.

In each epoch each node that should hold something has one task. While it lasts, the
network asks for the hash of a range under a fresh nonce; only right answers are paid.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Annotated

from blake3 import blake3
from msgspec import Meta, Struct, json

from optimai.core.chance import Ppm
from optimai.core.clock import Instant
from optimai.core.errors import BadValue
from optimai.core.ids import NodeId
from optimai.core.period import parse_period
from optimai.kinds.contract import Kind, News, Piece, Plan, Shard

KIND = Kind(
    name="hold",
    version=1,
    hands=frozenset({"machine"}),
    reads="shard",
    gives=(),
    unit="answer",
    lease=timedelta(minutes=2),  # after the epoch has ended
    audit=Ppm(0),
    checks="challenges",  # each answer is held against our own bytes
    parallel=4,  # an epoch's task is waiting, most of the time
    standing=True,
)


class Options(Struct, frozen=True, forbid_unknown_fields=True, rename={"period": "for"}):
    """What a campaign may write under the step."""

    period: str  # how long, from the end of the first epoch that holds something
    copies: Annotated[int, Meta(ge=1, le=20)] = 2  # nodes that hold each shard
    challenges: Annotated[int, Meta(ge=1, le=1_000)] = 10  # for each node and epoch

    def __post_init__(self) -> None:
        try:
            parse_period(self.period)
        except BadValue as fault:
            raise ValueError(str(fault)) from None


class Task(Struct, frozen=True, forbid_unknown_fields=True):
    shards: tuple[Shard, ...]
    epoch: int
    until: Instant


class Result(Struct, frozen=True, forbid_unknown_fields=True):
    held: int  # shards; nobody is paid for saying so


class Held(Struct, frozen=True):
    """What plan remembers: all shards, when the step ends, and who has a task in the epoch that runs."""

    shards: tuple[Shard, ...] = ()
    ends: Instant | None = None
    epoch: int = 0
    nodes: tuple[NodeId, ...] = ()


def plan(options: Options, state: bytes, news: News[Task, Result]) -> Plan[Task]:
    """A shard sealed in mid-epoch waits for the next, where its holders have a task already."""
    before = json.decode(state, type=Held) if state else Held()
    shards = (*before.shards, *news.sealed)
    nodes = (*(before.nodes if before.epoch == news.epoch else ()), *news.nodes)
    ends = before.ends
    if ends is None and news.until and shards and nodes:
        ends = Instant(news.until + parse_period(options.period))

    held_by = {shard: holders(shard, nodes, options.copies) for shard in shards} if news.nodes else {}
    pieces = []
    for node in news.nodes:
        mine = tuple(shard for shard, its in held_by.items() if node in its)
        if mine and news.until and ends:
            task = Task(mine, news.epoch, min(news.until, ends))
            pieces.append(
                Piece(
                    task=task,
                    units=options.challenges,
                    reads=mine,
                    node=node,
                    holds=mine,
                    challenges=options.challenges,
                )
            )
    over = bool(ends and news.until and news.until >= ends)
    return Plan(
        pieces,
        json.encode(Held(shards, ends, news.epoch, tuple(dict.fromkeys(nodes)))),
        finished=over or (news.ended and not shards),
    )


def bound(options: Options, rows: int) -> tuple[int, int]:
    """Of one holder in one epoch; and of `copies` holders in all epochs of an hour that the period touches."""
    epochs = 1 + parse_period(options.period) // timedelta(hours=1)
    return options.challenges, options.challenges * options.copies * epochs


def holders(shard: Shard, nodes: Iterable[NodeId], copies: int) -> list[NodeId]:
    """By rendezvous hashing (Thaler and Ravishankar): when a node comes or goes, only its own shards move."""
    return sorted(set(nodes), key=lambda node: blake3(f"{shard.blob} {node}".encode()).digest())[:copies]
