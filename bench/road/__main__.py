"""What a row costs on the road, beside the same work done by plain function calls in one process.

Each kind goes down a whole road of real processes: coordinator, PostgreSQL, two nodes of two owners, so that audits
really happen. `plain` is the same rules over the same rows without any of it. All is processor time, user and system;
waiting costs none, so politeness does not either.

    road = plain + checks + worker + agent + coordinator + PostgreSQL

    checks       the same once more by a second owner: the plain cost of what was done twice
    worker       what workers do besides: blobs over HTTP, JSON, Parquet, frames
    agent        exchanges, signatures, outbox, frames
    coordinator  its one process: HTTP, blobs, stages, judges, bundles

Apart are people and `hold`, the site, which is simulated, and two columns that hang on time and not on rows:

    start        two nodes and their workers until they can begin
    rest         what a network with nothing to do uses in the time that the kind took, measured before
"""

import argparse
import asyncio
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import msgspec
from msgspec import Struct

from bench.road.plain import Given
from bench.road.road import NODES, Rest, Road, Turn
from optimai.cli.children import Children

TIMES = 3  # that the peer does it all, and that a worker's start is measured
REST = 10  # seconds
BATCH = 5_000  # texts of a task of word_count
# What a worker loads when a task first needs it.
FETCHES, READS = ("optimai.node.fetch",), ("optimai.node.parquet",)
LOADS = {
    "crawl": FETCHES,
    "clean.text": READS,
    "dedup": READS,
    "link.check": FETCHES,
    "word_count": READS,
}
ENGINE = (*READS, "daft", "daft.functions")

Plain = Mapping[str, Mapping[str, float]]  # seconds of each kind and sort of task


class Line(Struct, frozen=True, kw_only=True):
    """Milliseconds of processor a row, but for the counts."""

    rows: int
    tasks: int
    plain: float
    checks: float
    worker: float
    agent: float
    coordinator: float
    postgres: float
    start: float
    rest: float

    @property
    def added(self) -> tuple[float, ...]:
        return self.checks, self.worker, self.agent, self.coordinator, self.postgres

    @property
    def road(self) -> float:
        return self.plain + sum(self.added)


def line(rows: int, turn: Turn, plain: Mapping[str, float], rest: Rest, loads: float) -> Line:
    """`loads` is what its workers needed until they could begin, in seconds."""
    work = sum(plain.values())
    checks = sum(plain[sort] * one.again / one.units for sort, one in turn.done.items())
    idle = turn.seconds / rest.seconds
    a_row = 1_000 / rows
    return Line(
        rows=rows,
        tasks=sum(one.tasks for one in turn.done.values()),
        plain=work * a_row,
        checks=checks * a_row,
        worker=(turn.used.workers - loads - work - checks) * a_row,
        agent=(turn.used.agents - rest.used.agents * idle) * a_row,
        coordinator=(turn.used.coordinator - rest.used.coordinator * idle) * a_row,
        postgres=(turn.used.postgres - rest.used.postgres * idle) * a_row,
        start=(turn.begin + loads) * a_row,
        rest=(rest.used.agents + rest.used.coordinator + rest.used.postgres) * idle * a_row,
    )


async def run(folder: Path) -> None:
    turns: dict[str, Turn] = {}
    async with Children(folder / "logs") as children:
        road = Road(folder / "network", children)
        await road.begin()
        rest = await road.rest(REST)
        told(f"rested {rest.seconds:.0f} s")
        raw = road.private.written.raw
        for kind in ("crawl", "clean.text", "dedup", "link.check"):
            turns[kind] = await road.turn(kind, raw, submit=kind == "crawl")
            told(f"{kind} {turns[kind].seconds:.0f} s")
        given = await road.seen.given(raw["campaign"], next(iter(road.private.hosts.values())))
        turns["word_count"] = await road.turn("word_count", in_batches(given.runs), submit=True)
        told(f"word_count {turns['word_count'].seconds:.0f} s")
        (folder / "given").write_bytes(msgspec.msgpack.encode(given))
        plain = middle([json.loads(await say("plain", str(folder / "given"))) for _ in range(TIMES)])
    loads = {kind: await begins(kind, modules) for kind, modules in LOADS.items()}
    engine = await begins("dedup", ENGINE)
    told("plain functions\n")
    lines = {}
    for kind, turn in turns.items():
        seconds = loads[kind] * turn.workers
        if kind == "dedup":  # one worker of each node joined
            seconds += (engine - loads[kind]) * len(NODES)
        lines[kind] = line(counts(given)[kind], turn, plain[kind], rest, seconds)
    show(lines, turns, rest)


