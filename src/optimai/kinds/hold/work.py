"""Keeps shards in the worker's scratch folder, and proves them for as long as the epoch runs."""

import asyncio
from collections.abc import Set
from contextlib import suppress
from pathlib import Path

from blake3 import blake3

from optimai.core.ids import BlobId
from optimai.kinds.hold.spec import Result, Task
from optimai.kinds.kit import Asked, Kit


async def work(task: Task, kit: Kit) -> Result:
    """What an earlier epoch's task left in scratch is not fetched again, unless others hold it now."""
    folder = kit.scratch()
    _let_go(folder, {shard.blob for shard in task.shards})
    for done, shard in enumerate(task.shards, 1):
        if not _path(folder, shard.blob).exists():
            _keep(folder, shard.blob, await kit.read(shard.blob))
        kit.progress(done, len(task.shards))
    left = (task.until - kit.now()).total_seconds()
    with suppress(TimeoutError):
        async with asyncio.timeout(left):
            async for asked in kit.challenges():
                await kit.answer(asked, _prove(folder, asked))
    return Result(held=len(task.shards))


def _path(folder: Path, blob: BlobId) -> Path:
    return folder / f"{blob}.held"


def _let_go(folder: Path, held: Set[str]) -> None:
    for path in folder.glob("*.held"):
        if path.stem not in held:
            path.unlink()


def _keep(folder: Path, blob: BlobId, data: bytes) -> None:
    """Under its name only when it is whole: a crash leaves no half of it behind."""
    part = folder / f"{blob}.part"
    part.write_bytes(data)
    part.replace(_path(folder, blob))


def _prove(folder: Path, asked: Asked) -> str:
    with _path(folder, asked.blob).open("rb") as held:
        held.seek(asked.start)
        return blake3(asked.nonce + held.read(asked.length)).hexdigest()
