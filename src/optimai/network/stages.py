"""The list of stages: what the coordinator does besides exchanging, in the order of the road.

Each has one form, `async run(tx, now, limit) -> how many`, and one transaction.
They never call each other; the state of a row hands the work over, so any replica may
run any stage, and a crash between two loses nothing. The server and the simulator
drive this same list.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta

from asyncpg import DeadlockDetectedError, SerializationError
from msgspec import Struct

from optimai.core.clock import Instant
from optimai.network import campaigns, challenge, epoch, expire, judge, plan, publish, settle
from optimai.network.store.sql import Database, Tx

LOCKS = 7_100  # advisory lock keys: this and the stage's place


class Stage(Struct, frozen=True):
    name: str
    run: Callable[[Tx, Instant, int], Awaitable[int]]
    every: timedelta  # how often to look when there was nothing
    limit: int
    alone: bool = False  # one replica at a time
    snapshot: bool = False  # all its reads see one moment


_OFTEN = timedelta(milliseconds=200)
_SECOND = timedelta(seconds=1)

STAGES = (
    Stage("epoch", epoch.run, _SECOND, 1, alone=True, snapshot=True),
    Stage("expire", expire.run, _SECOND, 500),
    Stage("plan", plan.run, _OFTEN, 20),
    Stage("challenge", challenge.run, _SECOND, 500, alone=True),
    Stage("judge", judge.run, _OFTEN, 200, alone=True),
    Stage("settle", settle.run, _OFTEN, 500),
    Stage("release", settle.release, _SECOND, 500),
    Stage("publish", publish.run, _OFTEN, 10),
    Stage("seal", publish.seal, _OFTEN, 10),
    Stage("dataset", campaigns.run, _SECOND, 5),
    Stage("end", campaigns.end, _SECOND, 20),
)


async def run(database: Database, stage: Stage) -> int:
    """One transaction of a stage; 0 where another replica has its lock."""
    try:
        async with database.begin(snapshot=stage.snapshot) as (tx, now):
            lock = LOCKS + STAGES.index(stage)
            if stage.alone and not await tx.fetchval("select pg_try_advisory_xact_lock($1)", lock):
                return 0
            return await stage.run(tx, now, stage.limit)
    except (SerializationError, DeadlockDetectedError):
        return 0  # somebody else was faster; whatever is left is found at the next look
