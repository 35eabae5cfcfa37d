"""End: a campaign that has nothing more to do gives back what is left of its budget.

When its time is over nothing more is offered; what was answered is judged and paid, and the
dataset is published as far as it came. It ends when every step is sealed and every earning free.
"""

from optimai.core import ledger
from optimai.core.clock import Instant
from optimai.core.ids import CampaignId, OwnerId
from optimai.core.ledger import Transfer
from optimai.network.store import campaigns, money
from optimai.network.store.sql import Tx


async def _left(tx: Tx, number: CampaignId, requester: OwnerId) -> list[Transfer]:
    """What returns to whoever paid, to the last nano."""
    escrow = ledger.escrow(number)
    left = (await money.balances(tx, [escrow]))[escrow]
    if not left:
        return []
    return [ledger.move("expire", f"campaign {number}", escrow, ledger.available(requester), left)]


async def run(tx: Tx, now: Instant, limit: int) -> int:
    """End at most `limit` campaigns that have nothing more to do; stop those whose time is over."""
    stopped = await campaigns.stop_over(tx, now)
    over = await campaigns.lock_over(tx, limit)
    for number, requester, state in over:
        await money.post(tx, await _left(tx, number, requester), now)
        await campaigns.ended(tx, number, state, now)
    return max(len(over), stopped > 0)
