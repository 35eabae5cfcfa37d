"""Double entry: money is never made or lost, it only moves between accounts.

Each event of the road is a transfer with a name; it lists what every account gains
or loses, and the sum is zero. Only `outside` may be below zero: its debt is all the
OPI that came in. Transfers are linked by hash in the order they were settled, so
that nobody can take one out or change one later.

    outside ──> available:R ──> escrow:C ──> reserved:C ──> pending:O ──> available:O ──> outside
         deposit    │      fund   │  │   reserve   │      earn   │ │ │  release     ^    withdraw
                    └<── expire ──┘  ├<── return ──┘             │ │ └──> bond:O ───┘
                                     └<─────── overturn ─────────┘ │  keep │   unbond
                                                                   └──> pool
                                                                   fine, forfeit

The pool is what fines and lost bonds come to; nobody has it.
"""

from collections.abc import Iterable, Mapping
from typing import NewType

import msgspec
from blake3 import blake3
from msgspec import Struct

from optimai.core.ids import CampaignId, OwnerId
from optimai.core.money import Nano

Account = NewType("Account", str)
OUTSIDE = Account("outside")
POOL = Account("pool")


def escrow(campaign: CampaignId) -> Account:
    return Account(f"escrow:{campaign}")


def reserved(campaign: CampaignId) -> Account:
    return Account(f"reserved:{campaign}")


def pending(owner: OwnerId) -> Account:
    return Account(f"pending:{owner}")


def bond(owner: OwnerId) -> Account:
    """The first that he earned, in all kinds of work, until he leaves."""
    return Account(f"bond:{owner}")


def available(owner: OwnerId) -> Account:
    """What a contributor earned and what a requester deposited: one purse, to withdraw or to spend."""
    return Account(f"available:{owner}")


FLOWS = {  # from which accounts each event takes, and to which it gives
    "deposit": ("outside", "available"),
    "withdraw": ("available", "outside"),
    "fund": ("available", "escrow"),
    "expire": ("escrow", "available"),
    "reserve": ("escrow", "reserved"),
    "return": ("reserved", "escrow"),
    "earn": ("reserved", "pending"),
    "overturn": ("pending", "escrow"),
    "release": ("pending", "available"),
    "keep": ("pending", "bond"),
    "fine": ("pending", "pool"),
    "forfeit": ("bond", "pool"),
    "unbond": ("bond", "available"),
}
_SAME = {
    "reserve",
    "return",
    "release",
    "keep",
    "unbond",
}  # what leaves one account of a name arrives in the other of that name


class Transfer(Struct, frozen=True):
    """One event. `about` makes it unique: the same event can't be settled twice."""

    event: str  # the words above
    about: str  # earning:17, campaign:3, …
    entries: Mapping[Account, Nano]  # what each account gains (+) or loses (-)

    def __post_init__(self) -> None:
        if sum(self.entries.values()):
            raise ValueError(f"{self.event} of {self.about} does not add up: {self.entries}")


def move(event: str, about: str, source: Account, target: Account, amount: Nano) -> Transfer:
    if amount <= 0:
        raise ValueError(f"{event} of {about} moves {amount}")
    return Transfer(event, about, {source: Nano(-amount), target: amount})


def flows(transfer: Transfer) -> bool:
    """Does it take and give as its event may? `release` of one owner's pending never becomes another's available."""
    source, target = FLOWS.get(transfer.event, ("", ""))
    taken: dict[str, int] = {}
    given: dict[str, int] = {}
    for account, amount in transfer.entries.items():
        sort, _, name = account.partition(":")
        if sort != (source if amount < 0 else target):
            return False
        (taken if amount < 0 else given)[name] = abs(amount)
    return taken == given if transfer.event in _SAME else True


def together(transfers: Iterable[Transfer]) -> dict[Account, Nano]:
    """What a batch does to each account, so that it is written in one statement."""
    total: dict[Account, Nano] = {}
    for transfer in transfers:
        for account, amount in transfer.entries.items():
            total[account] = Nano(total.get(account, 0) + amount)
    return {account: amount for account, amount in total.items() if amount}


def link(before: str, transfers: Iterable[Transfer]) -> str:
    """The hash that links a batch to the one before: 64 hex digits, over canonical JSON."""
    return blake3(msgspec.json.encode((before, list(transfers)), order="sorted")).hexdigest()
