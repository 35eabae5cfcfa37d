"""When something is next due, for whoever drives the stages without looking every second."""

from datetime import timedelta

from optimai.core.clock import Instant
from optimai.network.store.sql import Tx


async def moments(tx: Tx, now: Instant) -> dict[str, Instant]:
    """For each stage that waits for its time, the moment after `now` at which it will find something."""
    row = await tx.fetchrow(
        """
        select (select min(lease_until) from assignment where state = 'offered') as expire,
               (select min(release_at) from earning where state = 'pending' and release_at > $3) as release,
               (select min(release_at) from earning where state = 'pending' and release_at > $3) as closing,
               (select min(suspended) + $4 from conduct where suspended is not null) as begun_again,
               (select closes from epoch where closed is null) as epoch,
               (select min(verdict.at) + $1 from task join verdict on verdict.id = task.stands
                 where task.state = 'closed' and not task.published) as publish,
               (select min(ends) from campaign where state = 'running') as "end",
               (select min(wanted) + $2 from task
                 where state = 'open' and places > 0 and asked > 0
                   and exists (select from assignment
                                where assignment.task = task.id and assignment.state = 'returned')) as judge,
               (select min(challenge_at) from assignment where state = 'offered') as challenge
        """,
        tx.network.seal_after,
        tx.network.patience,
        now,
        timedelta(seconds=tx.network.protocol.away),
    )
    assert row is not None
    moments = dict(row)
    back = moments.pop("begun_again")
    moments["release"] = min((one for one in (moments["release"], back) if one is not None), default=None)
    return {
        stage: Instant(moment) for stage, moment in moments.items() if moment is not None and moment > now
    }
