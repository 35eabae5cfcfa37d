"""The agent: talks with the coordinator for ever, and has its hands do what is offered.

What to do next is decided in `agenda`, what must survive is in `outbox`; here is what
moves. One task of asyncio waits for events and carries out instructions; each exchange
and each piece of work is a task of its own that reports back with an event.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Mapping
from contextlib import suppress

from msgspec import Raw, Struct
from msgspec.structs import replace

from optimai.core.errors import OptimaiError
from optimai.core.ids import AssignmentId
from optimai.kinds.catalog import Loaded
from optimai.node import agenda
from optimai.node.clock import Clock
from optimai.node.doubt import Doubts
from optimai.node.exchange import Enrol, Identity, exchange
from optimai.node.hands import Declined, Hands, Outcome, Unable, kind_of
from optimai.node.home import Running, Status
from optimai.node.link import Link
from optimai.node.outbox import MOST_BYTES, Outbox
from optimai.wire.exchange import Ask, Asked, Done, Met, Offer

WATCH = 0.2  # seconds between two looks at whether to pause or to end
FAREWELL = 2.0  # seconds for the last exchange

log = logging.getLogger(__name__)


class Parts(Struct, frozen=True, kw_only=True):
    """What an agent is put together from."""

    name: str
    me: Identity
    link: Link
    enrol: Enrol
    outbox: Outbox
    hands: Hands
    kinds: Mapping[str, Loaded]  # that it takes on
    broken: Mapping[str, str]  # that can't be done here, and why
    engine: bool
    slots: int
    clock: Clock
    chance: Callable[[], float]
    paused: Callable[[], bool]
    tell: Callable[[Status], None]


class Agent:
    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        kinds = {name: loaded.kind for name, loaded in parts.kinds.items()}
        self._agenda = agenda.Agenda(kinds, parts.slots, parts.chance)
        self._events: asyncio.Queue[agenda.Event] = asyncio.Queue()
        self._tasks: dict[AssignmentId, asyncio.Task[None]] = {}
        self._lines: dict[AssignmentId, _Line] = {}
        self._stopped: dict[AssignmentId, bool] = {}  # and whether it is kept, to go on later
        self._doubts = Doubts()
        self._doubts.unable.update(parts.broken)
        self._patience: asyncio.Timeout | None = None  # of the exchange that is under way
        self._told = 0.0
        self._status = Status(at=parts.clock(), pid=os.getpid(), name=parts.name, paused=False)

    async def run(self, leave: asyncio.Event) -> None:
        """Until `leave` is set; then it hands back what it holds, says so, and ends within a few seconds."""
        try:
            async with asyncio.TaskGroup() as self._group:
                await self._live(leave)
        finally:
            await self.parts.hands.close()
            self._tell()

    async def _live(self, leave: asyncio.Event) -> None:
        self._look()
        before = self.parts.outbox.in_hand()
        self._handle(agenda.Began(tuple(before), unsent=self.parts.outbox.counts().unsent > 0))
        while not self._agenda.done:
            if leave.is_set() and not self._agenda.leaving:
                self._leave()
            self._look()
            self._handle(await self._event())
            self._tell(every=1.0)

    def _leave(self) -> None:
        if self._patience:
            self._patience.reschedule(asyncio.get_running_loop().time() + FAREWELL)
        self._handle(agenda.Leaving())

    async def _event(self) -> agenda.Event:
        """The next one; a Tick when it is time for something, and to have a look around."""
        left = min(WATCH, self._agenda.wake_at - asyncio.get_running_loop().time())
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, left)):
                return await self._events.get()
        return agenda.Tick()

    def _look(self) -> None:
        paused = self.parts.paused()
        if paused != self._agenda.paused:
            log.info("paused" if paused else "resumed")
            self._handle(agenda.Paused() if paused else agenda.Resumed())

    def _handle(self, event: agenda.Event) -> None:
        for instruction in self._agenda.handle(event, asyncio.get_running_loop().time()):
            match instruction:
                case agenda.Talk(room, work):
                    self._group.create_task(self._talk(room, work))
                case agenda.Run(offer):
                    line = self._lines[offer.assignment] = _Line(offer, self)
                    self._tasks[offer.assignment] = self._group.create_task(self._work(offer, line))
                case agenda.Stop(assignment, keep):
                    if task := self._tasks.get(assignment):
                        self._stopped[assignment] = keep
                        # Not before its first step: cancelled before that, it never says how it ended.
                        asyncio.get_running_loop().call_soon(task.cancel)
                case agenda.Decline(assignment):
                    self._finish(assignment, Declined(self._why_not()))
                case agenda.Rest():
                    self._group.create_task(self.parts.hands.close())

    async def _talk(self, room: int, work: bool) -> None:
        kinds = {name: one.hash for name, one in self.parts.kinds.items() if work and self._takes(name)}
        ask = Ask(room=room if kinds else 0, kinds=kinds, engine=self.parts.engine and work)
        parts = self.parts
        try:
            async with asyncio.timeout(FAREWELL if self._agenda.leaving else None) as self._patience:
                came = await exchange(parts.me, parts.link, parts.outbox, ask, parts.clock, parts.enrol)
        except (OptimaiError, TimeoutError) as fault:
            trouble = str(fault) or "The coordinator does not answer in time."
            if trouble != self._status.trouble:
                log.warning("%s", trouble)
            self._status = replace(self._status, trouble=trouble)
            self._events.put_nowait(agenda.Failed())
            return
        finally:
            self._patience = None
        self._status = replace(self._status, trouble="", heard=parts.clock())
        for refusal in came.reply.refused:
            log.warning("the result of assignment %s was refused: %s", refusal.assignment, refusal.message)
        self._ask(came.reply.challenges)
        self._events.put_nowait(agenda.Replied(came.offers, came.reply.wait, came.more))

    def _ask(self, challenges: tuple[Asked, ...]) -> None:
        """The coordinator repeats a challenge until it is answered; a task hears it once."""
        answered = self.parts.outbox.answered() if challenges else ()
        for asked in challenges:
            line = self._lines.get(asked.assignment)
            if line and asked.id not in answered:
                line.ask(asked)

    async def _work(self, offer: Offer, line: "_Line") -> None:
        """Does a task; whatever happens to it, its end is in the outbox before anybody hears of it."""
        try:
            outcome = await self._outcome(offer, line)
        except asyncio.CancelledError:
            if offer.assignment not in self._stopped:  # the agent itself breaks down: go on after a restart
                raise
            outcome = Declined(self._why_not())
        del self._tasks[offer.assignment], self._lines[offer.assignment]
        undone = self._stopped.pop(offer.assignment, False) and isinstance(outcome, Declined)
        if not undone:
            self._finish(offer.assignment, outcome)
        self._events.put_nowait(agenda.Ended(offer.assignment, undone))

    async def _outcome(self, offer: Offer, line: "_Line") -> Raw | Declined:
        kind = kind_of(offer)
        if kind in self._doubts.unable:
            return Declined(self._doubts.unable[kind])
        outcome = await self._try(offer, line)
        if isinstance(outcome, Raw):
            self._doubts.went_well(kind)
            return outcome
        self._doubts.went_undone(kind, asyncio.get_running_loop().time())
        if isinstance(outcome, Unable):
            self._doubts.unable[kind] = outcome.why
        return Declined(outcome.why)

    async def _try(self, offer: Offer, line: "_Line") -> Outcome:
        """Late work may still count, so it has as long again as its lease was; then it is stopped."""
        lease = (offer.lease_until - self.parts.clock()).total_seconds()
        if lease <= 0:
            return Declined("Its lease was over before the node could begin.")
        try:
            async with asyncio.timeout(2 * lease):
                return await self.parts.hands.do(offer, line)
        except TimeoutError:
            return Declined("It was not done in twice the time of its lease.")
        except Exception as fault:
            log.exception("the hands broke over assignment %s", offer.assignment)
            return Declined(f"The node broke over it ({type(fault).__name__}).")

    def _finish(self, assignment: AssignmentId, outcome: Raw | Declined) -> None:
        if isinstance(outcome, Raw) and len(memoryview(outcome)) > MOST_BYTES:
            outcome = Declined(f"Its result is larger than {MOST_BYTES:,} bytes.")
        if isinstance(outcome, Declined):
            log.warning("assignment %s is handed back: %s", assignment, outcome.why)
            done = Done(assignment, declined=outcome.why)
        else:
            done = Done(assignment, outcome)
        self.parts.outbox.finish(done)

    def _takes(self, kind: str) -> bool:
        return self._doubts.takes(kind, asyncio.get_running_loop().time())

    def _why_not(self) -> str:
        if self._agenda.leaving:
            return "The node is being stopped."
        return "The node is paused." if self._agenda.paused else "The node does not do this kind of work."

    def met(self, met: Met) -> None:
        self.parts.outbox.met(met)
        self._events.put_nowait(agenda.Answered())

    def _tell(self, *, every: float = 0.0) -> None:
        """Says what has changed, at least so many seconds after it last did."""
        now = asyncio.get_running_loop().time()
        if now < self._told + every:
            return
        counts = self.parts.outbox.counts()
        status = replace(
            self._status,
            paused=self._agenda.paused,
            running=tuple(line.running for line in self._lines.values()),
            waiting=counts.in_hand - len(self._lines),
            unsent=counts.unsent,
            taken=counts.taken,
            refused=counts.refused,
            declined=counts.declined,
            unable=dict(self._doubts.unable),
        )
        if status != self._status or now > self._told + 10:
            self._status = replace(status, at=self.parts.clock())
            self._told = now
            self.parts.tell(self._status)


class _Line:
    def __init__(self, offer: Offer, agent: Agent) -> None:
        self._agent = agent
        self._challenges: asyncio.Queue[Asked] = asyncio.Queue()
        self._heard: set[int] = set()
        self.running = Running(
            assignment=offer.assignment,
            kind=kind_of(offer),
            step=offer.step,
            since=agent.parts.clock(),
            lease_until=offer.lease_until,
        )

    def ask(self, asked: Asked) -> None:
        if asked.id not in self._heard:
            self._heard.add(asked.id)
            self._challenges.put_nowait(asked)

    async def asked(self) -> Asked:
        return await self._challenges.get()

    async def met(self, challenge: int, digest: str) -> None:
        self._agent.met(Met(challenge, digest))

    def progress(self, done: int, of: int) -> None:
        self.running = replace(self.running, done=done, of=of)
