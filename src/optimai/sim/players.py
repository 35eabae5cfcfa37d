"""Simulated nodes as a process of their own: people who label, and those who cheat.

    python -m optimai.sim.players PLAYERS.json

Each is a node with keys, an outbox and a folder like any other; only its hands are
made up. The file says who plays what, and its first line of output is `ready`.
"""

import asyncio
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from optimai.core.chance import Seed
from optimai.node import join as joining
from optimai.node import life
from optimai.node.hands import Hands
from optimai.node.home import Home
from optimai.node.invite import parse_invite
from optimai.node.life import Place
from optimai.sim import liars, people
from optimai.sim.desk import Desk
from optimai.sim.people import PersonHands
from optimai.sim.site.pages import publish
from optimai.sim.site.state import Site

Habit = Literal["person", "tattler", "copier", "fabricator", "replayer", "slow"]
SEED = Seed(b"players of an example, simulated")


class Player(Struct, frozen=True):
    name: str
    habit: Habit


class Cast(Struct, frozen=True, kw_only=True):
    """Who plays, on which network, and what they know."""

    invite: str
    folder: str
    players: tuple[Player, ...]
    choices: tuple[str, ...] = ()
    knows: str = ""  # JSON lines {"url", "answer"}: what a careful reader would say
    known: str = ""  # JSON lines of the requester's known answers: the leak is wrong there
    pace: float = 0.2  # seconds a person takes for a row
    site: str = ""  # folder of the pages of which a replayer has yesterday's edition
    hosts: Mapping[str, str] = {}  # private hosts that they may fetch from
    slow: float = 5.0  # seconds that the slow one takes longer for each task


class _Line(Struct, frozen=True):
    url: str
    answer: str


def _lines(path: str) -> dict[str, str]:
    if not path:
        return {}
    lines = msgspec.json.Decoder(_Line).decode_lines(Path(path).read_bytes())
    return {line.url: line.answer for line in lines}


class Stage:
    """What the players of one cast share: knowledge, a leak, an archive."""

    def __init__(self, cast: Cast) -> None:
        self.cast = cast
        knows = _lines(cast.knows)
        wrong = {
            url: cast.choices[(cast.choices.index(answer) + 1) % len(cast.choices)]
            for url, answer in _lines(cast.known).items()
        }
        self.leak = liars.Leak(wrong)
        crowd = people.crowd(len(cast.players), knows, cast.choices or ("",), SEED, cast.pace)
        self.persons = dict(zip(cast.players, crowd, strict=True))

    def archive(self) -> dict[str, bytes]:
        """The site as it was before it changed."""
        pages = publish(Path(self.cast.site), len(self.cast.hosts), 80)
        return Site(pages).archive()

    def hands(self, player: Player) -> Callable[[Place], Hands]:
        def person(place: Place) -> Hands:
            return PersonHands(self.persons[player], asyncio.sleep)

        def tattler(place: Place) -> Hands:
            return liars.Tattler(person(place), self.leak)

        def copier(place: Place) -> Hands:
            return liars.Copier(self.leak)

        def fabricator(place: Place) -> Hands:
            return liars.Fabricator(Desk(place), place.clock)

        def replayer(place: Place) -> Hands:
            return liars.Replayer(Desk(place), self.archive(), place.clock)

        def slow(place: Place) -> Hands:
            return liars.Slow(life.workers(place), asyncio.sleep, self.cast.slow)

        return {
            "person": person,
            "tattler": tattler,
            "copier": copier,
            "fabricator": fabricator,
            "replayer": replayer,
            "slow": slow,
        }[player.habit]


KINDS: Mapping[Habit, tuple[str, ...] | None] = {
    "person": ("label",),
    "tattler": ("label",),
    "copier": ("label",),
    "fabricator": ("crawl",),
    "replayer": ("crawl",),
    "slow": None,
}


async def play(cast: Cast, ready: Callable[[], None], leave: asyncio.Event) -> None:
    """All of them, until `leave` is set."""
    stage = Stage(cast)
    homes = []
    for player in cast.players:
        home = Home(Path(cast.folder) / player.name)
        kinds = KINDS[player.habit]
        await joining.join(
            home,
            parse_invite(cast.invite),
            name=player.name,
            cores=1,
            kinds=kinds,
            hosts=cast.hosts,
            hands="person" if kinds == ("label",) else "machine",
            simulated=True,
        )
        homes.append((home, stage.hands(player)))
    ready()
    async with asyncio.TaskGroup() as group:
        for home, hands in homes:
            group.create_task(life.live(home, leave, hands))


async def main(cast: Cast) -> None:
    def ready() -> None:
        sys.stdout.write("ready\n")
        sys.stdout.flush()

    await play(cast, ready, life.until_told())


if __name__ == "__main__":
    asyncio.run(main(msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Cast)))
