"""Plays the network for one kind: plans, lets an honest owner do each task, judges, plans again.

Results, tasks and rows make the way over the wire: what a struct can't carry breaks here.
What does not hold is `Broken`, with the rule (see check.py) and a sentence that says what to do.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, get_type_hints

import msgspec
from blake3 import blake3
from msgspec import Struct

from optimai.core import rows
from optimai.core.assignment import Role
from optimai.core.clock import Instant
from optimai.core.errors import BadRows
from optimai.core.ids import AssignmentId, BlobId, NodeId, OwnerId
from optimai.kinds import catalog
from optimai.kinds.catalog import Loaded
from optimai.kinds.contract import Accepted, Answer, Case, Challenge, More, News, Piece, Plan, Shard, Verdict
from optimai.kinds.kit import Asked
from optimai.network.intake import MOST_ROWS, amiss
from optimai.sim.proof.example import Stage
from optimai.sim.proof.kit import NOON, MemoryKit


class Broken(Exception):
    """A promise of the contract that a kind does not keep."""

    def __init__(self, rule: str, why: str) -> None:
        super().__init__(why)
        self.rule = rule


class Done(Struct, frozen=True, kw_only=True):
    """A piece, and an honest owner's answer to it."""

    piece: Piece[Any]
    result: Any  # None where the example's `answers` tell it
    challenges: tuple[Challenge, ...] = ()


async def drive(
    name: str, given: Mapping[str, Any], shards: Sequence[Shard], kit: MemoryKit
) -> list[dict[str, Any]]:
    """The rows that the step publishes, in the order of `_row`."""
    made = await pieces_of(name, given, shards, kit)
    return sorted((row for _, published in made for row in published), key=lambda row: row["_row"])


async def pieces_of(
    name: str, given: Mapping[str, Any], shards: Sequence[Shard], kit: MemoryKit
) -> list[tuple[Piece[Any], list[dict[str, Any]]]]:
    """Each piece that was planned, and the rows that it published."""
    kind = catalog.load(name)
    options = catalog.options_of("step", kind, given)
    looked = kind.looks(options)
    seen = {shard.blob: await kit.rows(shard, *looked) for shard in shards} if looked else {}
    columns = {blob: {name: [row[name] for row in rows] for name in looked} for blob, rows in seen.items()}
    news: News[Any, Any] = News(sealed=shards, columns=columns, ended=True)
    state = b""
    done = []
    while True:
        planned = planned_twice(kind, options, state, news)
        state = planned.state
        accepted = []
        for piece in planned.pieces:
            result = await worked(kind, piece.task, kit)
            answer = answer_of(1, result)
            case = Case(
                step=kit.step,
                options=options,
                task=piece.task,
                units=piece.units,
                answers=[answer],
                last=True,
            )
            await taken(kind, options, piece, result, kit)
            believed = verdict(kind, case).believed
            done.append((piece, await published(kind, options, piece, believed, kit)))
            accepted.append(Accepted(by_wire(piece.task, kind.task), believed))
        if planned.finished:
            return done
        if not accepted:
            raise Broken(
                "plan", "plan waits for news that will never come: set finished when all tasks are accepted"
            )
        news = News(accepted=accepted, ended=True)


async def acted(kind: Loaded, stage: Stage) -> list[Done]:
    """All tasks of an example, each done by one honest owner, or by its `answers`."""
    example = stage.example
    options = catalog.options_of("step", kind, stage.named(example.options))
    if example.task is not None:
        task = msgspec.convert(stage.named(example.task), kind.task)
        return [await _honest(kind, options, Piece(task=task, units=0), stage)]
    state = b"" if example.state is None else msgspec.convert(stage.named(example.state), _state_of(kind))
    if kind.store and example.state is None:
        raise Broken("examples", "the example needs `state` (what store.load gives to plan) or a `task`")
    news = news_of(kind, options, stage)
    done: list[Done] = []
    while True:
        planned = planned_twice(kind, options, state, news)
        state = planned.state
        made = [await _honest(kind, options, piece, stage) for piece in planned.pieces]
        done += made
        if stage.example.answers and len(done) > 1:
            raise Broken("examples", f"`answers` are to one task, and this example has {len(done)}")
        if planned.finished or kind.store or kind.kind.standing:
            return done
        if not made:
            raise Broken(
                "plan", "plan waits for news that will never come: set finished when all tasks are accepted"
            )
        news = News(accepted=[Accepted(one.piece.task, one.result) for one in made], ended=True)


def news_of(kind: Loaded, options: Any, stage: Stage) -> News[Any, Any]:
    """All input at once, and no more to come; for standing work the first epoch, an hour long."""
    looked = kind.looks(options)
    rows_in = dict(zip(stage.shards, stage.example.shards, strict=True))
    columns = {
        shard.blob: {name: [row.get(name) for row in sorted(many, key=_name)] for name in looked}
        for shard, many in rows_in.items()
        if looked and not isinstance(many, str)
    }
    if not kind.kind.standing:
        return News(sealed=stage.shards, columns=columns, ended=True)
    return News(
        sealed=stage.shards,
        ended=True,
        epoch=1,
        until=Instant(NOON + timedelta(hours=1)),
        nodes=tuple(map(NodeId, stage.example.nodes)),
    )


