"""What a run's story is checked against."""

from optimai.network.store.sql import Record, Tx


async def steps(tx: Tx, campaign: str) -> list[Record]:
    """Name, rows in, rows out of each step of the last campaign of that name; rows as its shards have them.

    Standing work makes no rows; what it did are answers that held.
    """
    return await tx.fetch(
        """
        with made as (
             select step.id, step.source, step.position, step.name, step.kind, step.standing,
                    coalesce((select sum((part ->> 'rows')::bigint)
                                from jsonb_array_elements(convert_from(step.version, 'utf8')::jsonb) as part), 0)
                    ::bigint as rows
               from step where step.campaign = (select max(id) from campaign where name = $1))
        select made.name, source.rows as rows_in, made.rows as rows_out,
               case when made.standing then (select coalesce(sum(held), 0) from tally where tally.step = made.id)
                    else 0 end::bigint as answers
          from made join made as source on source.id = made.source
         where made.kind is not null order by made.position
        """,
        campaign,
    )


async def nodes(tx: Tx) -> list[Record]:
    return await tx.fetch(
        """
        select node.name, node.simulated,
               coalesce(array_agg(assignment.id) filter (where assignment.envelope is not null), '{}') as results,
               coalesce(sum(assignment.units) filter (where assignment.envelope is not null), 0)::bigint as done,
               coalesce(sum(assignment.held), 0)::bigint as accepted,
               array(select kind from conduct where conduct.owner = node.owner and suspended is not null
                        and role = 'answer' order by kind) as suspended,
               (select coalesce(sum(amount - fined - kept), 0)
                  from earning join assignment as its on its.id = earning.assignment
                 where its.node = node.id and earning.state in ('pending', 'available'))::bigint as earned,
               (select coalesce(sum(bond), 0) from conduct
                 where conduct.owner = node.owner and state <> 'suspended')::bigint as bond,
               (select earning.reason from earning join assignment as its on its.id = earning.assignment
                 where its.node = node.id and earning.state = 'void' order by earning.id desc limit 1) as why
          from node left join assignment on assignment.node = node.id
         group by node.id order by node.joined, node.name
        """
    )


async def liars(tx: Tx) -> list[Record]:
    """Of each node whose owner is suspended for a kind: what it has of that kind by answers, not audits; what is undue.

    Undue is what was not free yet when its owner was suspended. What was kept in the bond is lost.
    """
    return await tx.fetch(
        """
        select node.name,
               coalesce(sum(amount - fined - kept) filter (where its.role = 'answer'), 0)::bigint as by_answers,
               coalesce(sum(amount - fined - kept) filter (
                  where earning.state = 'pending' or earning.at > conduct.suspended), 0)::bigint as undue
          from earning
          join assignment as its on its.id = earning.assignment
          join node on node.id = its.node
          join task on task.id = its.task
          join conduct on conduct.owner = earning.owner and conduct.kind = split_part(task.kind, '+', 1)
               and conduct.role = 'answer'
         where conduct.suspended is not null and earning.state in ('pending', 'available')
         group by node.name
        """
    )


async def rows(tx: Tx, name: str, number: int) -> int:
    return int(
        await tx.fetchval("select rows from version where name = $1 and number = $2", name, number) or 0
    )


async def left(tx: Tx, name: str) -> Record:
    """How many tasks this node had in hand when it was last heard, and how many of them nobody did in its place.

    Standing work is each node's own, and nobody else's to do.
    """
    row = await tx.fetchrow(
        """
        select count(*) as in_hand,
               count(*) filter (where task.state <> 'closed' or not exists (
                    select from assignment as other
                     where other.task = gone.task and other.node <> gone.node and other.id > gone.id
                       and other.role = gone.role and other.state in ('accepted', 'rejected'))) as undone
          from assignment as gone join node on node.id = gone.node join task on task.id = gone.task
         where node.name = $1 and gone.state in ('offered', 'lapsed') and gone.lease_until > node.seen
           and task.pinned is null
        """,
        name,
    )
    assert row is not None
    return row


async def overturned(tx: Tx) -> int:
    """Tasks of which an early verdict gave something to an owner who is now suspended, and a later one nothing.

    It was pending, for the ledger moved it back to escrow; and nothing of it was ever free.
    """
    return int(
        await tx.fetchval(
            """
            select count(distinct task.id)
              from task
              join verdict as early on early.task = task.id and early.id < task.verdict
              join assignment on assignment.task = task.id
              join conduct on conduct.owner = assignment.owner and conduct.kind = split_part(task.kind, '+', 1)
                   and conduct.role = 'answer'
             where conduct.suspended is not null and assignment.price > 0
               and exists (
                   select from jsonb_array_elements(convert_from(early.body, 'utf8')::jsonb #> '{ruled,found}') as found
                    where (found ->> 'assignment')::bigint = assignment.id and (found ->> 'units')::bigint > 0)
               and exists (select from earning where earning.assignment = assignment.id)
               and not exists (select from earning where earning.assignment = assignment.id and state <> 'void')
               and exists (
                   select from transfer
                    where event = 'overturn' and (entries ->> ('pending:' || assignment.owner))::bigint < 0)
            """
        )
    )


async def verdicts(tx: Tx) -> int:
    return int(await tx.fetchval("select count(*) from verdict"))


async def detached(tx: Tx) -> int:
    """Results that no kept envelope of their node proves."""
    return int(
        await tx.fetchval(
            """
            select count(*) from assignment
             where assignment.state in ('returned', 'accepted', 'rejected')
               and (envelope is not null or not exists (
                    select from task where task.id = assignment.task and challenges > 0))
               and not exists (select from envelope where envelope.id = assignment.envelope
                                  and envelope.node = assignment.node)
            """
        )
    )
