"""From a verdict back to what it was made of: the task, the signed results, who was paid."""

from collections.abc import Sequence

from optimai.core.ids import AssignmentId, CampaignId, EnvelopeId, NodeId
from optimai.network.store.sql import Record, Tx


async def verdicts(tx: Tx, campaign: CampaignId, ids: Sequence[int]) -> list[Record]:
    """Each with its task and step; `again` counts the verdicts of the same task that came later."""
    return await tx.fetch(
        """
        select verdict.id, verdict.at, verdict.epoch, verdict.reason, verdict.body,
               task.id as task, task.reads, task.stands = verdict.id as stands,
               step.name as step, step.kind, step.unit, source.name as source,
               epoch.closed is not null as shown,
               (select count(*) from verdict as later
                 where later.task = task.id and later.id > verdict.id) as again
          from verdict
          join task on task.id = verdict.task
          join step on step.id = task.step
          join epoch on epoch.number = verdict.epoch
          left join step as source on source.id = step.source
         where verdict.id = any($2::bigint[]) and step.campaign = $1
        """,
        campaign,
        ids,
    )


async def earnings(tx: Tx, assignments: Sequence[AssignmentId]) -> list[Record]:
    return await tx.fetch(
        """
        select id, assignment, amount, state, reason, release_at, at from earning
         where assignment = any($1::bigint[]) order by id
        """,
        assignments,
    )


async def nodes(tx: Tx, ids: Sequence[NodeId]) -> list[Record]:
    return await tx.fetch("select id, name, simulated from node where id = any($1::text[])", ids)


async def envelopes(tx: Tx, ids: Sequence[EnvelopeId]) -> list[Record]:
    return await tx.fetch("select id, body, at from envelope where id = any($1::text[])", ids)
