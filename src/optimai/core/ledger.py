"""Double entry: money is never made or lost, it only moves between accounts.

Each event of the road is a transfer with a name; it lists what every account gains
or loses, and the sum is zero. Only `outside` may be below zero: its debt is all the
OPI that came in. Transfers are linked by hash in the order they were settled, so
that nobody can take one out or change one later.

    outside ──> available:R ──> escrow:C ──> reserved:C ──> pending:O ──> available:O ──> outside
         deposit    │      fund   │  │   reserve   │      earn   │      release       withdraw
                    └<── expire ──┘  ├<── return ──┘             │
                                     └<─────── overturn ─────────┘
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


def escrow(campaign: CampaignId) -> Account:
    return Account(f"escrow:{campaign}")


def reserved(campaign: CampaignId) -> Account:
    return Account(f"reserved:{campaign}")


def pending(owner: OwnerId) -> Account:
    return Account(f"pending:{owner}")


def available(owner: OwnerId) -> Account:
    """What a contributor earned and what a requester deposited: one purse, to withdraw or to spend."""
    return Account(f"available:{owner}")


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
