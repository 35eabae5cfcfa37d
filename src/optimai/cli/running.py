"""Which coordinator runs in a folder: what it says of itself there, and the lock that keeps a second one out."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from msgspec import Struct

from optimai.node import lock

SAID = "coordinator.json"
LOCK = "coordinator.lock"


class Running(Struct, frozen=True):
    """What a coordinator says of itself, in its folder, while it runs."""

    pid: int
    url: str
    invite: str


def here(folder: Path) -> Running | None:
    """The coordinator that runs in this folder, once it answers."""
    said = last(folder)
    return said if said and said.pid == lock.holder(folder / LOCK) else None


def last(folder: Path) -> Running | None:
    """The last one that ran there and did not end in order, or the one that runs."""
    path = folder / SAID
    return msgspec.json.decode(path.read_bytes(), type=Running) if path.exists() else None


def locked(folder: Path) -> bool:
    """Whether one runs there, be it that it does not answer yet."""
    return lock.holder(folder / LOCK) is not None


@contextmanager
def only(folder: Path) -> Iterator[None]:
    """Holds the folder for one coordinator. Raises InUse."""
    folder.mkdir(parents=True, exist_ok=True)
    found = here(folder)
    at = f", which answers at {found.url}" if found else ""
    fix = f"That is a coordinator{at}. Stop it, or give this one a folder of its own with --home."
    with lock.held(folder / LOCK, f"The network's folder {folder}", fix):
        yield


def announce(folder: Path, url: str, invite: str) -> None:
    part = folder / f"{SAID}.part"
    part.write_bytes(msgspec.json.encode(Running(os.getpid(), url, invite)))
    part.replace(folder / SAID)


def withdraw(folder: Path) -> None:
    (folder / SAID).unlink(missing_ok=True)
