"""Epochs: which one runs, with its secret seed; and what the bundle of a closing one holds."""

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from optimai.core.chance import Seed, first_seed
from optimai.core.clock import Instant
from optimai.core.ids import BlobId, EnvelopeId, NodeId, OwnerId
from optimai.core.ledger import Transfer
from optimai.core.protocol import Protocol
from optimai.network.store.sql import Record, Tx


class Epoch(Struct, frozen=True, kw_only=True):
    number: int
    seed: Seed
    opened: Instant
    closes: Instant
    closing: bool  # no more verdicts: what was judged is being settled
    protocol: Protocol  # the parameters by which it is checked, fined and paid


class Closed(Struct, frozen=True):
    head: bytes
    bundle: BlobId


async def running(tx: Tx) -> Epoch | None:
    """Locked: whoever closes it waits for the verdicts that are just being written, and they for him."""
    row = await tx.fetchrow(
        "select number, seed, opened, closes, closing, protocol from epoch where closed is null for update"
    )
    return _epoch(row) if row else None


async def current(tx: Tx) -> Epoch:
    """Kept from closing until the end of this transaction."""
    for _ in range(2):  # who waited for one to close does not see the next until he looks again
        row = await tx.fetchrow(
            "select number, seed, opened, closes, closing, protocol from epoch where closed is null for share"
        )
        if row is not None:
            break
    else:
        raise LookupError("no epoch is open: the stage `epoch` opens the first one")
    return _epoch(row)


def _epoch(row: Record) -> Epoch:
    return Epoch(
        number=row["number"],
        seed=Seed(row["seed"]),
        opened=row["opened"],
        closes=row["closes"],
        closing=row["closing"],
        protocol=msgspec.json.decode(row["protocol"], type=Protocol),
    )


class Rules(Struct, frozen=True):
    """What holds now, for whoever offers."""

    protocol: Protocol
    epoch: int
    seed: Seed  # of the epoch before: public, and fixed before anybody knew of a task that is drawn by it


async def rules(tx: Tx) -> Rules:
    """Where no epoch has begun yet, those that will hold."""
    row = await tx.fetchrow(
        """
        select protocol, number, (select seed from epoch as last where last.number = epoch.number - 1) as seed
          from epoch where closed is null
        """
    )
    first = first_seed(tx.network.id)
    if row is None:
        return Rules(tx.network.protocol, 1, first)
    return Rules(
        msgspec.json.decode(row["protocol"], type=Protocol), row["number"], Seed(row["seed"] or first)
    )


async def closed(tx: Tx, number: int = 0) -> Closed | None:
    """Number 0 is the newest."""
    row = await tx.fetchrow(
        """
        select head, bundle from epoch where closed is not null and ($1 = 0 or number = $1)
         order by number desc limit 1
        """,
        number,
    )
    return Closed(row["head"], row["bundle"]) if row else None


async def private(tx: Tx, number: int) -> frozenset[OwnerId]:
    """Requesters of the private campaigns that a closed epoch's bundle tells of (0: the newest's).

    It has their verdicts and results; reasons of pay that was not final in it; and whole exchanges, which beside
    the results that were judged may carry others.
    """
    rows = await tx.fetch(
        """
        with shut as (
             select number, opened, closed from epoch where closed is not null and ($1 = 0 or number = $1)
              order by number desc limit 1),
        hidden as (
             select campaign.requester, assignment.id, assignment.task, assignment.offered, assignment.envelope
               from campaign join step on step.campaign = campaign.id join task on task.step = step.id
               join assignment on assignment.task = task.id
              where campaign.private),
        judged as (
             select assignment.id, assignment.task, assignment.envelope from shut
               join verdict on verdict.epoch = shut.number join assignment on assignment.task = verdict.task
              where exists (table hidden))
        select requester from hidden where task in (select task from judged)
         union
        select requester from hidden
         where envelope in (select envelope from judged union all
                            select challenge.envelope from judged join challenge on challenge.assignment = judged.id)
         union
        select requester from hidden join earning on earning.assignment = hidden.id join shut on offered <= closed
         where earning.at >= opened or earning.state in ('reserved', 'pending')
        """,
        number,
    )
    return frozenset(row["requester"] for row in rows)


async def open_next(tx: Tx, number: int, seed: Seed, opened: Instant, closes: Instant) -> None:
    await tx.execute(
        "insert into epoch (number, seed, opened, closes, protocol) values ($1, $2, $3, $4, $5)",
        number,
        seed,
        opened,
        closes,
        msgspec.json.encode(tx.network.protocol),
    )


async def begin_close(tx: Tx, number: int) -> None:
    await tx.execute("update epoch set closing = true where number = $1", number)


async def unsettled(tx: Tx) -> bool:
    return bool(await tx.fetchval("select exists (select from task where not settled)"))


async def close(tx: Tx, number: int, head: bytes, bundle: str, now: Instant) -> None:
    await tx.execute(
        "update epoch set closed = $2, head = $3, bundle = $4 where number = $1", number, now, head, bundle
    )


async def verdicts(tx: Tx, epoch: int) -> list[Record]:
    return await tx.fetch(
        """
        select verdict.id, verdict.body, step.kind, step.kind_hash from verdict
          join task on task.id = verdict.task join step on step.id = task.step
         where epoch = $1 order by verdict.id
        """,
        epoch,
    )


async def seeds(tx: Tx, numbers: Sequence[int]) -> list[Record]:
    return await tx.fetch("select number, seed from epoch where number = any($1::integer[])", numbers)


async def nodes(tx: Tx, ids: Sequence[NodeId]) -> list[Record]:
    return await tx.fetch("select id, key, owner from node where id = any($1::text[]) order by id", ids)


async def envelopes(tx: Tx, ids: Sequence[EnvelopeId]) -> list[bytes]:
    rows = await tx.fetch("select body from envelope where id = any($1::text[]) order by id", ids)
    return [row["body"] for row in rows]


async def earnings(tx: Tx, epoch: int, were: Sequence[int], after: int) -> list[Record]:
    """New ones (numbered above `after`), those that `were` not final, and those judged in the epoch; all not final."""
    return await tx.fetch(
        """
        select earning.id, earning.assignment, campaign, earning.owner, amount, earning.state, reason, fined, kept,
               freed, split_part(task.kind, '+', 1) as kind, assignment.role, assignment.price
          from earning join assignment on assignment.id = earning.assignment join task on task.id = assignment.task
         where earning.id > $3 or earning.id = any($2::bigint[]) or earning.state in ('reserved', 'pending')
            or earning.assignment in (
               select assignment.id from verdict join assignment on assignment.task = verdict.task
                where verdict.epoch = $1)
         order by earning.id
        """,
        epoch,
        were,
        after,
    )


async def links(tx: Tx, epoch: int) -> list[Record]:
    return await tx.fetch("select id, before, hash from batch where epoch = $1 order by id", epoch)


async def transfers(tx: Tx, batch: int) -> tuple[Transfer, ...]:
    rows = await tx.fetch("select event, about, entries from transfer where batch = $1 order by id", batch)
    return tuple(Transfer(row["event"], row["about"], msgspec.json.decode(row["entries"])) for row in rows)


async def accounts(tx: Tx) -> list[Record]:
    return await tx.fetch("select name, balance from account order by name")
