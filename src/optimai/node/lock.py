"""A folder for one process: the lock goes with the process, however that ends.

The file stays and holds the process id of its last holder; only while it is locked does that mean anything.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from optimai.core.errors import InUse
from optimai.node.clock import wait


@contextmanager
def held(path: Path, what: str, fix: str) -> Iterator[None]:
    """Raises InUse, with the holder's process id, where somebody else has it."""
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if not _lock(file):
            raise InUse(what, f"process {holder(path) or 'that has just ended'}", fix)
        os.truncate(file, 0)
        os.write(file, str(os.getpid()).encode())
        yield
    finally:
        os.close(file)


def holder(path: Path) -> int | None:
    """The process that holds it; 0 for one that has not said its number yet."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return None
    except BlockingIOError:
        return int(path.read_text() or 0)
    return None


def _lock(file: int) -> bool:
    """Tries for a tenth of a second: `holder`, asked elsewhere, holds it for a moment too."""
    for _ in range(5):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            wait(0.02)
        else:
            return True
    return False
