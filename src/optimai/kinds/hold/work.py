"""Keeps shards in the worker's scratch folder, and proves them for as long as the epoch runs."""

import asyncio
from collections.abc import Set
from contextlib import suppress
from pathlib import Path

from blake3 import blake3

from optimai.kinds.hold.spec import Result, Task
from optimai.kinds.kit import Asked, Kit


async def work(task: Task, kit: Kit) -> Result:
    """What an earlier epoch's task left in scratch is not fetched again, unless others hold it now."""
    _let_go(kit.scratch(), {shard.blob for shard in task.shards})
    for done, shard in enumerate(task.shards, 1):
        await kit.keep(shard.blob)
        kit.progress(done, len(task.shards))
    left = (task.until - kit.now()).total_seconds()
    with suppress(TimeoutError):
        async with asyncio.timeout(left):
            async for asked in kit.challenges():
                await kit.answer(asked, _prove(await kit.keep(asked.blob), asked))
    return Result(held=len(task.shards))


def _let_go(folder: Path, held: Set[str]) -> None:
    for path in folder.iterdir():
        if path.name not in held:
            path.unlink()


def _prove(kept: Path, asked: Asked) -> str:
    with kept.open("rb") as held:
        held.seek(asked.start)
        return blake3(asked.nonce + held.read(asked.length)).hexdigest()
