"""Where simulated machines work: a kind's own work, in the agent's process, with any fetch.

So a liar's results have the form of honest ones, links and hashes and all; only what
the web is said to have answered is made up.
"""

import msgspec
from msgspec import Raw

from optimai.core.clock import Instant
from optimai.core.errors import OptimaiError
from optimai.kinds import catalog
from optimai.kinds.kit import Page, Refused
from optimai.node.cache import Cache
from optimai.node.depot import Depot
from optimai.node.fetch import Fetcher
from optimai.node.hands import Declined, Line, kind_of
from optimai.node.kit import Fetch, NodeKit
from optimai.node.life import Place
from optimai.wire.exchange import Offer


class Desk:
    def __init__(self, place: Place) -> None:
        self._place = place
        cache = Cache(place.home.cache, place.config.cache_mb << 20)
        self._depot = Depot(place.config.url, cache, place.clock)
        self._fetcher = Fetcher(place.config.hosts, place.clock)

    async def do(self, offer: Offer, line: Line, fetch: Fetch | None = None) -> Raw | Declined:
        """As a worker does it; where a fetch is given, with that one."""
        kind = catalog.load(kind_of(offer))
        kit = NodeKit(
            offer=offer,
            standing=kind.kind.standing,
            depot=self._depot,
            fetch=fetch or self.fetch,
            scratch=self._place.home.scratch,
            now=self._place.clock,
            line=line,
        )
        try:
            task = msgspec.json.decode(offer.task, type=kind.task)
            result = await catalog.work(kind.kind.name)(task, kit)
        except (OptimaiError, Refused) as fault:
            return Declined(str(fault))
        finally:
            kit.close()
        return Raw(msgspec.json.encode(result))

    async def fetch(self, url: str, *, delay_ms: int = 0, until: Instant | None = None) -> Page:
        """The honest one."""
        return await self._fetcher.fetch(url, delay_ms=delay_ms, until=until)

    async def close(self) -> None:
        await self._depot.close()
        await self._fetcher.close()
