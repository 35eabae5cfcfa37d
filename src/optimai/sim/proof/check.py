"""The rules that every kind keeps, one line for each: what `optimai kind check` prints and our tests ask."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from optimai import kinds
from optimai.core.errors import NotFound
from optimai.kinds import catalog
from optimai.kinds.catalog import Loaded
from optimai.sim.proof import form, judging
from optimai.sim.proof.drive import Broken, Done, acted, by_wire, published, verdict, worked
from optimai.sim.proof.example import Example, Stage, files, read, staged
from optimai.sim.proof.judging import Bench, bench

RULES = {
    "parts": "its parts are there, and KIND.name fits the folder",
    "types": "Options, Task and Result are frozen, take no unknown field, and survive JSON",
    "pure": "spec and judge import nothing heavy and touch no clock, chance or file",
    "work": "work goes through the kit: no socket, no file by itself",
    "plan": "plan is deterministic and leaves alone what it is given",
    "examples": "the examples give what they promise",
    "honest": "an honest answer is believed and has all its units",
    "deviating": "a lie that others find out earns nothing",
    "order": "the order of answers changes nothing",
    "last": "there is a verdict wherever nobody else can be asked",
    "units": "nobody gets more units than the task has",
    "rows": "rows follow from their task",
    "readme": "README says what it does and refuses, how it is checked and paid",
}
NOT_REACHED = "could not be looked at: first mend what is marked above"


class Line(Struct, frozen=True):
    rule: str
    why: str | None  # what to do; None where the rule holds

    def __str__(self) -> str:
        return f"✓ {RULES[self.rule]}" if self.why is None else f"✗ {RULES[self.rule]}\n    {self.why}"


def home_of(name: str) -> Path:
    """The folder of a kind. Raises NotFound, with the folders there are."""
    folders = {
        path.parent.name: path.parent for home in kinds.__path__ for path in Path(home).glob("*/README.md")
    }
    folders |= {
        path.parent.name: path.parent for home in kinds.__path__ for path in Path(home).glob("*/spec.py")
    }
    found = folders.get(name.replace(".", "_"))
    if found is None:
        raise NotFound("kind", name, f"Give one of {', '.join(sorted(folders))}.")
    return found


async def check(name: str) -> list[Line]:
    """A line for each rule."""
    home = home_of(name)
    faults: dict[str, str] = {}

    @contextmanager
    def holding(rule: str) -> Iterator[None]:
        """What does not hold goes to its rule; what breaks otherwise to the one that was looked at."""
        try:
            yield
        except Broken as fault:
            faults.setdefault(fault.rule, str(fault))
        except Exception as fault:
            faults.setdefault(rule, told(fault))

    reached = {"parts", "readme"}
    with holding("parts"):
        form.parts(home)
        reached |= {"pure", "work"}
        with holding("pure"):
            form.pure(home)
        with holding("work"):
            form.work(home)
    with holding("readme"):
        form.readme(home, name)
    with holding("parts"):
        if why := catalog.there().damaged.get(home.name):
            raise Broken("parts", f"spec.py, judge.py or store.py: {why}")
        kind = catalog.load(name)
        form.complete(kind, home)
        reached.add("types")
        with holding("types"):
            form.types(kind, home)
        reached |= {"plan", "examples"}
        benches: list[Bench] = []
        acted_out = 0
        for path in files(home):
            with holding("examples"):
                benches += await example(kind, read(path))
                acted_out += 1
        if 0 < acted_out == len(files(home)) and not benches:
            faults.setdefault("examples", "none of them has a task to judge: give one with `shards`")
        if benches and acted_out == len(files(home)):
            reached |= {"rows", *JUDGING}
        for one in benches:
            for rule, holds in JUDGING.items():
                with holding(rule):
                    holds(one)
        if benches and not sum(one.tried for one in benches):
            faults.setdefault("deviating", "nothing tells what a lie is: put `lies` into an example")
    return [Line(rule, faults.get(rule, None if rule in reached else NOT_REACHED)) for rule in RULES]


JUDGING: Mapping[str, Callable[[Bench], None]] = {
    "honest": judging.honest,
    "deviating": judging.deviating,
    "order": judging.orders,
    "last": judging.last,
    "units": judging.units,
}


async def example(kind: Loaded, told: Example) -> list[Bench]:
    """Act an example out and hold it to what it promises; its pieces, ready to be judged."""
    stage = staged(told)
    options = catalog.options_of("step", kind, stage.named(told.options))
    if told.task is not None:
        task = msgspec.convert(stage.named(told.task), kind.task)
        _same("result", await worked(kind, task, stage.kit()), told.result, stage, kind.result)
        return []
    done = await acted(kind, stage)
    _promised(kind, stage, done)
    benches = [await bench(kind, options, one, stage, first=number == 0) for number, one in enumerate(done)]
    made: list[dict[str, Any]] = []
    for one in benches:
        case = one.case(one.honest if one.people else one.honest[:1])
        found = verdict(kind, case)
        if found.believed is not None:
            by_wire(found.believed, kind.result)
        made += await published(kind, options, one.done.piece, found.believed, stage.kit())
    wanted = sorted(map(stage.named, told.rows), key=_name)
    if (made := sorted(made, key=_name)) != wanted:
        raise Broken("examples", f"rows: {_difference(made, wanted)}")
    return benches


def _promised(kind: Loaded, stage: Stage, done: list[Done]) -> None:
    told = stage.example
    if told.tasks is not None:
        made = [{"task": one.piece.task, "node": one.piece.node} for one in done]
        _same("tasks", made, [{"task": one.task, "node": one.node} for one in told.tasks], stage)
    if told.result is not None and done:
        _same("result", done[0].result, told.result, stage, kind.result)
    right = {(one.blob, one.start, one.length, one.nonce): one for each in done for one in each.challenges}
    for asks in told.challenges:
        one = right.get((stage.names[asks.blob], asks.start, asks.length, asks.nonce.encode()))
        if one is None:
            raise Broken("examples", f"challenge {asks.nonce!r} is of no range that a task holds")
        for who, digest in (("the work answers", one.answer), ("right is", one.expected)):
            if digest != asks.digest:
                raise Broken("examples", f"challenge {asks.nonce!r}: {who} {digest}, and not {asks.digest}")


def _same(what: str, made: Any, told: Any, stage: Stage, shape: Any = Any) -> None:
    wanted = _plain(msgspec.convert(stage.named(told), shape))
    if (made := _plain(made)) != wanted:
        raise Broken("examples", f"{what}: {_difference(made, wanted)}")


def _plain(value: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(value))


def _difference(made: Any, wanted: Any) -> str:
    """Where two values part, as a path into them."""
    if isinstance(made, dict) and isinstance(wanted, dict):
        for key in [*wanted, *made]:
            if made.get(key) != wanted.get(key):
                return f"{key}: {_difference(made.get(key), wanted.get(key))}"
    if isinstance(made, list | tuple) and isinstance(wanted, list | tuple):
        for at, (one, other) in enumerate(zip(made, wanted, strict=False)):
            if one != other:
                return f"[{at}] {_difference(one, other)}"
        return f"there are {len(made)}, and the example has {len(wanted)}; made were {_text(made)}"
    return f"made is {_text(made)}, and the example has {_text(wanted)}"


def _text(value: Any) -> str:
    return msgspec.json.encode(value).decode()[:2_000]


def told(fault: Exception) -> str:
    return f"{type(fault).__name__}: {fault}"


def _name(row: Mapping[str, Any]) -> str:
    return str(row["_row"])
