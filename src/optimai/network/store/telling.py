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
        select node.name,
               count(assignment.envelope) as results,
               coalesce(sum(assignment.units) filter (where assignment.envelope is not null), 0)::bigint as done,
               coalesce(sum(assignment.held), 0)::bigint as accepted,
               array(select kind from standing where standing.owner = node.owner and suspended is not null
                      order by kind) as suspended,
               (select coalesce(sum(amount), 0) from earning join assignment as its on its.id = earning.assignment
                 where its.node = node.id and earning.state in ('pending', 'available'))::bigint as earned,
               (select earning.reason from earning join assignment as its on its.id = earning.assignment
                 where its.node = node.id and earning.state = 'void' order by earning.id desc limit 1) as why
          from node left join assignment on assignment.node = node.id
         group by node.id order by node.joined, node.name
        """
    )


async def rows(tx: Tx, name: str, number: int) -> int:
    return int(
        await tx.fetchval("select rows from version where name = $1 and number = $2", name, number) or 0
    )


async def replaced(tx: Tx) -> int:
    """Tries without an answer whose task somebody else answered."""
    return int(
        await tx.fetchval(
            """
            select count(*) from assignment as gone
             where gone.state in ('lapsed', 'offered')
               and exists (select from assignment as other where other.task = gone.task
                              and other.id > gone.id and other.state = 'accepted')
            """
        )
    )


async def overturned(tx: Tx) -> int:
    return int(await tx.fetchval("select count(*) from transfer where event = 'overturn'"))


async def detached(tx: Tx) -> int:
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
