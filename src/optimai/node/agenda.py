"""What an agent does next: events in, instructions out. Pure; `now` is in seconds of any steady clock.

A task in hand goes through these phases:

    waiting ──> running ──> (ended)
       ^           │
       │           v
       └─────── stopping ──> (ended)

Only standing work goes back from stopping to waiting: the node keeps it over a pause, for
nobody else can do it, and goes on with it afterwards. Other work is handed back undone
at once, so that another node can have it.

**How much is taken on.** A slot for each core. A kind whose worker may do P tasks at once
(they mostly wait for the network) puts P of its tasks on one slot; standing work takes
none. The node asks for as many tasks as it has free slots; with none free but a place left
on a slot, for one. Should that be of another kind, it waits for a slot, and until it has
one nothing more is asked for. So whatever is taken on starts soon.

**When to talk.** As soon as a result is ready or something was offered and more fits, but
not more often than every GAP; else when the coordinator said that it is worth while. After
a failure later and later, up to LONGEST, and by chance, so that nodes do not come back all
at once.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum

from msgspec import Struct

from optimai.core.ids import AssignmentId
from optimai.kinds.contract import Kind
from optimai.node.hands import kind_of
from optimai.wire.exchange import Offer

GAP = 0.02  # seconds between two exchanges, at least
BEAT = 1.0  # after one that brought work, at most
FIRST = 0.5  # after the first failure at most so long, then twice as long each time,
LONGEST = 30.0  # up to this
MOST_WAIT = 60.0  # whatever the coordinator says
GRACE = 0.8  # what is nearly done when a pause comes may still end


class Phase(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    STOPPING = "stopping"


class Held(Struct):
    offer: Offer
    phase: Phase = Phase.WAITING


# Events


class Began(Struct, frozen=True):
    offers: tuple[Offer, ...]  # in hand since before a restart
    unsent: bool  # there are results from then


class Replied(Struct, frozen=True):
    offers: tuple[Offer, ...]
    wait: float
    more: bool  # results became ready meanwhile


class Failed(Struct, frozen=True):
    """An exchange, for whatever reason."""


class Ended(Struct, frozen=True):
    assignment: AssignmentId
    undone: bool = False  # it was stopped, and nothing was put into the outbox


class Answered(Struct, frozen=True):
    """An answer to a challenge is in the outbox."""


class Paused(Struct, frozen=True): ...


class Resumed(Struct, frozen=True): ...


class Leaving(Struct, frozen=True):
    """The agent is to end: hand back what is in hand, tell the coordinator once, and be done."""


class Tick(Struct, frozen=True): ...


Event = Began | Replied | Failed | Ended | Answered | Paused | Resumed | Leaving | Tick

# Instructions


class Talk(Struct, frozen=True):
    room: int
    work: bool  # whether any would be taken on


class Run(Struct, frozen=True):
    offer: Offer


class Stop(Struct, frozen=True):
    assignment: AssignmentId
    keep: bool  # else it is declined


class Decline(Struct, frozen=True):
    assignment: AssignmentId


class Rest(Struct, frozen=True):
    """Let go of all that is kept warm."""


Instruction = Talk | Run | Stop | Decline | Rest


class Agenda:
    def __init__(self, kinds: Mapping[str, Kind], slots: int, chance: Callable[[], float]) -> None:
        """`kinds` are those that the node does; `chance` gives numbers in [0, 1)."""
        self.kinds = kinds
        self.slots = slots
        self.chance = chance
        self.held: dict[AssignmentId, Held] = {}
        self.paused = False
        self.leaving = False
        self.done = False
        self._heard = False  # before it was, nothing is run: only the coordinator knows whose lease is over
        self._unsent = False
        self._talking = False
        self._failures = 0
        self._next = 0.0  # when to talk
        self._last = 0.0  # when the last talk began
        self._still = 0.0  # when what runs in a pause is stopped
        self._warm = False  # the hands may keep something
        self._last_word = False

    def handle(self, event: Event, now: float) -> list[Instruction]:
        match event:
            case Began():
                self._take_on(event.offers)
                self._unsent = event.unsent
                self._next = now
            case Replied():
                self._talking, self._failures, self._heard = False, 0, True
                self._take_on(event.offers)
                self._unsent |= event.more
                self._next = now + (BEAT if event.offers else min(max(event.wait, GAP), MOST_WAIT))
                if self._unsent:
                    self._soon(now)
            case Failed():
                self._talking, self._unsent = False, True
                most = min(LONGEST, FIRST * 2 ** min(self._failures, 16))
                self._next = now + most * (0.5 + self.chance() / 2)
                self._failures += 1
            case Ended():
                self._end(event, now)
            case Answered():
                self._told(now)
            case Paused():
                self.paused, self._still = True, now + GRACE
            case Resumed():
                self.paused = False
                self._soon(now)
            case Leaving():
                self.leaving, self._still = True, now
            case Tick():
                pass
        out = self._work(now)
        if isinstance(event, Replied) and event.offers and self.room():
            self._soon(now)
        return out + self._talk(now)

    @property
    def wake_at(self) -> float:
        """When to be told Tick, if nothing else happens."""
        times = [] if self._talking or self.done else [self._next]
        if self._quiet and self._still and any(one.phase is Phase.RUNNING for one in self.held.values()):
            times.append(self._still)
        return min(times, default=float("inf"))

    def room(self) -> int:
        """How many tasks more the node would take on now."""
        if self._quiet:
            return 0
        if free := max(0, self.slots - self._load(self.held.values())):
            return free
        tasks = self.held.values()
        place_left = any(count % self.kinds[kind].parallel for kind, count in self._counts(tasks))
        waiting = any(one.phase is Phase.WAITING and not self._standing(one) for one in tasks)
        return int(place_left and not waiting)

    @property
    def _quiet(self) -> bool:
        return self.paused or self.leaving

    def _take_on(self, offers: Iterable[Offer]) -> None:
        for offer in offers:
            self.held.setdefault(offer.assignment, Held(offer))

    def _end(self, event: Ended, now: float) -> None:
        one = self.held.pop(event.assignment)
        if event.undone:
            self.held[event.assignment] = Held(one.offer)
        else:
            self._told(now)

    def _work(self, now: float) -> list[Instruction]:
        out: list[Instruction] = []
        for assignment, one in list(self.held.items()):
            if kind_of(one.offer) not in self.kinds:
                del self.held[assignment]
                out.append(Decline(assignment))
            elif one.phase is Phase.WAITING:
                out += self._start(assignment, one)
            elif one.phase is Phase.RUNNING and self._quiet and (self._standing(one) or now >= self._still):
                one.phase = Phase.STOPPING
                out.append(Stop(assignment, keep=self._standing(one)))
        if any(isinstance(one, Decline) for one in out):
            self._told(now)
        if self._quiet and self._warm and not self._busy():
            self._warm = False
            out.append(Rest())
        return out

    def _start(self, assignment: AssignmentId, one: Held) -> list[Instruction]:
        if self._quiet:
            if self._standing(one):
                return []
            del self.held[assignment]
            return [Decline(assignment)]
        active = [other for other in self.held.values() if other.phase is not Phase.WAITING]
        if not self._heard or not (self._standing(one) or self._load([*active, one]) <= self.slots):
            return []
        one.phase = Phase.RUNNING
        self._warm = True
        return [Run(one.offer)]

    def _talk(self, now: float) -> list[Instruction]:
        if self.leaving and not self._talking and not self._busy():
            self.done = self._last_word or not self._unsent
            self._last_word, self._next = True, now
        if self._talking or now < self._next or self.done:
            return []
        self._talking, self._last, self._unsent = True, now, False
        return [Talk(self.room(), work=not self._quiet)]

    def _told(self, now: float) -> None:
        self._unsent = True
        self._soon(now)

    def _soon(self, now: float) -> None:
        if not self._failures:
            self._next = min(self._next, max(now, self._last + GAP))

    def _busy(self) -> bool:
        return any(one.phase is not Phase.WAITING for one in self.held.values())

    def _standing(self, one: Held) -> bool:
        kind = self.kinds.get(kind_of(one.offer))
        return kind is not None and kind.standing

    def _counts(self, tasks: Iterable[Held]) -> Iterable[tuple[str, int]]:
        """Tasks of each kind, without standing work."""
        known = (kind_of(one.offer) for one in tasks if kind_of(one.offer) in self.kinds)
        return Counter(kind for kind in known if not self.kinds[kind].standing).items()

    def _load(self, tasks: Iterable[Held]) -> int:
        """Slots that these take."""
        return sum(-(-count // self.kinds[kind].parallel) for kind, count in self._counts(tasks))
