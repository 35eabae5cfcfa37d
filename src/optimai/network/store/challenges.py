"""Challenges ride the exchange: what was asked of whom, what came back in time; and how standing tasks end."""

from collections import defaultdict
from collections.abc import Sequence

from msgspec import Struct

from optimai.core.clock import Instant
from optimai.core.ids import AssignmentId, BlobId, EnvelopeId, NodeId, TaskId
from optimai.kinds.ruling import Shown
from optimai.network.store.sql import Tx
from optimai.wire.exchange import Asked, Met


async def waiting(tx: Tx, nodes: Sequence[NodeId], now: Instant) -> dict[NodeId, list[Asked]]:
    """Not yet answered and not yet due. Said again in each exchange, so that none is lost on the way."""
    if not nodes:
        return {}
    rows = await tx.fetch(
        """
        select id, assignment, node, blob, start, length, nonce from challenge
         where node = any($1::text[]) and answer is null and due > $2 order by id
        """,
        nodes,
        now,
    )
    asked = defaultdict(list)
    for row in rows:
        asked[row["node"]].append(
            Asked(row["id"], row["assignment"], row["blob"], row["start"], row["length"], row["nonce"])
        )
    return asked


async def unanswered(tx: Tx, now: Instant) -> set[NodeId]:
    """Who has one to answer."""
    rows = await tx.fetch("select distinct node from challenge where answer is null and due > $1", now)
    return {row["node"] for row in rows}


async def answered(
    tx: Tx, answers: Sequence[tuple[NodeId, EnvelopeId, Sequence[Met]]], now: Instant
) -> set[NodeId]:
    """The first answer counts, if it comes in time and from whoever was asked. Whose did?"""
    flat = [
        (node, signed, number, digest)
        for node, signed, mets in answers
        for number, digest in {met.challenge: met.digest for met in reversed(mets)}.items()
    ]
    if not flat:
        return set()
    rows = await tx.fetch(
        """
        update challenge set answer = new.digest, answered = $5, envelope = new.envelope
          from unnest($1::text[], $2::text[], $3::bigint[], $4::text[]) as new (node, envelope, id, digest)
         where challenge.id = new.id and challenge.node = new.node and answer is null and due > $5
        returning challenge.node
        """,
        [one[0] for one in flat],
        [one[1] for one in flat],
        [one[2] for one in flat],
        [one[3] for one in flat],
        now,
    )
    return {row["node"] for row in rows}


async def of(tx: Tx, assignments: Sequence[AssignmentId]) -> dict[AssignmentId, list[Shown]]:
    """All that the nodes of these were asked in their tasks, for the judge: in earlier tries, too, that lapsed."""
    rows = await tx.fetch(
        """
        select mine.id as assignment, challenge.id, blob, start, length, nonce, expected, answer,
               challenge.envelope
          from assignment as mine
          join assignment as its on its.task = mine.task and its.node = mine.node
          join challenge on challenge.assignment = its.id
         where mine.id = any($1::bigint[]) order by challenge.id
        """,
        assignments,
    )
    found = defaultdict(list)
    for row in rows:
        found[row["assignment"]].append(
            Shown(
                id=row["id"],
                blob=row["blob"],
                start=row["start"],
                length=row["length"],
                nonce=row["nonce"],
                expected=row["expected"],
                answer=row["answer"],
                envelope=row["envelope"],
            )
        )
    return found


class Over(Struct, frozen=True):
    """A standing task whose time is over and that nobody has in hand."""

    task: TaskId
    proved: AssignmentId | None  # its last try that lapsed, where a challenge was answered in any of them


async def lock_over(tx: Tx, now: Instant) -> list[Over]:
    """Over with its epoch, or with its campaign."""
    rows = await tx.fetch(
        """
        select task.id as task,
               (select max(assignment.id) from assignment
                 where assignment.task = task.id and assignment.state = 'lapsed'
                   and exists (select from assignment as its join challenge on challenge.assignment = its.id
                                where its.task = task.id and its.node = assignment.node
                                  and challenge.answer is not null)) as proved
          from task join step on step.id = task.step join campaign on campaign.id = step.campaign
         where pinned is not null and places > 0 and task.state = 'open'
           and (task.until <= $1 or campaign.ends <= $1)
         order by task.id for update of task skip locked
        """,
        now,
    )
    return [Over(row["task"], row["proved"]) for row in rows]


async def end(tx: Tx, over: Sequence[Over], now: Instant) -> None:
    """Nobody is asked any more. What was proved goes to the judge as if it had been sent; the rest is parked."""
    if not over:
        return
    proved = [one.proved for one in over if one.proved is not None]
    await tx.execute(
        "update assignment set state = 'returned', returned = $2 where id = any($1::bigint[])", proved, now
    )
    await tx.execute(
        """
        update task set places = 0, state = case when id = any($2::bigint[]) then 'open' else 'parked' end
         where id = any($1::bigint[])
        """,
        [one.task for one in over],
        [one.task for one in over if one.proved is not None],
    )


class Holder(Struct, frozen=True):
    """A standing assignment that may be due a challenge."""

    assignment: AssignmentId
    node: NodeId
    holds: bytes
    offered: Instant
    until: Instant  # the end of its epoch
    challenges: int  # that its task may get in the epoch,
    asked: int  # and how many there were


class New(Struct, frozen=True, kw_only=True):
    assignment: AssignmentId
    node: NodeId
    blob: BlobId
    start: int
    length: int
    nonce: bytes
    expected: str
    due: Instant


async def due(tx: Tx, now: Instant, limit: int) -> list[Holder]:
    """The first `limit` whose moment has come."""
    rows = await tx.fetch(
        """
        select assignment.id, node, holds, offered, until, challenges,
               (select count(*) from challenge where challenge.assignment = assignment.id) as asked
          from assignment join task on task.id = assignment.task
         where assignment.state = 'offered' and challenge_at <= $1
         order by challenge_at, assignment.id limit $2
        """,
        now,
        limit,
    )
    return [
        Holder(*(row[name] for name in ("id", "node", "holds", "offered", "until", "challenges", "asked")))
        for row in rows
    ]


async def wait(tx: Tx, until: Sequence[tuple[AssignmentId, Instant | None]]) -> None:
    """Look at these again at that moment, or never."""
    await tx.execute(
        """
        update assignment set challenge_at = new.at
          from unnest($1::bigint[], $2::timestamptz[]) as new (id, at) where assignment.id = new.id
        """,
        [one for one, _ in until],
        [at for _, at in until],
    )


async def ask(tx: Tx, new: Sequence[New], now: Instant) -> None:
    await tx.executemany(
        """
        insert into challenge (assignment, node, blob, start, length, nonce, expected, asked, due)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        """,
        [
            (one.assignment, one.node, one.blob, one.start, one.length, one.nonce, one.expected, now, one.due)
            for one in new
        ],
    )
