"""Expire: a lease that ended gives its place to another. The late answer still counts while nobody took it."""

from collections import Counter

from optimai.core.assignment import State, move
from optimai.core.clock import Instant
from optimai.network import purse
from optimai.network.store import offers
from optimai.network.store.sql import Tx


async def run(tx: Tx, now: Instant, limit: int) -> int:
    over = [
        move(one, State.LAPSED)
        for one in await offers.expired(tx, now, Instant(now - tx.network.silence), limit)
    ]
    if over:
        ids = [one.id for one in over]
        await offers.leave(tx, ids, State.LAPSED, ["no answer came within the lease"] * len(over))
        await purse.give_back(tx, ids, "no answer came within the lease", now)
        await offers.open_places(tx, Counter(one.task for one in over), now)
    return len(over) + await offers.past(tx, now)
