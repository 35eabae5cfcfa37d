"""Commands that speak with a network: the one named by --url, or your own private one.

Your own need not be running: it is started for the command and stopped after it.
"""

import asyncio
import re
import shlex
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from optimai.cli import running, settings
from optimai.cli.children import Child, Children
from optimai.cli.running import Running
from optimai.client.network import Client
from optimai.core.errors import BadValue, NotFound, NoToken
from optimai.network.identity import Commands
from optimai.node import lock

HOME = "private"  # the folder of `optimai run`'s network, in OPTIMAI_HOME
Url = Annotated[str, Parameter(help="Another network than your own private one; OPTIMAI_TOKEN is for it.")]
Folder = Annotated[Path | None, Parameter(help="A network's folder here (default: OPTIMAI_HOME/private).")]

_NAMED = re.compile(r"https?://[^\s/?#]+/?")

PATIENCE = 30  # seconds until a coordinator that is being started must answer


def own() -> Path:
    return settings.home() / HOME


def named(home: Path | None) -> str:
    """What a printed command needs beside its words to mean this folder; nothing for the usual one."""
    return f" --home {shlex.quote(str(home))}" if home else ""


def program() -> str:
    """What to call this program by, from any folder."""
    here = Path(sys.executable).with_name("optimai")
    named = shutil.which("optimai")
    return "optimai" if named and Path(named) == here else str(here)


def commands(folder: Path, url: str, private: bool) -> Commands:
    """How commands speak with the network of this folder: on this machine; with a public one from anywhere."""
    if not private:
        return Commands(where=f" --url {shlex.quote(url)}")
    usual = folder.resolve() == (settings.usual() / HOME).resolve()
    return Commands(shlex.quote(program()), named(None if usual else folder.resolve()))


@asynccontextmanager
async def network(url: str = "", token: str = "", home: Path | None = None) -> AsyncIterator[Client]:
    """A client of the network at `url`, or of the private one in `home`."""
    if url:
        if not _NAMED.fullmatch(url):
            raise BadValue("the address of a network", url, "--url http://192.168.1.5:8700")
        async with Client(url, token or settings.token()) as client:
            try:
                yield client
            except NoToken:
                raise NoToken(
                    "Set OPTIMAI_TOKEN to the token itself, not to the path of its file: "
                    'OPTIMAI_TOKEN="$(cat FILE)"; `optimai token` makes one.'
                ) from None
        return
    folder = home or own()
    if not (folder / "network.key").exists():
        raise NotFound(
            "network in", folder, "Run a campaign first (`optimai run FILE`), or name one with --url."
        )
    async with AsyncExitStack() as stack:
        here = await answers(folder)
        if here is None:
            stack.enter_context(alone(folder))
            children = await stack.enter_async_context(Children(folder / "logs"))
            here, _ = await start(children, folder)
        yield await stack.enter_async_context(admin(here.url, folder))


def admin(url: str, folder: Path) -> Client:
    """Its operator's client of the network of this folder."""
    return Client(url, (folder / "admin.token").read_text().strip())


def alone(folder: Path) -> AbstractContextManager[None]:
    """For the one command that starts the coordinator of this folder for its own time. Raises InUse."""
    folder.mkdir(parents=True, exist_ok=True)
    fix = "That is another command. Wait until it ends, or give this one a folder of its own with --home."
    return lock.held(folder / "command.lock", f"The network in {folder}", fix)


async def start(children: Children, folder: Path, *more: str, port: int = 0) -> tuple[Running, Child]:
    """Start the coordinator of this folder as a child; what it says of itself once it answers."""
    child = await children.start(
        "coordinator", "optimai", "up", "--home", str(folder), "--port", str(port), *more
    )
    for _ in range(PATIENCE * 20):
        said = running.here(folder)
        if said and said.pid == child.pid:
            return said, child
        if not child.running:
            break
        await asyncio.sleep(0.05)
    raise child.failure()


async def answers(folder: Path) -> Running | None:
    """The coordinator that runs in this folder; one that is just being started is waited for."""
    for _ in range(PATIENCE * 20):
        said = running.here(folder)
        if said or not running.locked(folder):
            return said
        await asyncio.sleep(0.05)
    return None
