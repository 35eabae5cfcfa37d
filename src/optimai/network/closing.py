"""Closing: nobody waits for later audits that do not come.

Work that nobody looked at is paid out after three later audits of its owner that were clean. Where its step is sealed
and there were not so many, three of all that waits are drawn by the epoch's seed and audited, and stand for the others.
"""

from optimai.core import conduct
from optimai.core.chance import draw
from optimai.core.clock import Instant
from optimai.network.store import epochs, judging, money
from optimai.network.store.sql import Tx


async def run(tx: Tx, now: Instant, limit: int) -> int:
    """Of at most `limit` owners."""
    epoch = await epochs.current(tx)
    terms = epoch.protocol.again
    waiting = [] if epoch.closing else await money.waiting(tx, now, terms.clear, limit)
    for one in waiting:
        many, rate = conduct.closing(len(one.tasks), terms)
        drawn = sorted(one.tasks, key=lambda task: draw(epoch.seed, "closing", task))[:many]
        await judging.look_again(tx, drawn, rate, epoch.number)
    return len(waiting)
