"""Settle: verdicts become earnings.

It decides nothing about the work: units that hold, times price and quality as pinned at the
offer; nothing to who was suspended when it was judged, though the rows may stand. What
was pending under an earlier verdict is brought to what the last one says. Of a parked
task there is no verdict: what was set aside for it returns to escrow, and what an
earlier verdict had said of it stands.
"""

from optimai.core.clock import Instant
from optimai.core.money import Nano
from optimai.core.reward import work
from optimai.network import purse
from optimai.network.purse import Owed
from optimai.network.store import settling
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
            amount=work(row["held"], row["price"], row["quality"]) if row["trusted"] else Nano(0),
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