def told(what: str) -> None:
    print(what, end=what[-1:].strip() and ", ", file=sys.stderr, flush=True)


def in_batches(texts: Sequence[str]) -> dict[str, Any]:
    """A campaign of large tasks: each input is one shard, each shard one task."""
    parts = {str(at // BATCH + 1): texts[at : at + BATCH] for at in range(0, len(texts), BATCH)}
    return {
        "campaign": "words",
        "budget": "40 OPI",
        "appeal": "1s",
        "inputs": {f"texts-{number}": [{"text": text} for text in some] for number, some in parts.items()},
        "steps": {
            f"words-{number}": {
                "kind": "word_count",
                "from": f"texts-{number}",
                "price": "0.0001/row",
                "validate": {"audit": "10%"},
            }
            for number in parts
        },
        "dataset": {"from": "words-1"},
    }


async def say(module: str, *words: str) -> str:
    """What a module of this bench prints last, run in a process of its own."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", f"bench.road.{module}", *words),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "DO_NOT_TRACK": "1"},  # Daft reports home unless told not to
    )
    said, _ = await child.communicate()
    if child.returncode:
        raise RuntimeError(f"bench.road.{module} ended with status {child.returncode}")
    return said.decode().splitlines()[-1]


async def begins(kind: str, modules: Sequence[str]) -> float:
    """Seconds that a worker needs until it can begin."""
    return median([float(await say("loaded", kind, *modules)) for _ in range(TIMES)])


def middle(passes: Sequence[Plain]) -> Plain:
    return {
        kind: {sort: median(one[kind][sort] for one in passes) for sort in sorts}
        for kind, sorts in passes[0].items()
    }


def counts(given: Given) -> Mapping[str, int]:
    return {
        "crawl": len(given.urls),
        "clean.text": len(given.pages),
        "dedup": len(given.texts),
        "link.check": len(given.links),
        "word_count": len(given.runs),
    }


def show(lines: Mapping[str, Line], turns: Mapping[str, Turn], rest: Rest) -> None:
    heads = ("plain", "checks", "worker", "agent", "coord.", "PostgreSQL", "= road", "ratio", "start", "rest")
    print(
        f"{'ms of processor a row':22}{'rows':>7}{'tasks':>6}{'twice':>7}", *(f"{one:>10}" for one in heads)
    )
    for kind, one in lines.items():
        twice = sum(sort.audits for sort in turns[kind].done.values())
        figures = (one.plain, *one.added, one.road)
        print(
            f"{kind:22}{one.rows:7,}{one.tasks:6}{twice:7}",
            *(f"{figure:10.3f}" for figure in figures),
            f"{one.road / one.plain:10.1f}",
            *(f"{figure:10.3f}" for figure in (one.start, one.rest)),
        )
    added = [seconds(lines.values(), lambda one, at=at: one.added[at]) for at in range(5)]
    road, plain = (
        seconds(lines.values(), lambda one: one.road),
        seconds(lines.values(), lambda one: one.plain),
    )
    shares = ", ".join(
        f"{name} {one / sum(added):.0%}"
        for name, one in zip(("checks", "workers", "agents", "coordinator", "PostgreSQL"), added, strict=True)
    )
    at_rest = [
        1_000 * one / rest.seconds for one in (rest.used.coordinator, rest.used.postgres, rest.used.agents)
    ]
    print(f"All of it: {plain:.1f} s plain, {road:.1f} s on the road. What the road adds: {shares}.")
    print("At rest, ms a second: coordinator {:.0f}, PostgreSQL {:.0f}, two nodes {:.0f}.".format(*at_rest))
    said = {
        "bench": "road",
        "figures": {
            f"{kind.replace('.', '_')}_ms": {
                name: round(getattr(one, name), 4) for name in (*Line.__struct_fields__, "road")
            }
            for kind, one in lines.items()
        },
        "peer": {"plain_functions_s": round(plain, 2), "road_s": round(road, 2)},
        "ratio": round(road / plain, 1),
        "goal": None,
        "met": True,
    }
    print(json.dumps(said))


def seconds(lines: Iterable[Line], of: Callable[[Line], float]) -> float:
    return sum(of(one) * one.rows for one in lines) / 1_000


def main() -> None:
    argparse.ArgumentParser(prog="make bench NAME=road").parse_args()
    folder = Path(tempfile.mkdtemp(prefix="optimai-bench-"))
    try:
        asyncio.run(run(folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
