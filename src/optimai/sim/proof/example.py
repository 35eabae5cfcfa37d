"""An example of a kind: a JSON file in its `examples/`, in one format for all kinds (docs/new-kind.md).

What goes in: options, blobs, the web, and either rows in shards (the plan cuts them into
tasks) or one `task` by itself. What must come out: `tasks`, `result`, `answers`, `units`,
`rows`, each of them held to what is written where it is written. A text "blob:NAME" stands
for the id of that blob wherever it is found.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from optimai.core.ids import BlobId, blob_id
from optimai.kinds.contract import Shard
from optimai.kinds.kit import Page, Refused
from optimai.sim.proof.kit import NOON, MemoryKit, Web


class Bytes(Struct, frozen=True, forbid_unknown_fields=True):
    text: str
    encoding: str = "utf-8"


class Served(Struct, frozen=True, forbid_unknown_fields=True):
    """What a server answers, or why the page is not fetched (a word of `kit.Refused`)."""

    status: int = 0
    headers: Mapping[str, str] = {}
    body: str = ""  # "blob:NAME"
    refused: str = ""


class Said(Struct, frozen=True, forbid_unknown_fields=True):
    """What an owner answers, and what becomes of it. Owners are asked in this order until there is a verdict."""

    result: Any
    units: int
    why: str | None = None


class Asks(Struct, frozen=True, forbid_unknown_fields=True):
    """A challenge, and the right answer to it."""

    blob: str
    start: int
    length: int
    nonce: str
    digest: str


class Planned(Struct, frozen=True, forbid_unknown_fields=True):
    task: Any
    node: str | None = None  # standing work


class Example(Struct, frozen=True, forbid_unknown_fields=True):
    options: Mapping[str, Any] = {}
    blobs: Mapping[str, Bytes] = {}
    web: Mapping[str, Served | tuple[Served, ...]] = {}  # URL -> answer, or one after another; the last stays
    shards: tuple[tuple[dict[str, Any], ...] | str, ...] = ()  # rows, or "blob:NAME" for bytes as they are
    nodes: tuple[str, ...] = ()  # standing work: those that are there
    challenges: tuple[Asks, ...] = ()
    state: Any = None  # what the store of a kind that has one hands to its plan
    task: Any = None  # by itself, without plan and judge: only its `result` is looked at

    tasks: tuple[Planned, ...] | None = None
    result: Any = None  # of the first task
    answers: tuple[Said, ...] = ()  # to the first task, where people answer
    lies: tuple[Any, ...] = ()  # results of the first task that must earn nothing
    units: int | None = None  # of the first task's honest answer; else all
    rows: tuple[dict[str, Any], ...] = ()  # published by the step, in any order


def read(path: Path) -> Example:
    """Raises msgspec.DecodeError with the place that is wrong."""
    return msgspec.json.decode(path.read_bytes(), type=Example)


def files(home: Path) -> list[Path]:
    return sorted((home / "examples").glob("*.json"))


class Stage(Struct):
    """An example set up: bytes, shards and a web to work in."""

    example: Example
    blobs: dict[BlobId, bytes]
    shards: tuple[Shard, ...]
    names: Mapping[str, BlobId]

    def named(self, value: Any) -> Any:
        """The value, with the ids of its blobs."""
        return _named(value, self.names)

    def kit(self) -> MemoryKit:
        """Of one more owner: the bytes are everybody's, the web begins anew."""
        return MemoryKit("example/step", web=self.web(), blobs=self.blobs)

    def web(self) -> Web:
        return {
            url: _in_turn([self._seen(url, one) for one in (told if isinstance(told, tuple) else (told,))])
            for url, told in self.example.web.items()
        }

    def _seen(self, url: str, told: Served) -> Page | Refused:
        if told.refused:
            return Refused(told.refused)
        body = self.blobs[self.names[told.body]] if told.body else b""
        return Page(url=url, status=told.status, headers=told.headers, body=body, at=NOON)


def staged(example: Example) -> Stage:
    data = {f"blob:{name}": one.text.encode(one.encoding) for name, one in example.blobs.items()}
    names = {name: blob_id(one) for name, one in data.items()}
    kit = MemoryKit(blobs={names[name]: one for name, one in data.items()})
    shards = [
        Shard(names[given], 1, len(data[given]))
        if isinstance(given, str)
        else kit.shard(_named(given, names))
        for given in example.shards
    ]
    return Stage(example, kit.blobs, tuple(shards), names)


def _named(value: Any, names: Mapping[str, BlobId]) -> Any:
    match value:
        case dict():
            return {key: _named(one, names) for key, one in value.items()}
        case list() | tuple():
            return [_named(one, names) for one in value]
        case str() if value.startswith("blob:"):
            return names.get(value, value)
    return value


def _in_turn(seen: Sequence[Page | Refused]) -> Callable[[], Page | Refused]:
    left = list(seen)
    return lambda: left.pop(0) if len(left) > 1 else left[0]
