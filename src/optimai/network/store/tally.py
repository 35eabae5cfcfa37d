"""What each node did in each step and earned by it, kept as it happens, so that no page counts every try.

A stage adds what it changed once, at its end and in one order, so that no two wait for each other.
"""

from collections.abc import Sequence

from msgspec import Struct

from optimai.core.ids import AssignmentId
from optimai.network.store.sql import Tx


class Change(Struct, frozen=True, kw_only=True):
    """By how much a verdict or a payment changes what an assignment counts for."""

    assignment: AssignmentId
    results: int = 0
    held: int = 0  # units
    checked: int = 0
    faults: int = 0
    pending: int = 0  # nano-OPI
    available: int = 0  # free, or kept in the bond
    fined: int = 0


async def add(tx: Tx, changes: Sequence[Change]) -> None:
    if not changes:
        return
    await tx.execute(
        """
        insert into tally (step, node, results, held, checked, faults, pending, available, fined)
        select task.step, assignment.node, sum(new.results), sum(new.held), sum(new.checked), sum(new.faults),
               sum(new.pending), sum(new.available), sum(new.fined)
          from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[],
                      $7::bigint[], $8::bigint[])
               as new (assignment, results, held, checked, faults, pending, available, fined)
          join assignment on assignment.id = new.assignment join task on task.id = assignment.task
         group by task.step, assignment.node order by task.step, assignment.node
        on conflict (step, node) do update set
               results = tally.results + excluded.results, held = tally.held + excluded.held,
               checked = tally.checked + excluded.checked, faults = tally.faults + excluded.faults,
               pending = tally.pending + excluded.pending, available = tally.available + excluded.available,
               fined = tally.fined + excluded.fined
        """,
        [one.assignment for one in changes],
        [one.results for one in changes],
        [one.held for one in changes],
        [one.checked for one in changes],
        [one.faults for one in changes],
        [one.pending for one in changes],
        [one.available for one in changes],
        [one.fined for one in changes],
    )
