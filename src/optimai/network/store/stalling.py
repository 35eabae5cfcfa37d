"""Steps that began with other code than their kind has now."""

from collections.abc import Sequence

from msgspec import Struct

from optimai.core.clock import Instant
from optimai.core.ids import CampaignId, StepId
from optimai.network.store.sql import Tx


class Unlike(Struct, frozen=True):
    id: StepId
    path: str
    kind: str
    code: str  # the hash of its kind when it began
    campaign: CampaignId
    name: str  # of the campaign


async def unlike(tx: Tx, code: Sequence[str], limit: int) -> list[Unlike]:
    """Those of running campaigns in which anything is left to do, and whose hash is none of `code`."""
    rows = await tx.fetch(
        """
        select step.id, step.path, step.kind, step.kind_hash, campaign.id as campaign, campaign.name
          from campaign join step on step.campaign = campaign.id
         where campaign.state = 'running' and step.kind_hash <> all($1::text[])
           and (step.state = 'running'
                or exists (select from task where task.step = step.id
                              and (state = 'open' or state = 'closed' and not published)))
         order by step.id limit $2 for update of step skip locked
        """,
        code,
        limit,
    )
    return [Unlike(*row.values()) for row in rows]


async def park_over(tx: Tx, steps: Sequence[StepId], now: Instant) -> int:
    """Of campaigns whose time is over: what waits for a judge, and what was believed and is in no shard.

    What is out with a node comes back first, or its lease ends.
    """
    rows = await tx.fetch(
        """
        update task set state = 'parked', places = 0, again = false, settled = settled and task.state = 'closed'
          from step join campaign on campaign.id = step.campaign
         where step.id = task.step and step.id = any($1::bigint[]) and campaign.ends <= $2
           and (task.state = 'closed' and not published
                or task.state = 'open' and not exists (
                   select from assignment where assignment.task = task.id and assignment.state = 'offered'))
        returning task.id
        """,
        steps,
        now,
    )
    return len(rows)
