"""What time it is for a coordinator. Its only clock, and the only module of the network that looks at one."""

import time
from datetime import datetime, timedelta
from typing import Any, Protocol

from optimai.core.clock import Instant

ASK_AGAIN = 10.0  # seconds


class Asked(Protocol):
    async def fetchval(self, sql: str, *args: Any) -> Any: ...


class DatabaseClock:
    """PostgreSQL's, so that replicas agree: asked now and then, and counted on in between.

    To ask in each transaction would be one more round trip in each.
    """

    def __init__(self) -> None:
        self._asked = -ASK_AGAIN
        self._said: datetime

    async def __call__(self, tx: Asked) -> Instant:
        if time.monotonic() - self._asked >= ASK_AGAIN:
            self._said = await tx.fetchval("select clock_timestamp()")
            self._asked = time.monotonic()
        return Instant(self._said + timedelta(seconds=time.monotonic() - self._asked))
