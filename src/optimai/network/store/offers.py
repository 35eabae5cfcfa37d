"""What goes out: tasks that stand open, who has tried them, and offers with what is set aside for them.

Every statement takes the whole batch of exchanges that waited, so the cost of a commit is shared.
"""

from collections.abc import Sequence, Set
from datetime import timedelta

from msgspec import Struct

from optimai.core.assignment import Role
from optimai.core.chance import Ppm
from optimai.core.clock import Instant
from optimai.core.conduct import Conduct
from optimai.core.ids import AssignmentId, CampaignId, NodeId, OwnerId, TaskId
from optimai.core.ledger import Transfer
from optimai.core.matching import Ready
from optimai.core.protocol import Protocol
from optimai.kinds import catalog, consequence
from optimai.network.store.money import columns, posting
from optimai.network.store.sql import Record, Tx
from optimai.network.store.tries import ROLES

MOST_WAITED = (1 << 31) - 1  # milliseconds; by then everybody may take it
REST = timedelta(minutes=1)  # before who declined a task is offered it again


class Work(Struct, frozen=True, kw_only=True):
    """A task that stands open, with what an offer of it says."""

    ready: Ready
    kind: str
    step: str
    body: bytes
    role: Role
    units: int
    price: int
    audit: Ppm  # of the results of who is in standing
    chance: Ppm  # what a guess is right in
    asked: int
    campaign: CampaignId
    purse: int  # what its escrow has; not locked, so the ledger looks again when it is moved
    since: Instant  # it has stood open
    until: Instant | None  # standing work: the end of its epoch

    def quality(self, of: Conduct) -> Ppm:
        """The share of the price that an owner who stands so is paid."""
        return consequence.quality(catalog.load(self.kind), self.chance, self.role, of)

    def rate(self, of: Conduct, protocol: Protocol) -> Ppm:
        """And of his results that are audited."""
        return consequence.rate(protocol, catalog.load(self.kind), self.audit, self.role, of)


class Offered(Struct, frozen=True, kw_only=True):
    task: TaskId
    owner: OwnerId
    node: NodeId
    serial: int
    role: Role
    units: int
    price: int
    quality: Ppm
    rate: Ppm
    campaign: CampaignId
    network: str  # that its node asks from, where that counts
    epoch: int
    waited: timedelta  # so long the task had stood open
    lease_until: Instant
    challenge_at: Instant | None  # standing work: when the stage `challenge` first looks at it


_READY = """
    select task.id, task.kind, task.places, task.pinned, task.body, task.audit, task.role, task.units,
           task.asked, task.until, step.path, step.price, step.audit as rate, step.chance, step.shared,
           step.campaign, task.wanted, account.balance as purse
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
    network: str,
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
                                    where assignment.task = task.id
                                      and (owner = $2 or $7 <> '' and not step.shared and network = $7)
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
        network,
    )
    return [_work(row) for row in rows]


def _work(row: Record) -> Work:
    role = ROLES[row["role"]]
    return Work(
        ready=Ready(
            row["id"],
            row["kind"],
            row["places"],
            row["price"] * row["units"],
            row["campaign"],
            row["pinned"],
            role is Role.AUDIT,
            row["shared"],
        ),
        kind=row["kind"].split("+")[0],
        step=row["path"],
        body=row["audit"] if role is Role.AUDIT else row["body"],
        role=role,
        units=row["units"],
        price=row["price"],
        audit=row["rate"],
        chance=row["chance"],
        asked=row["asked"],
        campaign=row["campaign"],
        purse=row["purse"],
        since=row["wanted"],
        until=row["until"],
    )


async def tried(
    tx: Tx, now: Instant, tasks: Sequence[TaskId], owners: Sequence[OwnerId], networks: Sequence[str]
) -> dict[TaskId, Set[str]]:
    """Which of these owners have a try at a task, or declined it a moment ago; and in which networks anybody has."""
    rows = await tx.fetch(
        """
        select task, array_agg(owner) || array_agg(network) as who from assignment
         where task = any($1::bigint[]) and (owner = any($2::text[]) or network = any($4::text[]))
           and (state not in ('declined', 'lapsed') or state = 'declined' and offered > $3)
         group by task
        """,
        tasks,
        owners,
        now - REST,
        networks,
    )
    return {row["task"]: frozenset(row["who"]) for row in rows}


async def offer(
    tx: Tx, offers: Sequence[Offered], transfers: Sequence[Transfer], now: Instant
) -> dict[tuple[TaskId, OwnerId], AssignmentId]:
    """Write assignments with their earnings, and move what is set aside for them."""
    rows = await tx.fetch(
        f"""
        with new as (
             select * from unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::integer[],
                                  $7::bigint[], $8::bigint[], $9::timestamptz[], $10::timestamptz[], $11::integer[],
                                  $12::integer[], $13::text[], $14::integer[], $15::integer[])
                    as new (task, owner, node, serial, role, units, price, campaign, lease_until, challenge_at, quality,
                            rate, network, epoch, waited)),
        {posting(16)},
        taken as (
             update task set places = places - counted.n, asked = asked + counted.n
               from (select task, count(*)::smallint as n from new group by task) as counted
              where task.id = counted.task),
        made as (
             insert into assignment (task, owner, node, role, state, price, quality, rate, units, network, epoch,
                                     waited, offered, offered_in, lease_until, challenge_at)
             select task, owner, node, role, 'offered', price, quality, rate, units, network, epoch, waited, $16,
                    serial, lease_until, challenge_at from new
             returning id, task, owner, price * units as amount),
        set_aside as (
             insert into earning (assignment, campaign, owner, amount, state, at)
             select made.id, new.campaign, made.owner, made.amount, 'reserved', $16
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
        [one.quality for one in offers],
        [one.rate for one in offers],
        [one.network for one in offers],
        [one.epoch for one in offers],
        [min(MOST_WAITED, one.waited // timedelta(milliseconds=1)) for one in offers],
        now,
        *columns(transfers),
    )
    return {(row["task"], row["owner"]): row["id"] for row in rows}


async def offered_in(tx: Tx, node: NodeId, serial: int) -> list[Record]:
    """What an exchange offered, for the node that never got its reply."""
    return await tx.fetch(
        """
        select assignment.id, split_part(task.kind, '+', 1) as kind, step.path, assignment.role, assignment.units,
               assignment.price, assignment.quality, assignment.rate, assignment.lease_until,
               case when assignment.role = 'audit' then task.audit else task.body end as body
          from assignment join task on task.id = assignment.task join step on step.id = task.step
         where assignment.node = $1 and assignment.state = 'offered' and offered_in = $2
        """,
        node,
        serial,
    )
