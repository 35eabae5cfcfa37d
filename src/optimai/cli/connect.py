"""Commands that speak with a network: the one named by --url, or your own private one.

Your own need not be running: it is started for the command and stopped after it.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import msgspec

from optimai.cli import settings
from optimai.cli.children import Child, Children
from optimai.client.network import Client
from optimai.core.errors import Internal, NotFound

HOME = "private"  # the folder of `optimai run`'s network, in OPTIMAI_HOME


def own() -> Path:
    return settings.home() / HOME


@asynccontextmanager
async def network(url: str = "", token: str = "", home: Path | None = None) -> AsyncIterator[Client]:
    """A client of the network at `url`, or of the private one in `home`."""
    if url:
        async with Client(url, token or settings.token()) as client:
            yield client
        return
    folder = home or own()
    if not (folder / "network.key").exists():
        raise NotFound(
            "network in", folder, "Run a campaign first (`optimai run FILE`), or name one with --url."
        )
    async with AsyncExitStack() as stack:
        here = running(folder)
        if here is None:
            children = await stack.enter_async_context(Children(folder / "logs"))
            here, _ = await start(children, folder)
        yield await stack.enter_async_context(Client(here, (folder / "admin.token").read_text().strip()))


def running(folder: Path) -> str | None:
    """The URL of the coordinator that runs in this folder."""
    try:
        said = msgspec.json.decode((folder / "coordinator.json").read_bytes())
        os.kill(said["pid"], 0)
    except (FileNotFoundError, ProcessLookupError):
        return None
    return str(said["url"])


async def start(children: Children, folder: Path, *more: str, port: int = 0) -> tuple[str, Child]:
    """Start the coordinator of this folder as a child; its URL once it answers."""
    child = await children.start(
        "coordinator", "optimai", "up", "--home", str(folder), "--port", str(port), *more
    )
    return await answers(child, folder), child


async def answers(child: Child, folder: Path, seconds: float = 30) -> str:
    """The URL of a coordinator that was just started."""
    for _ in range(int(seconds * 20)):
        path = folder / "coordinator.json"
        if path.exists():
            said = msgspec.json.decode(path.read_bytes())
            if said["pid"] == child.pid:
                return str(said["url"])
        if not child.running:
            break
        await asyncio.sleep(0.05)
    raise Internal(f"the coordinator (see {child.log})")
