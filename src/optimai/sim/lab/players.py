"""Simulated owners, what they are known by, and what they have."""

from collections import deque
from collections.abc import Mapping
from typing import Annotated

from blake3 import blake3
from msgspec import Meta, Struct, field
from msgspec.structs import replace

from optimai.core import conduct
from optimai.core.chance import Ppm, Seed, below, happens
from optimai.core.conduct import Conduct, Count, Rate, Share, Some, State, Terms
from optimai.core.money import Nano
from optimai.sim.lab.strategies import Me, Strategy

PRICE = Nano(1_000_000)  # of a unit, in an answer or in an audit; a task is one
LIE = 0.02  # effort of an answer that was made up, and of an audit without a look; an honest one is 1


class Machines(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A simulated network of machines, by numbers."""

    owners: Some = 50
    draws: Annotated[int, Meta(ge=1, le=100_000)] = 300
    appeal: Count = 5  # draws
    away: Count = (
        100  # draws until who was suspended may begin again, or a newcomer of the same network begin
    )
    networks: Some = 1  # that each player has addresses in
    faults: Share = Ppm(5_000)  # of an honest machine's results, and of its looks
    good: Rate = Ppm(750_000)  # the lower bound that is paid whole
    jury: Some = 3
    large: Some = 7  # for who would be suspended
    terms: Terms = conduct.TERMS
    auditing: Terms = conduct.AUDITING


class Name(Struct, eq=False):
    """What an owner is known by. Whoever washes it white has had several."""

    player: int
    conduct: Conduct = Conduct()
    as_auditor: Conduct = Conduct()
    pending: deque["Result"] = field(default_factory=deque)
    clean: int = 0  # audits in which everything held
    free: int = 0  # for answers,
    audit_free: int = 0  # and for audits
    back: int = 0  # the draw in which who is suspended may begin again,
    audit_back: int = 0  # and as an auditor

    def has(self, terms: Terms) -> int:
        pending = sum(line.amount for line in self.pending if not line.void)
        owed = min(pending, self.conduct.owed)
        bond = conduct.returned(replace(self.conduct, owed=Nano(self.conduct.owed - owed)), terms)
        return self.free + pending - owed + bond


class Result(Struct, eq=False):
    item: int
    by: Name
    wrong: bool
    rate: Ppm  # of audits, pinned
    amount: Nano
    at: int
    clean_then: int  # clean audits that its owner had had by then
    audited: bool = False
    asked: bool = False  # to be audited, whatever was drawn
    void: bool = False


class Kept(Struct, frozen=True):
    """What somebody has, and what he did for it."""

    paid: int = 0
    effort: float = 0.0

    def since(self, before: "Kept") -> "Kept":
        return Kept(self.paid - before.paid, self.effort - before.effort)


class Player(Struct, eq=False):
    number: int
    strategy: Strategy
    names: list[Name]  # the last one is his name now
    answering: float = 0.0  # effort
    auditing: float = 0.0
    suspended: int = 0  # how often
    next_name: int = 0  # the draw from which on its network may have another newcomer

    @property
    def name(self) -> Name:
        return self.names[-1]

    def answers(self, terms: Terms) -> Kept:
        """What is free, what is pending as if it held, and the bond of who leaves, less what he owes."""
        return Kept(sum(one.has(terms) for one in self.names), self.answering)

    def audits(self, terms: Terms) -> Kept:
        bonds = sum(conduct.returned(one.as_auditor, terms) for one in self.names)
        return Kept(sum(one.audit_free for one in self.names) + bonds, self.auditing)


class Players(Struct, frozen=True, eq=False):
    """All of them, and chance."""

    rules: Machines
    seed: Seed
    told: Seed  # for what players draw themselves: it says nothing of who is audited
    all: list[Player]
    friends: frozenset[int]
    drawn: list[int]  # one number, which counts what was drawn among equals

    @classmethod
    def of(cls, rules: Machines, strategies: Mapping[int, Strategy], seed: Seed) -> "Players":
        """`strategies` are of those players who are not honest."""
        everybody = [
            Player(number, strategies.get(number, Strategy()), [Name(number)])
            for number in range(rules.owners)
        ]
        return cls(rules, seed, Seed(blake3(seed).digest()), everybody, frozenset(strategies), [0])

    def kept(self) -> list[tuple[Kept, Kept]]:
        """Of each, for answers and for audits."""
        return [(one.answers(self.rules.terms), one.audits(self.rules.auditing)) for one in self.all]

    def chance(self, share: int, *about: str | int) -> bool:
        return happens(self.seed, Ppm(share), *about)

    def below(self, bound: int, about: str) -> int:
        return below(self.seed, bound, about, self.next())

    def next(self) -> int:
        self.drawn[0] += 1
        return self.drawn[0]

    def me(self, player: Player, at: int) -> Me:
        friends = self.friends if player.number in self.friends else frozenset({player.number})
        return Me(
            player=player.number,
            friends=friends,
            at=at,
            of=self.rules.draws,
            conduct=player.name.conduct,
            seed=self.told,
        )

    def others(self, but: list[Player], many: int) -> list[Player]:
        """So many, drawn among those who may work and audit; fewer where there are not so many."""
        able = [one for one in self.all if one not in but and _able(one.name)]
        return [able.pop(self.below(len(able), "others")) for _ in range(min(many, len(able)))]


def _able(name: Name) -> bool:
    return State.SUSPENDED not in (name.conduct.state, name.as_auditor.state)
