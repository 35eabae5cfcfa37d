"""Plays the network for one kind: plans, lets one honest owner do each task, judges, plans again.

Results, tasks and rows make the way over the wire: what a struct can't carry breaks here. An example of a
kind is a JSON file {options, blobs: {NAME: {text, encoding}}, shards: [[row, …], …], rows: [row, …]}; where
a value of a row is "blob:NAME", the blob's id stands for it.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from optimai.core import rows
from optimai.core.assignment import Role
from optimai.core.ids import AssignmentId, BlobId, OwnerId
from optimai.core.rows import Row
from optimai.kinds import catalog
from optimai.kinds.contract import Accepted, Answer, Case, News, Piece, Shard, Verdict
from tests.kit import MemoryKit


async def drive(
    name: str, given: dict[str, Any], shards: Sequence[Shard], kit: MemoryKit
) -> list[dict[str, Any]]:
    """The rows that the step publishes, in the order of `_row`."""
    return sorted(
        (row for _, published in await pieces_of(name, given, shards, kit) for row in published),
        key=lambda row: row["_row"],
    )


async def pieces_of(
    name: str, given: dict[str, Any], shards: Sequence[Shard], kit: MemoryKit
) -> list[tuple[Piece[Any], list[dict[str, Any]]]]:
    """Each piece that was planned, and the rows that it published."""
    kind = catalog.load(name)
    options = catalog.options_of("step", kind, given)
    news: News[Any, Any] = News(sealed=shards, ended=True)
    state = b""
    done = []
    while True:
        planned = kind.plan(options, state, news)
        state = planned.state
        accepted = []
        for piece in planned.pieces:
            task = _by_wire(piece.task, kind.task)
            result = _by_wire(await catalog.work(name)(task, kit), kind.result)
            published = await judged(kind, options, piece, result, kit)
            accepted.append(Accepted(task, result))
            done.append((piece, published))
        if planned.finished:
            return done
        assert accepted, "the plan waits for news that will never come"
        news = News(accepted=accepted, ended=True)


async def judged(
    kind: catalog.Loaded, options: Any, piece: Piece[Any], result: Any, kit: MemoryKit
) -> list[dict[str, Any]]:
    """The rows of a result that its judge believed; they must come from what the piece reads."""
    answer = Answer(assignment=AssignmentId(1), owner=OwnerId("ann"), role=Role.ANSWER, result=result)
    verdict = kind.agree(
        Case(step=kit.step, options=options, task=piece.task, units=piece.units, answers=[answer], last=True)
    )
    assert isinstance(verdict, Verdict)
    assert verdict.believed == result
    assert verdict.findings[answer.assignment].units == piece.units
    blob = kind.rows(kit.step, piece.task, verdict.believed)
    made = [] if blob is None else kit.written(blob) if isinstance(blob, str) else [dict(row) for row in blob]
    assert kind.check(options, piece.task, result, made) == ""
    parents = {row["_row"]: row for shard in piece.reads for row in await kit.rows(shard)} if made else {}
    for row in made:
        assert set(row["_from"]) <= set(parents)
        assert row["_row"] == rows.row_id(kit.step, *row["_from"])
    return [{**parents[row["_from"][0]], **row} for row in made] if kind.kind.carries else made


async def example(name: str, path: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The rows that the example promises, and those that come out."""
    told = msgspec.json.decode(path.read_bytes())
    kit = MemoryKit("example/step")
    blobs = {
        f"blob:{key}": kit.put(blob["text"].encode(blob.get("encoding", "utf-8")))
        for key, blob in told.get("blobs", {}).items()
    }
    shards = [kit.shard([_with_blobs(row, blobs) for row in many]) for many in told["shards"]]
    return told["rows"], await drive(name, told["options"], shards, kit)


def examples(name: str) -> list[Path]:
    """The example files of a kind, at least one."""
    found = sorted((Path(catalog.__file__).parent / name.replace(".", "_") / "examples").glob("*.json"))
    assert found
    return found


def _with_blobs(row: Row, blobs: dict[str, BlobId]) -> Row:
    return {key: blobs.get(value, value) if isinstance(value, str) else value for key, value in row.items()}


def _by_wire(value: Any, shape: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(value), type=shape)
