"""What an operator or a page is told: a coordinator that came back, a suspension, what broke."""

from optimai.core.clock import Instant
from optimai.core.ids import CampaignId
from optimai.network.store.sql import Tx


async def tell(tx: Tx, tone: str, title: str, why: str, campaign: CampaignId | None, now: Instant) -> None:
    await tx.execute(
        "insert into event (at, campaign, tone, title, why) values ($1, $2, $3, $4, $5)",
        now,
        campaign,
        tone,
        title,
        why,
    )
