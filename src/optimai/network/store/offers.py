"""What an exchange reads and writes of tasks and assignments: results in, offers out.

Every statement takes the whole batch of exchanges that waited, so the cost of a
commit is shared. Rows are fenced by their ids alone: with `and state = …` beside the
id the planner may walk the lease index instead.
"""

from collections.abc import Mapping, Sequence, Set
from datetime import timedelta

from msgspec import Struct

from optimai.core.assignment import Assignment, Role, State
from optimai.core.clock import Instant
from optimai.core.ids import AssignmentId, CampaignId, EnvelopeId, NodeId, OwnerId, TaskId, result_id
from optimai.core.ledger import Transfer
from optimai.core.matching import Ready
from optimai.network.store.money import columns, posting
from optimai.network.store.sql import Record, Tx

REST = timedelta(minutes=1)  # before who declined a task is offered it again
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


class Work(Struct, frozen=True, kw_only=True):
    """A task that stands open, with what an offer of it says."""

    ready: Ready
    kind: str
    step: str
    body: bytes
    role: Role
    units: int
    price: int
    asked: int
    campaign: CampaignId
    purse: int  # what its escrow has; not locked, so the ledger looks again when it is moved
    until: Instant | None  # standing work: the end of its epoch


class Late(Struct, frozen=True):
    """A try whose lease is over, and what has become of its place."""

    campaign: CampaignId
    purse: int  # what its escrow has
    cost: int  # nano-OPI to set aside again
    places: int  # that stand open at its task; none where that has its verdict
    busy: bool  # its owner has another try at the task


class Offered(Struct, frozen=True, kw_only=True):
    task: TaskId
    owner: OwnerId
    node: NodeId
    serial: int
    role: Role
    units: int
    price: int
    campaign: CampaignId
    lease_until: Instant
    challenge_at: Instant | None  # standing work: when the stage `challenge` first looks at it


_ROLES = {role.value: role for role in Role}  # an enum's own look-up costs more than all else of a row
_STATES = {state.value: state for state in State}


