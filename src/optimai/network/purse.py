"""Moves earnings and the ledger together, one transfer for each event of a batch.

Whoever changes an earning does it here, so that the sum of earnings in a state and
the balance of its account can never part. `store.money.sums` looks at both.
"""

from collections import defaultdict
from collections.abc import Sequence

from msgspec import Struct

from optimai.core import earning as earnings
from optimai.core import ledger
from optimai.core.assignment import Assignment
from optimai.core.clock import Instant
from optimai.core.conduct import Split
from optimai.core.earning import UNPAID, Earning, State
from optimai.core.ids import AssignmentId, CampaignId, OwnerId, TaskId
from optimai.core.ledger import Account, Transfer
from optimai.core.money import Nano
from optimai.network.store import money, offers, tally
from optimai.network.store.conducts import Ended
from optimai.network.store.offers import Offered
from optimai.network.store.sql import Tx
from optimai.network.store.tally import Change


class Moves:
    """Collects what a batch moves, then posts it as one transfer for each event."""

    def __init__(self) -> None:
        self._entries: dict[str, dict[Account, int]] = defaultdict(lambda: defaultdict(int))
        self._first: dict[str, str] = {}

    def add(self, event: str, about: str, source: Account, target: Account, amount: int) -> None:
        if amount:
            self._first.setdefault(event, about)
            self._entries[event][source] -= amount
            self._entries[event][target] += amount

    def transfers(self) -> list[Transfer]:
        return [
            Transfer(
                event, self._first[event], {name: Nano(amount) for name, amount in entries.items() if amount}
            )
            for event, entries in self._entries.items()
        ]


async def offer(tx: Tx, made: Sequence[Offered], now: Instant) -> dict[tuple[TaskId, OwnerId], AssignmentId]:
    """Write offers, and set aside from escrow what they can cost at most. The first one names them all."""
    moves = Moves()
    for one in made:
        about = f"offers from {made[0].node} {made[0].serial}"
        escrow, held = ledger.escrow(one.campaign), ledger.reserved(one.campaign)
        moves.add("reserve", about, escrow, held, one.price * one.units)
    return await offers.offer(tx, made, moves.transfers(), now)


async def set_aside_again(tx: Tx, late: Sequence[tuple[Assignment, CampaignId, Nano]], now: Instant) -> None:
    """For answers that came late and are welcome: what was set aside for them had gone back to escrow."""
    moves = Moves()
    for one, campaign, amount in late:
        if amount:
            await money.reserve(tx, one.id, campaign, one.owner, amount, now)
        escrow, held = ledger.escrow(campaign), ledger.reserved(campaign)
        moves.add("reserve", f"late answers from {one.id}", escrow, held, amount)
    await money.write(tx, moves.transfers(), now)


async def give_back(tx: Tx, assignments: Sequence[AssignmentId], reason: str, now: Instant) -> None:
    """No result came: what was set aside for these tries returns to escrow."""
    changed = []
    moves = Moves()
    for earning, campaign in (await money.lock_of(tx, assignments)).values():
        if earning.state is not State.RESERVED:
            continue
        held, escrow = ledger.reserved(campaign), ledger.escrow(campaign)
        moves.add("return", f"earnings from {earning.id}", held, escrow, earning.amount)
        changed.append(earnings.void(earning, reason))
    await money.save(tx, changed, now)
    await money.post(tx, moves.transfers(), now)


class Freed(Struct, frozen=True):
    """An earning that becomes available, and what of it does not become its owner's."""

    earning: Earning
    split: Split


async def release(tx: Tx, freed: Sequence[Freed], number: int, now: Instant) -> None:
    """The time to appeal is over: pending becomes available, for good. `number` stands in the order of verdicts."""
    moves = Moves()
    paid: list[Change] = []
    for one in freed:
        earning, split = one.earning, one.split
        paid.append(
            Change(
                assignment=earning.assignment,
                pending=-earning.amount,
                available=split.free + split.kept,
                fined=split.fined,
            )
        )
        pending, about = ledger.pending(earning.owner), f"earnings from {earning.id}"
        moves.add("release", about, pending, ledger.available(earning.owner), split.free)
        moves.add("keep", about, pending, ledger.bond(earning.owner), split.kept)
        moves.add("fine", about, pending, ledger.POOL, split.fined)
    released = [earnings.release(one.earning, one.split.fined, one.split.kept) for one in freed]
    await money.save(tx, released, now, number)
    await money.post(tx, moves.transfers(), now)
    await tally.add(tx, paid)


