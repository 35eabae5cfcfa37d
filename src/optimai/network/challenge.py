"""Challenge: nodes that are paid for holding bytes are asked for a piece of them, at moments nobody can foresee.

A challenge names a range and a nonce; only who has the bytes then can answer. The
coordinator takes the expected answer from its own copy. An answer that comes in time
and is right is a unit of pay; the standing task's own result earns nothing.
"""

from datetime import timedelta

import msgspec
from blake3 import blake3
from msgspec.structs import replace

from optimai.core.chance import MILLION, Seed, below, draw
from optimai.core.clock import Instant
from optimai.kinds.contract import Shard
from optimai.network.store import challenges, epochs
from optimai.network.store.challenges import Holder, New
from optimai.network.store.sql import Tx

TIME = timedelta(seconds=30)  # to answer in
LONGEST = 64 << 10  # bytes of one range


def _range(holder: Holder, seed: Seed) -> tuple[Shard, int, int]:
    """Every byte held is as likely as any other to be in it."""
    shards = msgspec.json.decode(holder.holds, type=tuple[Shard, ...])
    point = below(seed, sum(shard.bytes for shard in shards), "range", holder.assignment, holder.asked)
    for shard in shards:
        if point < shard.bytes:
            start = max(0, min(point, shard.bytes - LONGEST))
            return shard, start, min(LONGEST, shard.bytes - start)
        point -= shard.bytes
    raise ValueError(f"assignment {holder.assignment} holds nothing")


async def _challenge(tx: Tx, now: Instant, seed: Seed, holder: Holder) -> New:
    shard, start, length = _range(holder, seed)
    nonce = draw(seed, "nonce", holder.assignment, holder.asked).to_bytes(8)
    held = await tx.blobs.get(shard.blob, start, length)
    return New(
        assignment=holder.assignment,
        node=holder.node,
        blob=shard.blob,
        start=start,
        length=length,
        nonce=nonce,
        expected=blake3(nonce + held).hexdigest(),
        due=Instant(now + TIME),
    )


def moment(seed: Seed, holder: Holder) -> Instant | None:
    """Of its next challenge: one in each part of the epoch, around its middle, and nobody knows when."""
    if holder.asked == holder.challenges:
        return None
    part = (holder.until - holder.offered) / (holder.challenges + 1)
    late = below(seed, MILLION, "moment", holder.assignment, holder.asked) / MILLION
    return Instant(holder.offered + part * (holder.asked + 0.5 + late))


async def run(tx: Tx, now: Instant, limit: int) -> int:
    """Look at `limit` whose moment may have come; ask those for whom it has, and note the next moment of each."""
    seed = (await epochs.current(tx)).seed
    asked, waits = [], []
    for holder in await challenges.due(tx, now, limit):
        at = moment(seed, holder)
        if at and at <= now < holder.until:
            asked.append(await _challenge(tx, now, seed, holder))
            at = moment(seed, replace(holder, asked=holder.asked + 1))
        waits.append((holder.assignment, at if now < holder.until else None))
    await challenges.ask(tx, asked, now)
    await challenges.wait(tx, waits)
    return len(waits)
