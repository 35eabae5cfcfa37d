"""What settle reads: tasks that were judged or parked, and whose money has not moved yet."""

from collections.abc import Sequence

from optimai.core.ids import AssignmentId, TaskId
from optimai.network.store.sql import Record, Tx


async def lock_unsettled(tx: Tx, limit: int) -> list[TaskId]:
    """Marks them settled in this very transaction: it moves their money, or nothing happened."""
    rows = await tx.fetch(
        """
        update task set settled = true where id in (
               select id from task where not settled order by id limit $1
                  for update skip locked)
        returning id
        """,
        limit,
    )
    return sorted(row["id"] for row in rows)


async def judged(tx: Tx, tasks: Sequence[TaskId]) -> list[Record]:
    return await tx.fetch(
        """
        select assignment.id, assignment.owner, assignment.held, assignment.price, quality, assignment.why,
               trusted,
               step.campaign, step.appeal, verdict.at as judged, verdict.reason
          from assignment
          join task on task.id = assignment.task
          join step on step.id = task.step
          join verdict on verdict.id = task.verdict
         where task.id = any($1::bigint[]) and assignment.state in ('accepted', 'rejected')
         order by assignment.id
        """,
        tasks,
    )


async def unjudged(tx: Tx, tasks: Sequence[TaskId]) -> list[AssignmentId]:
    """Tries that came back to tasks that were parked, of which no verdict speaks."""
    rows = await tx.fetch(
        """
        select assignment.id from assignment join task on task.id = assignment.task
         where task.id = any($1::bigint[]) and task.state = 'parked' and assignment.state = 'returned'
         order by assignment.id
        """,
        tasks,
    )
    return [row["id"] for row in rows]
