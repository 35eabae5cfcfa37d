"""What a kind of work promises.

    spec   what goes in and what comes out; cuts a step into tasks
    work   does a task (a machine), or face/ (a person), or work.js (a browser)
    judge  says whether to believe what came back
    store  only where the kind keeps state at the coordinator (a crawl's frontier)

This file holds the shapes that pass between them and the network, no rules.
A kind is plain functions in its own modules; `kinds.catalog` puts them together,
`optimai kind check` sees that they fit:

    spec.py   KIND, Options, Task, Result
              needs(options) -> columns that its input must have     optional; default: none
              looks(options) -> columns that plan is shown           optional; default: none
              plan(options, state, news) -> Plan[Task]
              bound(options, rows) -> least and most units           optional; default: one a row
              chance(options) -> share that a guess has right        optional; default: none
    judge.py  agree(case) -> Verdict | More
              rows(step, task, believed) -> rows to publish, as a blob or as they are; None for none
              audit(options, task, result, seed) -> Task    optional; default: the same task again
              check(options, task, result, rows) -> str     optional: why it is refused, "" if plausible
    work.py   async work(task, kit) -> Result
    store.py  async load(tx, blobs, step, options, news, now) -> state for plan
              async save(tx, step, plan, now)

`Task` and `Result` are frozen structs or tagged unions of them. Untrusted values are
decoded into them strictly; nothing else of a stranger's reaches a kind.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Generic, Literal, Protocol, TypeVar

from msgspec import Struct

from optimai.core.assignment import Role
from optimai.core.chance import Ppm
from optimai.core.clock import Instant
from optimai.core.ids import AssignmentId, BlobId, NodeId, OwnerId
from optimai.core.protocol import Checks

O = TypeVar("O")  # noqa: E741
T = TypeVar("T")
R = TypeVar("R")


class Kind(Struct, frozen=True, kw_only=True):
    name: str
    version: int
    hands: frozenset[Literal["machine", "browser", "person"]]
    reads: Literal["nothing", "row", "shard", "all"]  # row and shard stream; all waits for a sealed version
    gives: tuple[str, ...]  # the columns of its rows, all of them in each, beside `_row` and `_from`
    unit: str  # what a price is for: page, row, answer
    lease: timedelta  # until a try's place is given to another; for standing work from its epoch's end
    key: tuple[str, ...] = ()  # columns that name a row where nothing is read; else its `_from` names it
    parallel: int = 1  # tasks that one worker process may have in hand at once
    memory_mb: int = 500  # its worker's limit
    audit: Ppm = Ppm(50_000)  # share of tasks that another owner checks, unless the campaign says otherwise
    checks: Checks = "again"  # how it is checked
    tolerates: Ppm = Ppm(0)  # share of a task's checked units that may fall without its being a fault
    good: Ppm = Ppm(750_000)  # an owner whose results hold in so many cases at least is paid the whole price
    carries: bool = False  # publish copies into each row the columns of its one parent that it lacks
    standing: bool = False  # one task for each node and epoch, paid by answered challenges
    files: frozenset[str] = frozenset()  # options that name a JSON-lines file; its rows are sent instead


class Shard(Struct, frozen=True):
    """A sealed part of a dataset. The network counted its rows, not the one who sent them."""

    blob: BlobId
    rows: int
    bytes: int


class Accepted(Struct, Generic[T, R], frozen=True):
    """What a verdict believed of a task; None where nothing was."""

    task: T
    result: R | None


class News(Struct, Generic[T, R], frozen=True, kw_only=True):
    """What happened to a step since its plan was last asked."""

    sealed: Sequence[Shard] = ()
    accepted: Sequence[Accepted[T, R]] = ()
    ended: bool = False  # no more input will come
    open: int = 0  # tasks of this step that have no verdict yet
    columns: Mapping[BlobId, Mapping[str, Sequence[Any]]] = {}  # of each sealed shard, as `looks` names them
    epoch: int = 0  # standing work: the epoch that runs,
    until: Instant | None = None  # when it ends,
    nodes: Sequence[NodeId] = ()  # and the nodes that have no task for it yet


class Piece(Struct, Generic[T], frozen=True, kw_only=True):
    """A task as its plan cuts it."""

    task: T
    units: int  # the most that one answer can be paid for
    reads: tuple[Shard, ...] = ()  # the shards whose rows its own rows may come from
    answers: int = 1  # owners asked at first
    needs: Literal["engine"] | None = None
    audited: bool = False  # always, not just by chance
    node: NodeId | None = None  # standing work is pinned;
    holds: tuple[Shard, ...] = ()  # of these the network asks for ranges,
    challenges: int = 0  # so many times, spread over the epoch


class Plan(Struct, Generic[T], frozen=True):
    pieces: Sequence[Piece[T]]
    state: bytes = b""  # handed back at the next call: the kind's own bookmark
    finished: bool = False  # nothing will ever be added; the step ends when its open tasks have a verdict


class Challenge(Struct, frozen=True, kw_only=True):
    """`answer` must be BLAKE3 of nonce and the range's bytes; `expected` is what the coordinator's own bytes give."""

    blob: BlobId
    start: int
    length: int
    nonce: bytes
    expected: str
    answer: str | None


class Answer(Struct, Generic[R], frozen=True, kw_only=True):
    """A result as its judge sees it: whose it is, and whether it was asked as an audit."""

    assignment: AssignmentId
    owner: OwnerId
    role: Role
    result: R
    trusted: bool = True  # False while its owner is suspended for this kind
    challenges: Sequence[Challenge] = ()  # standing work only


class Case(Struct, Generic[O, T, R], frozen=True, kw_only=True):
    """All that a judge may know."""

    step: str  # `campaign/step`, the name under which rows are named
    options: O  # what the requester asked for, known answers too; workers see only the task
    task: T
    units: int
    answers: Sequence[Answer[R]]
    last: bool = False  # no other owner can be had: decide with what there is


class Finding(Struct, frozen=True):
    """What becomes of one assignment."""

    units: int  # paid for
    checked: int = 0  # units of it that somebody else's work confirmed or refuted,
    faults: int = 0  # and how many were refuted
    why: str = ""  # one sentence for whoever did it, above all where units are missing


class Verdict(Struct, Generic[R], frozen=True, kw_only=True):
    """What is believed, what each assignment is worth, and why in one sentence."""

    believed: R | None  # a result, or the part of one that was not refuted
    findings: Mapping[AssignmentId, Finding]
    reason: str


class More(Struct, frozen=True):
    """Not sure yet: ask that many more owners. Nobody is paid before there is a verdict."""

    owners: int
    reason: str
    role: Role = Role.ANSWER


class Tx(Protocol):
    """A database transaction, as a kind's `store.py` sees it. It may touch tables of its own schema only."""

    async def fetch(self, sql: str, *args: Any) -> list[Any]: ...
    async def execute(self, sql: str, *args: Any) -> Any: ...
    async def fetchval(self, sql: str, *args: Any) -> Any: ...
    async def executemany(self, sql: str, args: Sequence[Sequence[Any]]) -> Any: ...
