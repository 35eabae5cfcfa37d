"""The list of stages: what the coordinator does besides exchanging, in the order of the road.

Each has one form, `async run(tx, now, limit) -> how many`, and one transaction.
They never call each other; the state of a row hands the work over, so any replica may
run any stage, and a crash between two loses nothing. The server and the simulator
drive this same list.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta

from msgspec import Struct

from optimai.core.clock import Instant
from optimai.network import (
    challenge,
    closing,
    dataset,
    end,
    epoch,
    expire,
    judge,
    plan,
    publish,
    release,
    settle,
    stall,
)
from optimai.network.store.sql import Conflict, Database, Tx

LOCKS = {"epoch": 7_100, "challenge": 7_101, "judge": 7_102}  # advisory lock keys


class Stage(Struct, frozen=True):
    name: str
    run: Callable[[Tx, Instant, int], Awaitable[int]]
    every: timedelta  # how often to look when there was nothing
    limit: int
    wakes: tuple[str, ...] = ()  # stages that may find something because this one did
    lock: str = ""  # stages of one lock never run side by side, on any replica
    snapshot: bool = False  # all its reads see one moment


_SECOND = timedelta(seconds=1)
_SELDOM = timedelta(seconds=5)  # what wakes it is known; this only covers other replicas

STAGES = (
    Stage("epoch", epoch.run, _SECOND, 1, ("epoch", "plan", "judge"), "epoch", snapshot=True),
    Stage("expire", expire.run, _SECOND, 500, ("plan", "judge", "seal")),
    Stage("plan", plan.run, _SECOND, 20, ("seal",)),
    Stage("challenge", challenge.run, _SECOND, 500, lock="challenge"),
    Stage("judge", judge.run, _SELDOM, 200, ("settle", "plan", "publish", "seal"), "judge"),
    Stage("settle", settle.run, _SELDOM, 500, ("epoch", "release", "closing", "end")),
    Stage("release", release.run, _SECOND, 500, ("end",), "judge"),  # who is being suspended is not paid
    Stage("closing", closing.run, _SECOND, 50, ("judge",), "judge"),
    Stage("publish", publish.run, _SECOND, 10, ("plan", "seal", "dataset")),
    Stage("seal", publish.seal, _SELDOM, 10, ("plan", "release", "closing", "dataset", "end")),
    Stage("dataset", dataset.run, _SELDOM, 5, ("end",)),
    Stage("stall", stall.run, _SELDOM, 50, ("settle", "seal")),
    Stage("end", end.run, _SECOND, 20, ("judge", "publish", "seal", "stall")),
)
BY_NAME = {stage.name: stage for stage in STAGES}
TAKEN_IN = ("judge",)  # what an exchange wakes when it brought results


async def run(database: Database, stage: Stage) -> int:
    """One transaction of a stage. What waited for its lock sees all that was done under it, and is later."""
    try:
        async with database.begin(LOCKS.get(stage.lock), snapshot=stage.snapshot) as (tx, now):
            return await stage.run(tx, now, stage.limit)
    except Conflict:
        return 0  # somebody else was faster; whatever is left is found at the next look
