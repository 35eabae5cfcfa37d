"""Settle: verdicts become earnings, and earnings become free when the time to appeal is over.

It decides nothing about the work: units that hold, times the price pinned at the
offer; nothing to who was suspended when it was judged, though the rows may stand. What
was pending under an earlier verdict is brought to what the last one says. Of a parked
task there is no verdict: what was set aside for it returns to escrow, and what an
earlier verdict had said of it stands.
"""

from optimai.core.clock import Instant
from optimai.core.money import Nano
from optimai.network import purse
from optimai.network.purse import Owed
from optimai.network.store import money, settling
from optimai.network.store.sql import Tx

SUSPENDED = (
    "its owner is suspended for this kind of work: what was not free yet is not paid, be it right or wrong"
)


async def run(tx: Tx, now: Instant, limit: int) -> int:
    """Settle at most `limit` tasks that were judged, or parked by their judge."""
    tasks = await settling.lock_unsettled(tx, limit)
    owed = [
        Owed(
            assignment=row["id"],
            campaign=row["campaign"],
            owner=row["owner"],
            amount=Nano(row["held"] * row["price"] if row["trusted"] else 0),
            reason=row["why"] or row["reason"] if row["trusted"] or not row["held"] else SUSPENDED,
            release_at=Instant(row["judged"] + row["appeal"]),
        )
        for row in await settling.judged(tx, tasks)
    ]
    await purse.settle(tx, owed, now)
    await purse.give_back(
        tx,
        await settling.unjudged(tx, tasks),
        "its judge broke, or its kind was changed, so the task was never judged",
        now,
    )
    return len(tasks)


async def release(tx: Tx, now: Instant, limit: int) -> int:
    """Free at most `limit` earnings whose time to appeal is over."""
    due = await money.due(tx, now, limit)
    await purse.release(tx, due, now)
    return len(due)
