"""Expire: a lease that ended gives its place to another. The late answer still counts while nobody took it.

Of standing work the place is nobody else's. When its epoch is over, whoever went away is
judged by the challenges that were answered until then; a task of which none was, is given up.
So is a task of which try after try brought nothing: somebody has to look at it.
"""

from collections import Counter

from optimai.core.assignment import State, move
from optimai.core.clock import Instant
from optimai.network import purse
from optimai.network.store import challenges, events, tries
from optimai.network.store.sql import Tx

WHY = "no answer came within the lease"


async def run(tx: Tx, now: Instant, limit: int) -> int:
    """Let at most `limit` tries lapse; then end the standing tasks whose time is over."""
    silent = Instant(now - tx.network.silence)
    lapsed = [move(one, State.LAPSED) for one in await tries.expired(tx, now, silent, limit)]
    if lapsed:
        ids = [one.id for one in lapsed]
        await tries.leave(tx, ids, State.LAPSED, [WHY] * len(ids))
        await purse.give_back(tx, ids, WHY, now)
        await tries.open_places(tx, Counter(one.task for one in lapsed), now)
    given_up = await tries.give_up(tx)
    for one in given_up:
        title = f"Gave up task {one.task} of {one.step}"
        why = f"{one.failed} tries brought nothing. The last one said: {one.why.rstrip('.')}."
        await events.tell(tx, "bad", title, why, one.campaign, now)
    over = await challenges.lock_over(tx, now)
    await challenges.end(tx, over, now)
    return len(lapsed) + len(given_up) + len(over)
