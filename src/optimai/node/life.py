"""A node from its folder: what `optimai join` starts, and what a child of `optimai run` is.

    await live(Home(folder), until_told())

Its hands are worker processes, unless others are given: see `hands`.
"""

import asyncio
import logging
import os
import signal
from collections.abc import Callable, Mapping

from msgspec import Struct

from optimai.kinds.catalog import Loaded
from optimai.node import ability, keys
from optimai.node.agent import Agent, Parts
from optimai.node.clock import Clock
from optimai.node.exchange import Identity
from optimai.node.frames import Setting
from optimai.node.hands import Hands
from optimai.node.home import Config, Home
from optimai.node.join import enrol, wish
from optimai.node.kit import sweep
from optimai.node.link import HttpLink
from optimai.node.outbox import Outbox
from optimai.node.workers import Workers

log = logging.getLogger(__name__)


class Place(Struct, frozen=True):
    """Where hands work."""

    home: Home
    config: Config
    kinds: Mapping[str, Loaded]
    clock: Clock  # the network's time


def workers(place: Place) -> Hands:
    setting = Setting(
        url=place.config.url,
        cache=str(place.home.cache),
        cache_mb=place.config.cache_mb,
        scratch=str(place.home.scratch),
        hosts=dict(place.config.hosts),
        memory_mb=0,
        parent=os.getpid(),
    )
    return Workers(setting, place.kinds, place.config.cores, place.clock)


async def live(
    home: Home,
    leave: asyncio.Event,
    hands: Callable[[Place], Hands] = workers,
    ready: Callable[[], None] = lambda: None,
) -> None:
    """Until `leave` is set; `ready` is called once the folder is this agent's own.

    Raises NotFound before it has joined, InUse where an agent runs here already, Exposed.
    """
    config = home.config()
    owner, node = keys.key(home.folder, keys.OWNER), keys.key(home.folder, keys.NODE)
    kinds = ability.kinds_here(config.kinds, config.hands)
    for name, why in kinds.broken.items():
        log.error("%s is not done here: %s", name, why)
    link = HttpLink(config.url)

    async def join_again() -> int:
        return (await enrol(link, wish(config, owner, node), owner, node)).serial

    with home.only_agent():
        ready()
        clock = Clock()
        sweep(home.scratch, clock())
        outbox = Outbox(home.outbox)
        parts = Parts(
            name=config.name,
            me=Identity(config.network, node),
            link=link,
            enrol=join_again,
            outbox=outbox,
            hands=hands(Place(home, config, kinds.able, clock)),
            kinds=kinds.able,
            broken=kinds.broken,
            engine=ability.has_engine(),
            slots=config.cores,
            clock=clock,
            chance=keys.chance,
            paused=home.paused,
            tell=home.tell,
        )
        try:
            await Agent(parts).run(leave)
        finally:
            await link.close()
            outbox.close()


def until_told() -> asyncio.Event:
    """Set at SIGTERM and SIGINT. Call it inside of the loop."""
    leave = asyncio.Event()
    for number in signal.SIGTERM, signal.SIGINT:
        asyncio.get_running_loop().add_signal_handler(number, leave.set)
    return leave