def _assignment(row: Record) -> Assignment:
    return Assignment(
        id=row["id"],
        task=row["task"],
        owner=row["owner"],
        node=row["node"],
        lease_until=row["lease_until"],
        role=_ROLES[row["role"]],
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


_READY = """
    select task.id, task.kind, task.places, task.pinned, task.body, task.audit, task.role, task.units,
           task.asked, task.until, step.path, step.price, step.campaign, account.balance as purse
"""


async def ready(
    tx: Tx, code: Sequence[str], kinds: Sequence[str], nodes: Sequence[NodeId], most: int
) -> list[Work]:
    """Tasks that want somebody, most urgent first: up to `most` of each kind, and those pinned to these nodes.

    Only of steps that began with `code`, hashes of kinds.
    """
    rows = await tx.fetch(
        _READY
        + """
          from (select open.* from unnest($1::text[]) as wanted (kind)
                 cross join lateral (
                       select task.* from task join step on step.id = task.step
                        where task.kind = wanted.kind and places > 0 and task.state = 'open' and pinned is null
                          and step.kind_hash = any($4::text[])
                        order by rank, task.id limit $3 for update of task skip locked) as open
                 union all
                select * from (select task.* from task join step on step.id = task.step
                                where pinned = any($2::text[]) and places > 0 and task.state = 'open'
                                  and step.kind_hash = any($4::text[])
                                  for update of task skip locked) as pinned) as task
          join step on step.id = task.step
          join account on account.name = 'escrow:' || step.campaign
         order by task.rank, task.id
        """,
        kinds,
        nodes,
        most,
        code,
    )
    return [_work(row) for row in rows]


async def ready_for(
    tx: Tx,
    now: Instant,
    code: Sequence[str],
    kinds: Sequence[str],
    owner: OwnerId,
    poor: Sequence[CampaignId],
    most: int,
) -> list[Work]:
    """The same for one owner who has tried everything at the front, or for whom its campaigns can't pay."""
    rows = await tx.fetch(
        _READY
        + """
          from (select task.* from task join step on step.id = task.step
                 where task.kind = any($1::text[]) and places > 0 and task.state = 'open' and pinned is null
                   and step.campaign <> all($4::bigint[]) and step.kind_hash = any($6::text[])
                   and not exists (select from assignment
                                    where assignment.task = task.id and owner = $2
                                      and (assignment.state not in ('declined', 'lapsed')
                                           or assignment.state = 'declined' and offered > $5))
                 order by rank, task.id limit $3 for update of task skip locked) as task
          join step on step.id = task.step
          join account on account.name = 'escrow:' || step.campaign
         order by task.rank, task.id
        """,
        kinds,
        owner,
        most,
        poor,
        now - REST,
        code,
    )
    return [_work(row) for row in rows]


def _work(row: Record) -> Work:
    role = _ROLES[row["role"]]
    return Work(
        ready=Ready(
            row["id"], row["kind"], row["places"], row["price"] * row["units"], row["campaign"], row["pinned"]
        ),
        kind=row["kind"].split("+")[0],
        step=row["path"],
        body=row["audit"] if role is Role.AUDIT else row["body"],
        role=role,
        units=row["units"],
        price=row["price"],
        asked=row["asked"],
        campaign=row["campaign"],
        purse=row["purse"],
        until=row["until"],
    )


async def tried(
    tx: Tx, now: Instant, tasks: Sequence[TaskId], owners: Sequence[OwnerId]
) -> dict[TaskId, Set[OwnerId]]:
    """Which of these owners have a try at a task, or declined it a moment ago."""
    rows = await tx.fetch(
        """
        select task, array_agg(owner) as owners from assignment
         where task = any($1::bigint[]) and owner = any($2::text[])
           and (state not in ('declined', 'lapsed') or state = 'declined' and offered > $3)
         group by task
        """,
        tasks,
        owners,
        now - REST,
    )
    return {row["task"]: frozenset(row["owners"]) for row in rows}


async def offer(
    tx: Tx, offers: Sequence[Offered], transfers: Sequence[Transfer], now: Instant
) -> dict[tuple[TaskId, OwnerId], AssignmentId]:
    """Write assignments with their earnings, and move what is set aside for them."""
    rows = await tx.fetch(
        f"""
        with new as (
             select * from unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::integer[],
                                  $7::bigint[], $8::bigint[], $9::timestamptz[], $10::timestamptz[])
                    as new (task, owner, node, serial, role, units, price, campaign, lease_until, challenge_at)),
        {posting(11)},
        taken as (
             update task set places = places - counted.n, asked = asked + counted.n
               from (select task, count(*)::smallint as n from new group by task) as counted
              where task.id = counted.task),
        made as (
             insert into assignment (task, owner, node, role, state, price, units, offered, offered_in, lease_until,
                                     challenge_at)
             select task, owner, node, role, 'offered', price, units, $11, serial, lease_until, challenge_at from new
             returning id, task, owner, price * units as amount),
        set_aside as (
             insert into earning (assignment, campaign, owner, amount, state, at)
             select made.id, new.campaign, made.owner, made.amount, 'reserved', $11
               from made join new using (task, owner)
              where made.amount > 0)
        select id, task, owner from made
        """,
        [one.task for one in offers],
        [one.owner for one in offers],
        [one.node for one in offers],
        [one.serial for one in offers],
        [one.role.value for one in offers],
        [one.units for one in offers],
        [one.price for one in offers],
        [one.campaign for one in offers],
        [one.lease_until for one in offers],
        [one.challenge_at for one in offers],
        now,
        *columns(transfers),
    )
    return {(row["task"], row["owner"]): row["id"] for row in rows}


async def offered_in(tx: Tx, node: NodeId, serial: int) -> list[Record]:
    """What an exchange offered, for the node that never got its reply."""
    return await tx.fetch(
        """
        select assignment.id, split_part(task.kind, '+', 1) as kind, step.path, assignment.role, assignment.units,
               assignment.price, assignment.lease_until,
               case when assignment.role = 'audit' then task.audit else task.body end as body
          from assignment join task on task.id = assignment.task join step on step.id = task.step
         where assignment.node = $1 and assignment.state = 'offered' and offered_in = $2
        """,
        node,
        serial,
    )
