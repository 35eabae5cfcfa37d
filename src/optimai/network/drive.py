"""Drives the stages in production: each on its own, when something wakes it or its time to look has come.

Waking is a hint inside this process; looking is the truth, so another replica's work is
found too, a little later.
"""

import asyncio
import logging
from collections.abc import Iterable
from contextlib import suppress

from optimai.network import stages
from optimai.network.stages import Stage
from optimai.network.store.sql import Database

AFTER_A_FAULT = 2.0  # seconds

log = logging.getLogger(__name__)


class Driver:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._bells = {stage.name: asyncio.Event() for stage in stages.STAGES}

    def wake(self, names: Iterable[str]) -> None:
        """These stages may find something now."""
        for name in names:
            self._bells[name].set()

    async def forever(self) -> None:
        """All stages, until cancelled. A stage that fails is logged and tried again; the others go on."""
        await stages.run(
            self._database, stages.BY_NAME["epoch"]
        )  # a new network has one before anything else
        async with asyncio.TaskGroup() as group:
            for stage in stages.STAGES:
                group.create_task(self._drive(stage), name=f"stage {stage.name}")

    async def _drive(self, stage: Stage) -> None:
        bell = self._bells[stage.name]
        while True:
            bell.clear()
            try:
                found = await stages.run(self._database, stage)
            except Exception:  # whatever it is, the other stages and the next try must go on
                log.exception("stage %s failed", stage.name)
                await asyncio.sleep(AFTER_A_FAULT)
                continue
            if found:
                self.wake(stage.wakes)
            if found < stage.limit:
                with suppress(TimeoutError):
                    await asyncio.wait_for(bell.wait(), stage.every.total_seconds())
