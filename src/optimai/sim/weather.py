"""What happens to a simulated network's nodes: they crash, sleep, lose their network, lose a reply.

Every event follows from the world's seed. Nothing here is known to the network: it sees
leases that end, exchanges that come twice, and answers that come late.
"""

from datetime import timedelta

from msgspec import Struct

from optimai.core.clock import Instant
from optimai.sim.world import Node, World


class Climate(Struct, frozen=True, kw_only=True):
    """How often each thing happens to each node, on average, and how long it lasts at most."""

    crash_every: timedelta = timedelta(hours=12)  # with all that it had in hand
    crash_lasts: timedelta = timedelta(hours=2)
    partition_every: timedelta = timedelta(hours=8)  # alive, but nobody hears it
    partition_lasts: timedelta = timedelta(minutes=40)
    lost_replies: int = 50  # one reply in so many never arrives
    broken_commits: int = 200  # one transaction of a stage in so many is rolled back, as by a crash


STEP = timedelta(minutes=10)


class Weather:
    """Call `blow` at each STEP of the world's time."""

    def __init__(self, world: World, climate: Climate) -> None:
        self.world = world
        self.climate = climate
        self.crashes = 0
        self.partitions = 0
        self._back: list[tuple[Instant, Node]] = []
        world.lost_replies = climate.lost_replies
        world.broken_commits = climate.broken_commits

    def blow(self) -> None:
        now = self.world.now
        for at, node in [one for one in self._back if one[0] <= now]:
            self._back.remove((at, node))
            if not node.up:
                self.world.revive(node)
            node.reachable = True
        away = {id(node) for _, node in self._back}
        for node in self.world.nodes:
            if id(node) in away:
                continue
            if self._strikes(self.climate.crash_every):
                self.crashes += 1
                self.world.crash(node)
                self._return(node, self.climate.crash_lasts)
            elif self._strikes(self.climate.partition_every):
                self.partitions += 1
                node.reachable = False
                self._return(node, self.climate.partition_lasts)

    def _strikes(self, every: timedelta) -> bool:
        return self.world.chance(max(1, every // STEP)) == 0

    def _return(self, node: Node, longest: timedelta) -> None:
        away = timedelta(seconds=1 + self.world.chance(int(longest.total_seconds())))
        self._back.append((Instant(self.world.now + away), node))


async def live(world: World, weather: Weather, to: Instant) -> None:
    """Run the world to that moment, with weather."""
    while world.now < to:
        weather.blow()
        await world.run(to=Instant(min(to, world.now + STEP)))
