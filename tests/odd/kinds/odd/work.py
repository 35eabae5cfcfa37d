import asyncio
import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from optimai.kinds.odd.spec import Result, Task

from optimai.core.errors import WrongBytes
from optimai.kinds.kit import Kit


async def work(task: Task, kit: Kit) -> Result:
    return Result(await DOES[task.do](task.argument, kit))


async def echo(what: str, kit: Kit) -> str:
    return what


async def to_print(what: str, kit: Kit) -> str:
    print(what, flush=True)
    os.write(1, b"and by its number")
    return repr(sys.stdin.read())


async def environment(what: str, kit: Kit) -> str:
    return json.dumps(dict(os.environ))


async def limits(what: str, kit: Kit) -> str:
    return json.dumps({name: resource.getrlimit(getattr(resource, name))[0] for name in what.split()})


async def pid(what: str, kit: Kit) -> str:
    return str(os.getpid())


async def sleep(what: str, kit: Kit) -> str:
    await asyncio.sleep(float(what))
    return ""


async def spin(what: str, kit: Kit) -> str:
    """What is named is there once it has begun."""
    Path(what).touch()
    while True:
        pass


async def spin_in_c(what: str, kit: Kit) -> str:
    """The same, and holds the interpreter's lock all the while."""
    Path(what).touch()
    ctypes.PyDLL(None).sleep(60)
    return ""


async def to_raise(what: str, kit: Kit) -> str:
    raise RuntimeError(what)


async def refuse(what: str, kit: Kit) -> str:
    raise WrongBytes(what)


async def die(what: str, kit: Kit) -> str:
    os.kill(os.getpid(), signal.SIGKILL)
    return ""


async def die_once(mark: str, kit: Kit) -> str:
    if not Path(mark).exists():
        Path(mark).touch()
        os.kill(os.getpid(), signal.SIGSEGV)
    return "the second time"


async def memory(megabytes: str, kit: Kit) -> str:
    return str(len(bytearray(int(megabytes) << 20)))


async def child(where: str, kit: Kit) -> str:
    child = await asyncio.create_subprocess_exec("sleep", "60", stdin=subprocess.DEVNULL)
    Path(where).write_text(f"{os.getpid()} {child.pid}")
    await asyncio.sleep(60)
    return ""


async def child_and_die(where: str, kit: Kit) -> str:
    child = await asyncio.create_subprocess_exec("sleep", "60", stdin=subprocess.DEVNULL)
    pids = Path(where)
    pids.write_text(f"{pids.read_text() if pids.exists() else ''}{child.pid}\n")
    return await die(where, kit)


async def scratch(what: str, kit: Kit) -> str:
    (kit.scratch() / "file").write_text("x")
    return str(kit.scratch())


async def scratch_and_die(what: str, kit: Kit) -> str:
    await scratch(what, kit)
    return await die(what, kit)


async def blob(what: str, kit: Kit) -> str:
    return str(len(await kit.read(await kit.write(what.encode() * 10_000))))


async def rest_of_the_lease(what: str, kit: Kit) -> str:
    return str((kit.until - kit.now()).total_seconds())


async def progress(what: str, kit: Kit) -> str:
    kit.progress(1, 2)
    return ""


async def challenges(what: str, kit: Kit) -> str:
    heard = ""
    async for asked in kit.challenges():
        await kit.answer(asked, asked.nonce.hex())
        heard += f"{asked.id} "
    return heard


DOES: dict[str, Callable[[str, Kit], Awaitable[str]]] = {
    one.__name__.removeprefix("to_").replace("_", " "): one
    for one in (
        echo, to_print, environment, limits, pid, sleep, spin, spin_in_c, to_raise, refuse, die, die_once,
        memory, child, child_and_die, scratch, scratch_and_die, blob, rest_of_the_lease, progress, challenges,
    )
}  # fmt: skip
