"""Where the budget of a campaign is. Every coin of it is in exactly one of five places."""

from msgspec import Struct

from optimai.core.clock import Instant
from optimai.core.ids import CampaignId
from optimai.core.money import Nano
from optimai.network.store import watching
from optimai.network.store.sql import Tx


class Money(Struct, frozen=True, kw_only=True):
    budget: Nano
    available: Nano  # paid, and nobody can take it back: free, in the bond of who earned it, or a fine of his
    pending: Nano  # earned; until the time to appeal is over a verdict may still be overturned
    reserved: Nano  # set aside for offered work
    escrow: Nano  # for nothing yet
    returned: Nano  # what was left when the campaign ended
    spent: Nano  # available and pending
    next_free: Instant | None  # when the next pending line becomes available


async def of(tx: Tx, campaign: CampaignId, budget: Nano) -> Money:
    row = await watching.money(tx, campaign)
    return Money(
        budget=budget,
        available=row["available"],
        pending=row["pending"],
        reserved=row["reserved"],
        escrow=row["escrow"],
        returned=row["returned"],
        spent=Nano(row["available"] + row["pending"]),
        next_free=row["next_free"],
    )
