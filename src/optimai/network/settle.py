"""Settle: verdicts become earnings, and earnings become free when the time to appeal is over.

It decides nothing about the work: units that hold, times the price pinned at the
offer. What was pending under an earlier verdict is brought to what the last one says.
"""

from optimai.core.clock import Instant
from optimai.core.money import Nano
from optimai.network import purse
from optimai.network.purse import Owed
from optimai.network.store import money, settling
from optimai.network.store.sql import Tx


async def run(tx: Tx, now: Instant, limit: int) -> int:
    """Settle at most `limit` tasks with a verdict."""
    tasks = await settling.lock_unsettled(tx, limit)
    owed = [
        Owed(
            assignment=row["id"],
            campaign=row["campaign"],
            owner=row["owner"],
            amount=Nano(row["held"] * row["price"]),
            reason=row["why"] or row["reason"],
            release_at=Instant(row["judged"] + row["appeal"]),
        )
        for row in await settling.judged(tx, tasks)
    ]
    await purse.settle(tx, owed, now)
    return len(tasks)


async def release(tx: Tx, now: Instant, limit: int) -> int:
    """Free at most `limit` earnings whose time to appeal is over."""
    due = await money.due(tx, now, limit)
    await purse.release(tx, due, now)
    return len(due)
