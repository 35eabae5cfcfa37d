"""What an operator or a page is told: a coordinator that came back, a suspension, what broke."""

from optimai.core.clock import Instant
from optimai.core.ids import CampaignId
from optimai.network.store.sql import Tx


async def tell_once(tx: Tx, tone: str, title: str, why: str, campaign: CampaignId, now: Instant) -> bool:
    """False where the campaign was told so before."""
    there = "select exists (select from event where campaign = $1 and title = $2)"
    if await tx.fetchval(there, campaign, title):
        return False
    await tell(tx, tone, title, why, campaign, now)
    return True


async def tell(tx: Tx, tone: str, title: str, why: str, campaign: CampaignId | None, now: Instant) -> None:
    """A `why` in the words of a node or a fault may tell of rows: its tone is `bad`, so that a private one is kept."""
    await tx.execute(
        "insert into event (at, campaign, tone, title, why) values ($1, $2, $3, $4, $5)",
        now,
        campaign,
        tone,
        title,
        why,
    )
