"""What becomes of assignments: results come in, leases end, places stand open again.

Every statement takes the whole batch of exchanges that waited, so the cost of a
commit is shared. Rows are fenced by their ids alone: with `and state = …` beside the
id the planner may walk the lease index instead.
"""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from optimai.core.assignment import Assignment, Role, State
from optimai.core.clock import Instant
from optimai.core.ids import AssignmentId, CampaignId, EnvelopeId, NodeId, TaskId, result_id
from optimai.network.store.sql import Record, Tx

MOST_FAILED = (
    20  # tries of a task that brought nothing: then it is given up (the index task_failed says 20 too)
)


class GivenUp(Struct, frozen=True):
    task: TaskId
    step: str
    campaign: CampaignId
    failed: int
    why: str  # of the last try


class Evidence(Struct, frozen=True):
    """An envelope that carries something."""

    id: EnvelopeId
    node: NodeId
    serial: int
    body: bytes


class Late(Struct, frozen=True):
    """A try whose lease is over, and what has become of its place."""

    campaign: CampaignId
    purse: int  # what its escrow has
    cost: int  # nano-OPI to set aside again
    places: int  # that stand open at its task; none where that has its verdict
    busy: bool  # its owner has another try at the task


ROLES = {role.value: role for role in Role}  # an enum's own look-up costs more than all else of a row
_STATES = {state.value: state for state in State}


def _assignment(row: Record) -> Assignment:
    return Assignment(
        id=row["id"],
        task=row["task"],
        owner=row["owner"],
        node=row["node"],
        lease_until=row["lease_until"],
        role=ROLES[row["role"]],
        state=_STATES[row["state"]],
        result=result_id(row["envelope"], row["place"]) if row["envelope"] else None,
    )


async def lock(tx: Tx, ids: Sequence[AssignmentId]) -> dict[AssignmentId, Assignment]:
    if not ids:
        return {}
    rows = await tx.fetch(
        """
        select id, task, owner, node, lease_until, role, state, envelope, place
          from assignment where id = any($1::bigint[]) for update
        """,
        ids,
    )
    return {row["id"]: _assignment(row) for row in rows}


async def late(tx: Tx, ids: Sequence[AssignmentId]) -> dict[AssignmentId, Late]:
    """What has become of the places of these lapsed assignments. Their tasks are locked."""
    if not ids:
        return {}
    rows = await tx.fetch(
        """
        select assignment.id, step.campaign, account.balance as purse,
               assignment.price * assignment.units as cost,
               case when task.state = 'open' then task.places else 0 end as places,
               exists (select from assignment as other
                        where other.task = task.id and other.owner = assignment.owner
                          and other.state not in ('declined', 'lapsed')) as busy
          from assignment join task on task.id = assignment.task join step on step.id = task.step
          join account on account.name = 'escrow:' || step.campaign
         where assignment.id = any($1::bigint[]) order by task.id for update of task
        """,
        ids,
    )
    return {
        row["id"]: Late(row["campaign"], row["purse"], row["cost"], row["places"], row["busy"])
        for row in rows
    }


async def returned(
    tx: Tx,
    results: Sequence[tuple[AssignmentId, EnvelopeId, int]],
    evidence: Sequence[Evidence],
    now: Instant,
) -> None:
    """Results, each an envelope and its place there; and the envelopes, for ever."""
    if not evidence:
        return
    await tx.execute(
        """
        with kept as (
             insert into envelope (id, node, serial, body, at)
             select id, node, serial, body, $1
               from unnest($5::text[], $6::text[], $7::bigint[], $8::bytea[]) as new (id, node, serial, body))
        update assignment set state = 'returned', envelope = new.envelope, place = new.place, returned = $1
          from unnest($2::bigint[], $3::text[], $4::smallint[]) as new (id, envelope, place)
         where assignment.id = new.id
        """,
        now,
        [one[0] for one in results],
        [one[1] for one in results],
        [one[2] for one in results],
        [one.id for one in evidence],
        [one.node for one in evidence],
        [one.serial for one in evidence],
        [one.body for one in evidence],
    )


async def leave(tx: Tx, ids: Sequence[AssignmentId], state: State, why: Sequence[str]) -> None:
    """Declined or lapsed: no result, and the place stands open again. The task counts how often that was so."""
    await tx.execute(
        """
        with gone as (
             update assignment set state = $2, why = new.why
               from unnest($1::bigint[], $3::text[]) as new (id, why) where assignment.id = new.id
             returning task)
        update task set failed = failed + counted.n
          from (select task, count(*)::smallint as n from gone group by task) as counted
         where task.id = counted.task
        """,
        ids,
        state.value,
        why,
    )


async def open_places(tx: Tx, change: Mapping[TaskId, int], now: Instant) -> None:
    """Add to the open places of tasks (or take, where negative). A task with a verdict wants nobody."""
    await tx.execute(
        """
        update task set places = places + new.change, wanted = $3
          from unnest($1::bigint[], $2::smallint[]) as new (id, change)
         where task.id = new.id and task.state = 'open'
        """,
        list(change),
        list(change.values()),
        now,
    )


async def give_up(tx: Tx) -> list[GivenUp]:
    """Ask nobody any more for what so many tries brought nothing of; with an answer it is judged, else parked."""
    rows = await tx.fetch(
        f"""
        update task set places = 0,
               state = case when exists (select from assignment where assignment.task = task.id
                                            and assignment.state in ('offered', 'returned', 'accepted'))
                            then 'open' else 'parked' end
          from step
         where step.id = task.step and task.failed >= {MOST_FAILED} and places > 0
           and task.state = 'open' and pinned is null
        returning task.id, step.path, step.campaign, task.failed,
                  (select why from assignment where assignment.task = task.id and assignment.state in
                          ('declined', 'lapsed') order by id desc limit 1) as why
        """
    )
    return [GivenUp(row["id"], row["path"], row["campaign"], row["failed"], row["why"]) for row in rows]


async def expired(tx: Tx, now: Instant, silent: Instant, limit: int) -> list[Assignment]:
    """Offers whose lease ended; and those of machines not heard since `silent`, which must have gone."""
    rows = await tx.fetch(
        """
        select id, task, owner, node, lease_until, role, state, envelope, place from assignment
         where state = 'offered'
           and (lease_until <= $1
                or node = any (array(select id from node
                                      where hands = 'machine' and seen < $2 and seen > $2 - interval '1 hour')))
         order by lease_until limit $3 for update skip locked
        """,
        now,
        silent,
        limit,
    )
    return [_assignment(row) for row in rows]