async def unbond(tx: Tx, ended: Sequence[Ended], number: int, now: Instant) -> None:
    """What is left of bonds goes back to who leaves, and the rest of them to the pool. `number` names it."""
    moves = Moves()
    for one in ended:
        owner, about = one.key[0], f"bonds that end by {number}"
        moves.add("forfeit", about, ledger.bond(owner), ledger.POOL, one.lost)
        moves.add("unbond", about, ledger.bond(owner), ledger.available(owner), one.returned)
    await money.post(tx, moves.transfers(), now)


Zero = tuple[AssignmentId, CampaignId, OwnerId, str]  # why nothing was earned


class Owed(Struct, frozen=True, kw_only=True):
    """What a verdict says that an assignment is worth now."""

    assignment: AssignmentId
    campaign: CampaignId
    owner: OwnerId
    amount: Nano
    reason: str
    release_at: Instant


async def settle(tx: Tx, owed: Sequence[Owed], now: Instant) -> None:
    """Bring each assignment's earning to what its verdict says. Saying it twice changes nothing.

    A line that is available is final: later verdicts change standing and data, not it.
    A line whose amount changes is voided and written anew, so that both can be read.
    """
    living = await money.lock_of(tx, [one.assignment for one in owed])
    changed: list[Earning] = []
    zeros: list[Zero] = []
    renew: list[Owed] = []
    earned: list[Change] = []
    moves = Moves()
    for one in owed:
        escrow, held = ledger.escrow(one.campaign), ledger.reserved(one.campaign)
        pending = ledger.pending(one.owner)
        earning, _ = living.get(one.assignment, (None, None))
        if earning is None:
            if one.amount:
                renew.append(one)
            else:
                zeros.append((one.assignment, one.campaign, one.owner, one.reason))
        elif earning.state is State.RESERVED:
            about = f"earnings from {earning.id}"
            if one.amount:
                changed.append(earnings.pend(earning, one.amount, one.release_at, one.reason))
                moves.add("earn", about, held, pending, one.amount)
                earned.append(Change(assignment=one.assignment, pending=one.amount))
            else:
                changed.append(earnings.void(earning, one.reason))
            moves.add("return", about, held, escrow, earning.amount - one.amount)
        elif earning.state is State.PENDING and earning.amount != one.amount:
            changed.append(earnings.void(earning, one.reason))
            moves.add("overturn", f"earnings from {earning.id}", pending, escrow, earning.amount)
            earned.append(Change(assignment=one.assignment, pending=-earning.amount))
            if one.amount:
                renew.append(one)
    await money.save(tx, changed, now)
    await money.post(tx, moves.transfers(), now)
    payable, unpaid = await _payable(tx, renew)
    for one in payable:
        await _anew(tx, one, now)
        earned.append(Change(assignment=one.assignment, pending=one.amount))
    zeros += [(one.assignment, one.campaign, one.owner, UNPAID) for one in unpaid]
    await money.zero(tx, zeros, now)
    await tally.add(tx, earned)


async def _payable(tx: Tx, renew: Sequence[Owed]) -> tuple[list[Owed], list[Owed]]:
    """Those for which escrow has enough, and the others: what was returned to it may have been offered since."""
    purses = await money.balances(tx, sorted({ledger.escrow(one.campaign) for one in renew}))
    payable: list[Owed] = []
    unpaid: list[Owed] = []
    for one in renew:
        escrow = ledger.escrow(one.campaign)
        if purses[escrow] < one.amount:
            unpaid.append(one)
        else:
            purses[escrow] = Nano(purses[escrow] - one.amount)
            payable.append(one)
    return payable, unpaid


async def _anew(tx: Tx, one: Owed, now: Instant) -> None:
    """A verdict came late, or changed in somebody's favour: a new line, from escrow."""
    earning = await money.reserve(tx, one.assignment, one.campaign, one.owner, one.amount, now)
    await money.save(tx, [earnings.pend(earning, one.amount, one.release_at, one.reason)], now)
    about, reserved = f"earning {earning.id}", ledger.reserved(one.campaign)
    steps = [
        ledger.move("reserve", about, ledger.escrow(one.campaign), reserved, one.amount),
        ledger.move("earn", about, reserved, ledger.pending(one.owner), one.amount),
    ]
    await money.post(tx, steps, now)
