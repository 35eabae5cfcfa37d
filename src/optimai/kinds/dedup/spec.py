"""Rows without their exact and near duplicates, by MinHash.

    sign    nodes reduce each text to hashes that agree where texts are alike
    join    an engine brings together the rows that share one: pairs that may be alike
    verify  nodes read both texts of each pair and say exactly how alike they are
    group   one node follows the pairs: who is a duplicate of whom
    keep    nodes write the rows that stay, shard by shard

A phase begins when the one before has all its results. What nobody could be believed for
is asked again: a duplicate is never kept because a node failed.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Any

from msgspec import Meta, Struct, json
from msgspec.structs import replace

from optimai.core.chance import MILLION, Ppm
from optimai.core.ids import BlobId
from optimai.kinds.contract import Kind, News, Piece, Plan, Shard
from optimai.kinds.dedup.bands import bands_for
from optimai.kinds.dedup.tasks import (
    Checked,
    Chunk,
    Group,
    Join,
    Keep,
    Result,
    Sign,
    Task,
    Verify,
)

KIND = Kind(
    name="dedup",
    version=1,
    hands=frozenset({"machine"}),
    reads="all",
    gives=("duplicates",),
    unit="row",
    lease=timedelta(minutes=5),
    memory_mb=2_000,  # a million rows joined; the rest needs far less
    carries=True,
)


class Options(Struct, frozen=True, forbid_unknown_fields=True):
    """What a campaign may write under the step."""

    similarity: Annotated[float, Meta(ge=0.5, le=1)] = 0.8  # Jaccard, of runs of `ngram` words
    column: str = "text"
    ngram: Annotated[int, Meta(ge=1, le=20)] = 5

    @property
    def threshold(self) -> Ppm:
        """From here on there are whole numbers only."""
        return Ppm(round(self.similarity * MILLION))


class Bookmark(Struct, frozen=True):
    """Where the step stands: what the phases that are over made, and what this one has so far."""

    phase: str = "wait"
    shards: tuple[Shard, ...] = ()
    signatures: tuple[BlobId, ...] = ()
    chunks: tuple[Chunk, ...] = ()
    similarities: tuple[BlobId, ...] = ()
    fates: tuple[BlobId | None, ...] = ()
    results: Mapping[int, Result] = {}  # by the place of their task in the phase


class Phase(Struct, frozen=True):
    """`cut` gives the same tasks whenever it is asked; `gather` takes their results, in the same order."""

    cut: Callable[[Options, Bookmark], Sequence[Piece[Task]]]
    gather: Callable[[Bookmark, Sequence[Any]], Bookmark]
    then: str


def needs(options: Options) -> tuple[str, ...]:
    return (options.column,)


def plan(options: Options, state: bytes, news: News[Task, Result]) -> Plan[Task]:
    """One phase after the other; one without tasks is passed over."""
    here = json.decode(state, type=Bookmark) if state else Bookmark()
    if here.phase == "wait":
        here = replace(here, shards=(*here.shards, *(shard for shard in news.sealed if shard.rows)))
        return _enter("sign", options, here) if news.ended else Plan((), json.encode(here))

    phase = PHASES[here.phase]
    pieces = phase.cut(options, here)
    places = {piece.task: place for place, piece in enumerate(pieces)}
    told = [(places[one.task], one.result) for one in news.accepted if one.task in places]
    results = {**here.results, **{place: result for place, result in told if result}}
    if len(results) < len(pieces):
        again = [pieces[place] for place, result in told if not result and place not in results]
        return Plan(again, json.encode(replace(here, results=results)))
    return _enter(phase.then, options, phase.gather(here, [results[place] for place in range(len(pieces))]))


def bound(options: Options, rows: int) -> tuple[int, int]:
    """Each row is signed, joined twice and kept; each pair is verified, and grouped twice.

    Taken for at most two pairs a row: as many as there were with five copies of each text.
    The buckets would allow a hundred.
    """
    return 4 * rows, (4 + 2 * 3) * rows


def _enter(name: str, options: Options, here: Bookmark) -> Plan[Task]:
    while phase := PHASES.get(name):
        here = replace(here, phase=name, results={})
        if pieces := phase.cut(options, here):
            return Plan(pieces, json.encode(here))
        here, name = phase.gather(here, ()), phase.then
    return Plan((), json.encode(replace(here, phase=name)), finished=True)


def _sign(options: Options, here: Bookmark) -> list[Piece[Task]]:
    bands = bands_for(options.threshold)
    return [
        Piece(task=Sign(shard, options.column, options.ngram, bands), units=shard.rows, reads=(shard,))
        for shard in here.shards
    ]


def _join(options: Options, here: Bookmark) -> list[Piece[Task]]:
    if not here.shards:
        return []
    task = Join(here.shards, here.signatures, bands_for(options.threshold).count)
    rows = sum(shard.rows for shard in here.shards)
    return [Piece(task=task, units=rows, reads=here.shards, needs="engine", audited=True)]


def _verify(options: Options, here: Bookmark) -> list[Piece[Task]]:
    pieces: list[Piece[Task]] = []
    for chunk in here.chunks:
        shards = tuple(here.shards[place] for place in chunk.shards)
        task = Verify(chunk.pairs, chunk.count, shards, options.column, options.ngram)
        pieces.append(Piece(task=task, units=chunk.count, reads=shards))
    return pieces


def _group(options: Options, here: Bookmark) -> list[Piece[Task]]:
    if not here.chunks:
        return []
    checked = tuple(
        Checked(chunk.pairs, chunk.count, similarities)
        for chunk, similarities in zip(here.chunks, here.similarities, strict=True)
    )
    task = Group(checked, options.threshold, len(here.shards))
    return [Piece(task=task, units=sum(chunk.count for chunk in checked), audited=True)]


def _keep(options: Options, here: Bookmark) -> list[Piece[Task]]:
    fates = here.fates or (None,) * len(here.shards)
    return [
        Piece(task=Keep(shard, fate), units=shard.rows, reads=(shard,))
        for shard, fate in zip(here.shards, fates, strict=True)
    ]


PHASES = {
    "sign": Phase(
        _sign, lambda here, got: replace(here, signatures=tuple(one.signatures for one in got)), "join"
    ),
    "join": Phase(
        _join, lambda here, got: replace(here, chunks=sum((one.chunks for one in got), ())), "verify"
    ),
    "verify": Phase(
        _verify, lambda here, got: replace(here, similarities=tuple(one.similarities for one in got)), "group"
    ),
    "group": Phase(
        _group, lambda here, got: replace(here, fates=sum((one.fates for one in got), ())), "keep"
    ),
    "keep": Phase(_keep, lambda here, got: here, "done"),
}
