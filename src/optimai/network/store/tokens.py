"""Tokens of requesters and operators, by hash; and who may read or write which blob."""

from collections.abc import Sequence

from msgspec import Struct

from optimai.core.clock import Instant
from optimai.core.ids import AssignmentId, BlobId, CampaignId, OwnerId
from optimai.network.store.sql import Tx


class Bearer(Struct, frozen=True):
    owner: OwnerId
    scopes: frozenset[str]


async def add(tx: Tx, digest: str, owner: str, name: str, scopes: Sequence[str], now: Instant) -> None:
    await tx.execute(
        "insert into token (hash, owner, name, scopes, made) values ($1, $2, $3, $4, $5)",
        digest,
        owner,
        name,
        list(scopes),
        now,
    )


async def bearer(tx: Tx, digest: str) -> Bearer | None:
    row = await tx.fetchrow("select owner, scopes from token where hash = $1", digest)
    return Bearer(row["owner"], frozenset(row["scopes"])) if row else None


class Holder(Struct, frozen=True):
    """Whose blobs an assignment's token reaches, and whether that is so of one of them."""

    campaign: CampaignId
    open: bool  # nobody has taken its place, and nothing has come back yet
    until: Instant  # when its lease ends, or ended
    bytes: int  # brought so far
    has: bool  # its campaign has the blob


async def lock(tx: Tx, assignment: AssignmentId) -> None:
    """Until the end of the transaction: two that bring bytes for it at once are counted one after the other."""
    await tx.execute("select from assignment where id = $1 for update", assignment)


async def holder(tx: Tx, assignment: AssignmentId, blob: BlobId) -> Holder | None:
    row = await tx.fetchrow(
        """
        select step.campaign, assignment.lease_until,
               assignment.state = 'offered'
               or assignment.state = 'lapsed' and task.state = 'open' and task.places > 0 as open,
               (select coalesce(sum(bytes), 0) from blob where blob.assignment = $1)::bigint as bytes,
               exists (select from blob where blob.campaign = step.campaign and id = $2) as has
          from assignment join task on task.id = assignment.task join step on step.id = task.step
         where assignment.id = $1
        """,
        assignment,
        blob,
    )
    if row is None:
        return None
    return Holder(row["campaign"], row["open"], row["lease_until"], row["bytes"], row["has"])


async def lacking(tx: Tx, campaign: CampaignId, blobs: Sequence[BlobId]) -> BlobId | None:
    """One of these that nobody has brought to this campaign."""
    if not blobs:
        return None
    found: BlobId | None = await tx.fetchval(
        """
        select id from unnest($2::text[]) as named (id)
         where not exists (select from blob where campaign = $1 and blob.id = named.id) limit 1
        """,
        campaign,
        blobs,
    )
    return found


async def add_blob(
    tx: Tx, campaign: CampaignId, blob: BlobId, size: int, assignment: AssignmentId, now: Instant
) -> None:
    await tx.execute(
        """
        insert into blob (campaign, id, bytes, assignment, at) values ($1, $2, $3, $4, $5)
        on conflict (campaign, id) do nothing
        """,
        campaign,
        blob,
        size,
        assignment,
        now,
    )


async def requester_of(tx: Tx, blob: BlobId) -> frozenset[OwnerId]:
    """Whose campaigns this blob belongs to."""
    rows = await tx.fetch(
        "select requester from campaign join blob on blob.campaign = campaign.id where blob.id = $1", blob
    )
    return frozenset(row["requester"] for row in rows)
