"""Owners, nodes, and the serials of their exchanges."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from msgspec import Struct

from optimai.core.clock import Instant
from optimai.core.ids import EnvelopeId, NodeId, OwnerId
from optimai.network.store.sql import Record, Tx
from optimai.wire.exchange import Enrol

ALIVE = timedelta(minutes=2)  # a node not seen for longer counts as gone


class Known(Struct, frozen=True):
    node: NodeId
    owner: OwnerId
    key: bytes
    hands: str


class Fence(Struct, frozen=True):
    """What a node's exchange wants to write: only a higher serial passes."""

    node: NodeId
    serial: int
    envelope: EnvelopeId
    kinds: tuple[str, ...]
    address: str


async def known(tx: Tx, nodes: Sequence[NodeId]) -> dict[NodeId, Known]:
    rows = await tx.fetch("select id, owner, key, hands from node where id = any($1::text[])", nodes)
    return {row["id"]: Known(row["id"], row["owner"], row["key"], row["hands"]) for row in rows}


class Fresh(Struct, frozen=True):
    """What is known of a node whose exchange passed the fence."""

    barred: frozenset[str]  # kinds for which its owner is suspended,
    no_audits: frozenset[str]  # and those that he may not audit
    leaving: bool  # he is offered nothing
    challenged: bool  # a challenge waits for its answer


async def advance(tx: Tx, fences: Sequence[Fence], now: Instant) -> dict[NodeId, Fresh]:
    """Those that had a serial higher than any before; theirs is written, the others' not."""
    rows = await tx.fetch(
        """
        update node set serial = new.serial, envelope = new.envelope, address = new.address, seen = $6,
               kinds = string_to_array(new.kinds, ' ')
          from unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[])
               as new (id, serial, envelope, kinds, address)
         where node.id = new.id and node.serial < new.serial
        returning node.id,
                  array(select kind from conduct
                         where conduct.owner = node.owner and suspended is not null and role = 'answer') as barred,
                  array(select kind from conduct
                         where conduct.owner = node.owner and suspended is not null and role = 'audit') as no_audits,
                  exists (select from leaving where leaving.owner = node.owner) as leaving,
                  exists (select from challenge where challenge.node = node.id and answer is null) as challenged
        """,
        [one.node for one in fences],
        [one.serial for one in fences],
        [one.envelope for one in fences],
        [" ".join(one.kinds) for one in fences],
        [one.address for one in fences],
        now,
    )
    return {
        row["id"]: Fresh(
            frozenset(row["barred"]), frozenset(row["no_audits"]), row["leaving"], row["challenged"]
        )
        for row in rows
    }


async def seen(tx: Tx, nodes: Sequence[NodeId], now: Instant) -> None:
    """They exchange, and have nothing to say: the simulator's nodes, all of them at once."""
    await tx.execute("update node set seen = $1 where id = any($2::text[])", now, nodes)


async def last(tx: Tx, nodes: Sequence[NodeId]) -> dict[NodeId, tuple[int, str | None]]:
    """Serial and envelope of each node's last exchange."""
    rows = await tx.fetch("select id, serial, envelope from node where id = any($1::text[])", nodes)
    return {row["id"]: (row["serial"], row["envelope"]) for row in rows}


async def enrol(tx: Tx, enrol: Enrol, owner: OwnerId, node: NodeId, now: Instant) -> Record:
    """The node's row: a new one, or the one it has had since it first joined. Names are made unique."""
    await tx.execute(
        "insert into owner (id, key, since) values ($1, $2, $3) on conflict (id) do nothing",
        owner,
        enrol.owner_key,
        now,
    )
    rows = await tx.fetch(
        """
        insert into node (id, key, owner, name, hands, simulated, cores, memory_mb, joined, seen)
        values ($1, $2, $3,
                case when exists (select from node where name = $4 and id <> $1)
                     then $4 || '-' || left($1, 6) else $4 end,
                $5, $6, $7, $8, $9, $9)
        on conflict (id) do update set seen = excluded.seen
        returning name, serial, owner
        """,
        node,
        enrol.node_key,
        owner,
        enrol.name,
        enrol.hands,
        enrol.simulated,
        enrol.cores,
        enrol.memory_mb,
        now,
    )
    return rows[0]


async def able(
    tx: Tx, kinds: Sequence[str], now: Instant, most: int = 50
) -> Mapping[str, frozenset[OwnerId]]:
    """For each kind, at most `most` owners who could be asked now: alive, able, not suspended."""
    rows = await tx.fetch(
        """
        select wanted.kind, found.owner
          from unnest($1::text[]) as wanted (kind)
         cross join lateral (
               select distinct node.owner from node
                where node.seen > $2 and wanted.kind = any(node.kinds)
                  and not exists (select from conduct
                                   where conduct.owner = node.owner and suspended is not null
                                     and conduct.kind = split_part(wanted.kind, '+', 1))
                limit $3) as found
        """,
        kinds,
        now - ALIVE,
        most,
    )
    found: dict[str, set[OwnerId]] = {kind: set() for kind in kinds}
    for row in rows:
        found[row["kind"]].add(row["owner"])
    return {kind: frozenset(owners) for kind, owners in found.items()}


async def idle(tx: Tx, now: Instant) -> int:
    """How many are here and named no kind that is like ours when they last asked: paused, or with other code."""
    return int(
        await tx.fetchval(
            "select count(*) from node where seen > $1 and serial > 0 and kinds = '{}'", now - ALIVE
        )
    )


async def name_of(tx: Tx, owner: OwnerId) -> str:
    """An owner as people know him: by his nodes."""
    rows = await tx.fetch("select name from node where owner = $1 order by joined limit 3", owner)
    return ", ".join(row["name"] for row in rows) or owner[:8]