def planned_twice(kind: Loaded, options: Any, state: Any, news: News[Any, Any]) -> Plan[Any]:
    """The plan, if asking again gives the same and nothing that went in was changed."""
    before = msgspec.json.encode((options, state, news))
    planned, again = kind.plan(options, state, news), kind.plan(options, state, news)
    if msgspec.json.encode(planned) != msgspec.json.encode(again):
        raise Broken(
            "plan", "plan gives other tasks when it is asked again: it may depend on its arguments alone"
        )
    if msgspec.json.encode((options, state, news)) != before:
        raise Broken("plan", "plan changes what it is given: make new values instead")
    for piece in planned.pieces:
        by_wire(piece.task, kind.task)
        if piece.units < 0 or piece.answers < 1:
            raise Broken(
                "plan", f"a piece with {piece.units} units and {piece.answers} answers can't be offered"
            )
    return planned


async def worked(kind: Loaded, task: Any, kit: MemoryKit) -> Any:
    return by_wire(await catalog.work(kind.kind.name)(by_wire(task, kind.task), kit), kind.result)


async def _honest(kind: Loaded, options: Any, piece: Piece[Any], stage: Stage) -> Done:
    if stage.example.answers:
        return Done(piece=piece, result=None)
    if "machine" not in kind.kind.hands:
        raise Broken("examples", "people do this work: put what they say into the example as `answers`")
    kit = stage.kit()
    kit.asked = [Asked(n, *one) for n, one in enumerate(_ranges(piece, stage))]
    result = await worked(kind, piece.task, kit)
    challenges = tuple(
        Challenge(
            blob=one.blob,
            start=one.start,
            length=one.length,
            nonce=one.nonce,
            expected=proof(kit.blobs[one.blob], one),
            answer=kit.answered.get(one.id),
        )
        for one in kit.asked
    )
    return Done(piece=piece, result=result, challenges=challenges)


def _ranges(piece: Piece[Any], stage: Stage) -> list[tuple[BlobId, int, int, bytes]]:
    """As many as the piece wants: those of the example first, then the whole of each shard in turn."""
    held = {shard.blob: shard for shard in piece.holds}
    told = [
        (stage.names[one.blob], one.start, one.length, one.nonce.encode()) for one in stage.example.challenges
    ]
    asked = [one for one in told if one[0] in held][: piece.challenges]
    while held and len(asked) < piece.challenges:
        shard = piece.holds[len(asked) % len(piece.holds)]
        asked.append((shard.blob, 0, shard.bytes, f"nonce {len(asked)}".encode()))
    return asked


def proof(data: bytes, asked: Asked | Challenge) -> str:
    return blake3(asked.nonce + data[asked.start : asked.start + asked.length]).hexdigest()


def answer_of(
    number: int,
    result: Any,
    *,
    role: Role = Role.ANSWER,
    trusted: bool = True,
    challenges: Sequence[Challenge] = (),
) -> Answer[Any]:
    return Answer(
        assignment=AssignmentId(number),
        owner=OwnerId(f"owner {number}"),
        role=role,
        result=result,
        trusted=trusted,
        challenges=challenges,
    )


def verdict(kind: Loaded, case: Case[Any, Any, Any]) -> Verdict[Any]:
    """What the judge says, if it keeps to the contract."""
    found = kind.agree(case)
    if isinstance(found, More):
        if case.last:
            raise Broken(
                "last", "agree asks for more owners though case.last says that there are none: decide"
            )
        raise Broken("honest", f"agree is content with no honest answer: {found.reason}")
    if set(found.findings) != {answer.assignment for answer in case.answers}:
        raise Broken("units", "agree needs a Finding for each assignment in case.answers, and for no other")
    return found


async def taken(
    kind: Loaded, options: Any, piece: Piece[Any], result: Any, kit: MemoryKit
) -> list[dict[str, Any]]:
    """The rows of an answer, if the network's intake would let it pass to the judge."""
    made = await rows_of(kind, piece, result, kit)
    if why := kind.check(options, piece.task, result, made):
        raise Broken("honest", f"judge.check refuses an honest answer: {why}")
    return made


async def published(
    kind: Loaded, options: Any, piece: Piece[Any], believed: Any, kit: MemoryKit
) -> list[dict[str, Any]]:
    """The rows that a verdict publishes, with what they carry of their parents."""
    made = [] if believed is None else await rows_of(kind, piece, by_wire(believed, kind.result), kit)
    if not kind.kind.carries or not made:
        return made
    parents = await _parents(piece, kit)
    return [{**parents[row["_from"][0]], **row} for row in made]


async def rows_of(kind: Loaded, piece: Piece[Any], result: Any, kit: MemoryKit) -> list[dict[str, Any]]:
    """The rows of a result, if they follow from their task."""
    given, again = (kind.rows(kit.step, piece.task, result) for _ in range(2))
    if given != again:
        raise Broken("rows", "judge.rows gives other rows when it is asked again")
    if given is None:
        return []
    data = await kit.read(BlobId(given)) if isinstance(given, str) else rows.write(given)
    try:
        made = rows.read(data, most=MOST_ROWS)
        parents = await _parents(piece, kit) if made else {}
        for number, row in enumerate(made, 1):
            if why := amiss(kind, kit.step, row, set(parents)):
                raise BadRows(number, why)
    except BadRows as fault:
        raise Broken("rows", str(fault)) from None
    return made


async def _parents(piece: Piece[Any], kit: MemoryKit) -> dict[str, dict[str, Any]]:
    return {row["_row"]: row for shard in piece.reads for row in await kit.rows(shard)}


def by_wire(value: Any, shape: Any) -> Any:
    """As it arrives elsewhere."""
    arrived = msgspec.json.decode(msgspec.json.encode(value), type=shape)
    if arrived != value:
        raise Broken("types", f"{type(value).__name__} is another value after its way over the wire (JSON)")
    return arrived


def _state_of(kind: Loaded) -> Any:
    return list(get_type_hints(kind.plan).values())[1]


def _name(row: Mapping[str, Any]) -> str:
    return str(row["_row"])
