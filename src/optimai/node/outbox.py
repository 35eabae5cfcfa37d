"""What a node must not forget, in SQLite: a `kill -9` at any moment loses none of it.

An assignment that was taken on is one row here, until the coordinator has said what
became of its result:

    in hand ── finish ──> ready ── envelope ──> under way ── taken, refused ──> gone
                            ^                       │
                            └──── neither of both ──┘

An envelope is written down, whole and signed, before its first byte is sent, and is the
only one until it is answered. So a lost reply is asked for again with the very same
bytes, to which the coordinator gives the very same answer; and no serial ever leaves the
machine over two different texts.

Every method is one transaction, on disk when it returns (WAL, synchronous=FULL).
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
from msgspec import Struct

from optimai.core.ids import AssignmentId
from optimai.wire.exchange import MOST_RESULTS, Done, Met, Offer, Reply

MOST_BYTES = 600_000  # of results in one envelope, which is then less than a mebibyte in base64
MOST_TAKEN = 100_000  # results, the last ones, of which is kept that the coordinator said it has them

_TABLES = """
create table if not exists assignment (
    id    integer primary key,
    offer blob not null,
    place integer,                          -- null in hand; ready: in the order of finishing
    done  blob,
    under integer                           -- the serial of the envelope that carries it
);
create unique index if not exists assignment_place on assignment (place) where place is not null;
create table if not exists answer (
    challenge integer primary key,
    digest    text not null,
    under     integer
);
create table if not exists taken (
    place      integer primary key,         -- in the order of hearing of it
    assignment integer not null
);
create table if not exists node (
    only     integer primary key check (only = 1),
    serial   integer not null default 0,    -- of the last envelope
    request  blob,                          -- the bytes to send, while nobody has answered them
    most     integer not null,              -- results in one envelope: less after one that nobody could read
    taken    integer not null default 0,
    refused  integer not null default 0,
    declined integer not null default 0
);
"""


class Pending(Struct, frozen=True):
    """The one envelope that waits for its answer."""

    serial: int
    request: bytes


class Came(Struct, frozen=True):
    """What an answered envelope brought."""

    reply: Reply
    offers: tuple[Offer, ...] = ()  # those that are new
    more: bool = False  # something has become ready since the envelope was made


class Counts(Struct, frozen=True):
    in_hand: int
    unsent: int  # results and answers that are not acknowledged, under way or not
    taken: int
    refused: int
    declined: int


class Outbox:
    def __init__(self, path: Path | str) -> None:
        """`:memory:` for a node that nothing outlives."""
        self._db = sqlite3.connect(path, isolation_level=None)
        for pragma in "journal_mode=wal", "synchronous=full", "fullfsync=on":
            self._db.execute(f"pragma {pragma}")
        with self._transaction():
            for statement in _TABLES.split(";\n"):
                self._db.execute(statement)
            self._db.execute("insert or ignore into node (only, most) values (1, ?)", (MOST_RESULTS,))

    def close(self) -> None:
        self._db.close()

    def in_hand(self) -> list[Offer]:
        rows = self._db.execute("select offer from assignment where place is null order by id")
        return [msgspec.json.decode(offer, type=Offer) for (offer,) in rows]

    def finish(self, done: Done) -> bool:
        """False where this assignment is not in hand (any more): then nothing changes."""
        with self._transaction():
            changed = self._db.execute(
                """
                update assignment set done = ?, place = (select coalesce(max(place), 0) + 1 from assignment)
                 where id = ? and place is null
                """,
                (msgspec.json.encode(done), done.assignment),
            ).rowcount
            if changed and done.declined:
                self._db.execute("update node set declined = declined + 1")
        return bool(changed)

    def met(self, met: Met) -> None:
        with self._transaction():
            self._db.execute(
                "insert or ignore into answer (challenge, digest) values (?, ?)", (met.challenge, met.digest)
            )

    def answered(self) -> set[int]:
        """Challenges whose answer waits here."""
        return {challenge for (challenge,) in self._db.execute("select challenge from answer")}

    def envelope(self, sign: Callable[[int, Sequence[Done], Sequence[Met]], bytes]) -> Pending:
        """The envelope that waits for its answer; where none does, a new one with all that is ready.

        `sign` makes the bytes from the serial, results and answers; they are on disk when this returns.
        """
        waiting = self._waiting()
        if waiting:
            return waiting
        with self._transaction():
            serial = self._one("select serial + 1 from node")
            results = self._ready()
            answers = self._db.execute(
                "select challenge, digest from answer order by challenge limit ?", (MOST_RESULTS,)
            ).fetchall()
            request = sign(serial, results, [Met(challenge, digest) for challenge, digest in answers])
            for done in results:
                self._db.execute("update assignment set under = ? where id = ?", (serial, done.assignment))
            for challenge, _ in answers:
                self._db.execute("update answer set under = ? where challenge = ?", (serial, challenge))
            self._db.execute("update node set serial = ?, request = ?", (serial, request))
        return Pending(serial, request)

    def answer(self, reply: Reply) -> Came:
        """What was taken or refused is gone, what is offered is in hand, the rest is ready again.

        An answer to any but the waiting envelope changes nothing.
        """
        with self._transaction():
            waiting = self._waiting()
            if waiting is None or waiting.serial != reply.serial:
                return Came(reply)
            taken = [one for one in self._drop(reply.taken, reply.serial) if not one.declined]
            refused = self._drop([refusal.assignment for refusal in reply.refused], reply.serial)
            self._remember(taken)
            self._db.execute("delete from answer where under = ?", (reply.serial,))
            new = tuple(offer for offer in reply.offers if self._take_on(offer))
            more = self._one(
                """
                select exists (select 1 from assignment where place is not null and under is null)
                    or exists (select 1 from answer where under is null)
                """
            )
            self._db.execute(
                "update node set taken = taken + ?, refused = refused + ?, most = ?",
                (len(taken), len(refused), MOST_RESULTS),
            )
            self._open_again()
        return Came(reply, new, bool(more))

    def withdraw(self, serial: int, *, halve: bool = False) -> int:
        """Nobody will answer this envelope: what it carried, so many results, is ready again.

        The next serial is higher than `serial` and than any before. With `halve` the next
        envelope carries half as many results, until one is answered.
        """
        with self._transaction():
            carried = self._one("select count(*) from assignment where under is not null")
            most = max(1, int(carried) // 2) if halve else MOST_RESULTS
            self._db.execute("update node set serial = max(serial, ?), most = ?", (serial, most))
            self._open_again()
        return int(carried)

    def give_up_first(self, why: str) -> None:
        """Of the ready results, the one that would be sent next becomes a decline: nobody can read it."""
        with self._transaction():
            results = self._ready()
            if results:
                declined = Done(results[0].assignment, declined=why)
                self._db.execute(
                    "update assignment set done = ? where id = ?",
                    (msgspec.json.encode(declined), declined.assignment),
                )
                self._db.execute("update node set declined = declined + 1")

    def counts(self) -> Counts:
        row = self._db.execute(
            """
            select (select count(*) from assignment where place is null),
                   (select count(*) from assignment where place is not null) + (select count(*) from answer),
                   taken, refused, declined
              from node
            """
        ).fetchone()
        return Counts(*row)

    def taken(self) -> list[AssignmentId]:
        """Those whose result the coordinator said that it has; of very many, the last MOST_TAKEN."""
        rows = self._db.execute("select assignment from taken order by place")
        return [AssignmentId(assignment) for (assignment,) in rows]

    def _waiting(self) -> Pending | None:
        serial, request = self._db.execute("select serial, request from node").fetchone()
        return None if request is None else Pending(serial, request)

    def _ready(self) -> list[Done]:
        """The oldest results, as many as one envelope may carry and at least one."""
        most = self._one("select most from node")
        results: list[Done] = []
        size = 0
        for (done,) in self._db.execute(
            "select done from assignment where place is not null order by place limit ?", (most,)
        ):
            size += len(done)
            if results and size > MOST_BYTES:
                break
            results.append(msgspec.json.decode(done, type=Done))
        return results

    def _take_on(self, offer: Offer) -> bool:
        return bool(
            self._db.execute(
                "insert or ignore into assignment (id, offer) values (?, ?)",
                (offer.assignment, msgspec.json.encode(offer)),
            ).rowcount
        )

    def _drop(self, assignments: Sequence[AssignmentId], serial: int) -> list[Done]:
        """Of these, what this envelope carried."""
        carried = dict(self._db.execute("select id, done from assignment where under = ?", (serial,)))
        gone = [one for one in dict.fromkeys(assignments) if one in carried]
        for one in gone:
            self._db.execute("delete from assignment where id = ?", (one,))
        return [msgspec.json.decode(carried[one], type=Done) for one in gone]

    def _remember(self, taken: Sequence[Done]) -> None:
        for one in taken:
            self._db.execute("insert into taken (assignment) values (?)", (one.assignment,))
        self._db.execute("delete from taken where place <= (select max(place) from taken) - ?", (MOST_TAKEN,))

    def _open_again(self) -> None:
        self._db.execute("update node set request = null")
        self._db.execute("update assignment set under = null where under is not null")
        self._db.execute("update answer set under = null where under is not null")

    def _one(self, sql: str) -> int:
        return int(self._db.execute(sql).fetchone()[0])

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("begin immediate")
        try:
            yield
        except BaseException:
            self._db.execute("rollback")
            raise
        self._db.execute("commit")
