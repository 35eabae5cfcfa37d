"""What simulated owners do where the protocol leaves them a choice: honest ones, and those who try to gain by lying.

A strategy of one's own is a file with a class that inherits from `Strategy`: `optimai sim` takes it where a scenario
says `strategy = "mine.py:Name"`. It sees what such an owner would see, and nothing else: not who will be audited, nor
who audits him. Chance is `me.chance`, so that a run can be repeated.
"""

from enum import Enum

from msgspec import Struct

from optimai.core.chance import MILLION, Ppm, Seed, happens
from optimai.core.conduct import Conduct, State


class Audit(Enum):
    """How an auditor, or a juror, comes to what he says."""

    LOOK = "does the work again and compares"
    HOLDS = "says that it holds, without a look"
    FALLS = "says that it is wrong, without a look"


class Me(Struct, frozen=True, kw_only=True):
    """What an owner knows when he has to choose."""

    player: int
    friends: frozenset[int]  # players who are in it together; himself too
    at: int  # draws since the beginning
    of: int  # draws that there will be
    conduct: Conduct  # his, in this kind of work
    seed: Seed

    def chance(self, share: float, *about: str | int) -> bool:
        """True in this share of cases; the same for the same case."""
        return happens(self.seed, Ppm(round(share * MILLION)), self.player, self.at, *about)


class Strategy:
    """Honest in everything; whoever is not says where. `share` is a scenario's, for those that have one.

    One object plays all of its owners in all runs: it must keep nothing.
    """

    audits_differ = False  # what it gains is looked for in audits, not in answers
    guesses = False  # what it makes up is right in every second case

    def __init__(self, share: float = 1.0) -> None:
        self.share = share

    def begins(self, of: int) -> int:
        """The draw from which on it does something else than an honest owner."""
        return 0

    def lies(self, me: Me, item: int) -> bool:
        """An answer made up, for a fiftieth of the effort?"""
        return False

    def audit(self, me: Me, whose: int) -> Audit:
        """Of an answer that the player `whose` gave: a juror is asked the same."""
        return Audit.LOOK

    def leaves(self, me: Me) -> bool:
        """Throw the name away, and come again at once under another?"""
        return False


class Honest(Strategy):
    pass


class Fabricator(Strategy):
    """Makes up every answer."""

    def lies(self, me: Me, item: int) -> bool:
        return True


class Lazy(Strategy):
    """Makes up a share of its answers."""

    def lies(self, me: Me, item: int) -> bool:
        return me.chance(self.share, "lie", item)


class Random(Fabricator):
    """Guesses among two, and is right in every second."""

    guesses = True


class Sleeper(Strategy):
    """Honest for the first half, then a fabricator."""

    def begins(self, of: int) -> int:
        return of // 2

    def lies(self, me: Me, item: int) -> bool:
        return me.at >= self.begins(me.of)


class Whitewasher(Fabricator):
    """A fabricator who takes a new name as soon as he is suspended."""

    def leaves(self, me: Me) -> bool:
        return me.conduct.state is State.SUSPENDED


class Swarm(Fabricator):
    """A fabricator who takes a new name whenever its network may have another one, found out or not."""

    def leaves(self, me: Me) -> bool:
        return True


class Bloc(Strategy):
    """Lies in a share of the answers; its members find each other's work right, and that of others honestly."""

    def lies(self, me: Me, item: int) -> bool:
        return me.chance(self.share, "lie", item)

    def audit(self, me: Me, whose: int) -> Audit:
        return Audit.HOLDS if whose in me.friends else Audit.LOOK


class TargetedBloc(Bloc):
    """A bloc that lies about the same fifth of the items, and about nothing else."""

    def lies(self, me: Me, item: int) -> bool:
        return happens(me.seed, Ppm(MILLION // 5), "target", item)


class RubberStamp(Strategy):
    """Answers honestly, and as an auditor finds everything right without a look."""

    audits_differ = True

    def audit(self, me: Me, whose: int) -> Audit:
        return Audit.HOLDS


class Griefer(Strategy):
    """Answers honestly, and as an auditor says that a share of what others did is wrong."""

    audits_differ = True

    def audit(self, me: Me, whose: int) -> Audit:
        return Audit.FALLS if whose not in me.friends and me.chance(self.share, "grief") else Audit.LOOK


BY_NAME: dict[str, type[Strategy]] = {
    "honest": Honest,
    "fabricator": Fabricator,
    "lazy": Lazy,
    "random": Random,
    "sleeper": Sleeper,
    "whitewasher": Whitewasher,
    "swarm": Swarm,
    "bloc": Bloc,
    "targeted-bloc": TargetedBloc,
    "rubber-stamp": RubberStamp,
    "griefer": Griefer,
}
