"""Owners who leave: since when, what they still wait for, and whose time has come."""

from optimai.core.clock import Instant
from optimai.core.ids import OwnerId
from optimai.network.store.sql import Tx

_WAITS = """
    select assignment.id from assignment
     where assignment.owner = {owner}
       and (assignment.state = 'returned'
            or assignment.state = 'accepted'
               and exists (select from earning where earning.assignment = assignment.id and state = 'pending'))
"""


async def wish(tx: Tx, owner: OwnerId, now: Instant) -> None:
    await tx.execute(
        "insert into leaving (owner, asked) values ($1, $2) on conflict (owner) do nothing", owner, now
    )


async def stay(tx: Tx, owner: OwnerId) -> None:
    await tx.execute("delete from leaving where owner = $1", owner)


async def waiting(tx: Tx, owner: OwnerId) -> int:
    """Results of theirs without a verdict, and lines of pay that are not free yet."""
    return int(await tx.fetchval(f"select count(*) from ({_WAITS.format(owner='$1')}) as waits", owner))


async def ready(tx: Tx, limit: int) -> list[OwnerId]:
    """Owners who wait for nothing, and for whom there is something left to end."""
    rows = await tx.fetch(
        f"""
        select owner from leaving
         where exists (select from conduct where conduct.owner = leaving.owner and state <> 'suspended')
           and not exists ({_WAITS.format(owner="leaving.owner")})
         order by asked limit $1
        """,
        limit,
    )
    return [row["owner"] for row in rows]
