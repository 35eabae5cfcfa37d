"""Somebody's pay: what for, how much, in which state, and why. Zeros are lines too."""

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from optimai.core.chance import Ppm
from optimai.core.clock import Instant
from optimai.core.ids import AssignmentId, CampaignId, EarningId, NodeId, OwnerId, TaskId
from optimai.core.money import Nano
from optimai.network.queries.private import WHY, Who, shown
from optimai.network.store import reading
from optimai.network.store.sql import Record, Tx

MOST = 500  # lines at once


class Line(Struct, frozen=True, kw_only=True):
    id: EarningId
    assignment: AssignmentId
    task: TaskId
    campaign: str
    campaign_id: CampaignId  # as there may be several of that name
    step: str
    node: str
    role: str  # answer, audit
    unit: str
    units: int  # at most
    held: int  # that held
    price: Nano  # for one,
    quality: Ppm  # and the share of it that its owner is paid
    amount: Nano
    fined: Nano  # of what is available: taken for fines,
    kept: Nano  # and kept in the bond
    state: str  # reserved, pending, available, void
    reason: str
    release_at: Instant | None
    at: Instant  # of its last change


async def of(tx: Tx, owner: OwnerId, after: EarningId, who: Who = None) -> tuple[Line, ...]:
    """At most MOST lines with a higher number than `after` (0: from the first), oldest first."""
    return tuple(_line(row, who) for row in await reading.earnings(tx, owner, after, MOST))


async def last_of(tx: Tx, node: NodeId, most: int) -> tuple[Line, ...]:
    """The newest first."""
    return tuple(_line(row, None) for row in await reading.last_earnings(tx, node, most))


def _line(row: Record, who: Who) -> Line:
    line = msgspec.convert(dict(row), Line)
    return line if not line.reason or shown(who, row) else replace(line, reason=WHY)
