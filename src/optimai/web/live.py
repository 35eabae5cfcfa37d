"""The page of a running campaign, kept up to date by server-sent events.

Whoever watches is sent the parts whose HTML changed. There is one look a second for all
who watch the same campaign, and a rarer one where looking takes long, so that a page
never costs the network more than a tenth of one connection (or one look in ten seconds). It ends with the campaign.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping

import msgspec
from litestar.response import ServerSentEventMessage
from msgspec import Struct

from optimai.network.queries import Database, campaigns, health, look
from optimai.web import views

EVERY = 1.0  # seconds between looks
SHARE = 10  # a look that takes t is followed by none for at least (SHARE - 1) t …
RAREST = 10.0  # … but for no longer than this many seconds: a loop that was busy makes one look seem long
HEARTBEAT = 15.0  # seconds without a change, after which an event tells that we are still here
Run = tuple[str, int]  # a campaign's name and number; 0: the last of that name
RETRY = 2_000  # milliseconds after which a browser connects again


class Seen(Struct, frozen=True):
    parts: Mapping[str, str]
    over: bool  # the campaign has ended: nothing will change any more
    next: float  # when it is worth looking again, by the loop's clock


class Live:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._seen: dict[Run, Seen] = {}
        self._watchers: dict[Run, int] = {}
        self._looking = asyncio.Lock()

    async def seen(self, one: Run) -> Seen:
        """What the page of that campaign says now, or said at the last look. Raises NotFound."""
        clock = asyncio.get_running_loop().time
        async with self._looking:
            last = self._seen.get(one)
            if last is None or clock() >= last.next:
                begin = clock()
                async with look(self._database) as (tx, now):
                    campaign = await campaigns.named(tx, now, one[0], number=one[1])
                    parts = views.parts(campaign, await health.health(tx, now))
                wait = min(max(EVERY, (clock() - begin) * (SHARE - 1)), RAREST)
                last = Seen(parts, campaign.state != "running", clock() + wait)
                self._seen[one] = last
            return last

    async def follow(self, one: Run) -> AsyncIterator[ServerSentEventMessage]:
        clock = asyncio.get_running_loop().time
        shown: dict[str, str] = {}
        told = clock()
        self._watchers[one] = self._watchers.get(one, 0) + 1
        try:
            while True:
                seen = await self.seen(one)
                changed = {part: html for part, html in seen.parts.items() if shown.get(part) != html}
                if changed:
                    shown |= changed
                    told = clock()
                    yield ServerSentEventMessage(
                        event="parts", data=msgspec.json.encode(changed).decode(), retry=RETRY
                    )
                elif clock() - told > HEARTBEAT:
                    told = clock()
                    yield ServerSentEventMessage(event="here", data="still")
                if seen.over:
                    yield ServerSentEventMessage(event="end", data="over")
                    return
                await asyncio.sleep(max(0.0, seen.next - clock()))
        finally:
            self._watchers[one] -= 1
            if not self._watchers[one]:
                del self._watchers[one]
                self._seen.pop(one, None)
