"""Who may do what: tokens of assignments reach their campaign's bytes, tokens of people have scopes.

Tokens come in the Authorization header and nowhere else, so that none ends in a log
or a history.
"""

from collections.abc import Mapping

from optimai.core.clock import Instant
from optimai.core.errors import LeaseOver, NotAllowed, NotFound, NoToken, TooLarge
from optimai.core.ids import AssignmentId, BlobId, blob_id
from optimai.network.home import token_hash
from optimai.network.store import tokens
from optimai.network.store.sql import Tx
from optimai.network.store.tokens import Bearer, Holder

PEOPLE = "opi_"  # how tokens of people begin
QUOTA = 512 << 20  # bytes that one assignment may bring


def bearer_of(headers: Mapping[str, str]) -> str:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise NoToken
    return token.strip()


async def person(tx: Tx, token: str, scope: str) -> Bearer:
    """Raises NoToken, NotAllowed."""
    found = await tokens.bearer(tx, token_hash(token)) if token.startswith(PEOPLE) else None
    if found is None:
        raise NoToken
    if scope not in found.scopes:
        raise NotAllowed(scope)
    return found


async def anybody(tx: Tx, headers: Mapping[str, str]) -> Bearer | None:
    """Who asks, where nobody has to say so: None without a token, or with one that is not known here."""
    try:
        token = bearer_of(headers)
    except NoToken:
        return None
    return await tokens.bearer(tx, token_hash(token)) if token.startswith(PEOPLE) else None


async def writer(tx: Tx, assignment: AssignmentId, blob: BlobId) -> Holder:
    """That its token is worth something. Raises NoToken, LeaseOver."""
    holder = await tokens.holder(tx, assignment, blob)
    if holder is None:
        raise NoToken
    if not holder.open:
        raise LeaseOver(f"Assignment {assignment}", holder.until)
    return holder


async def bring(tx: Tx, assignment: AssignmentId, data: bytes, now: Instant) -> None:
    """Safe, and its campaign's, once this is committed.

    Raises NoToken, LeaseOver; and TooLarge beyond its quota, of which what its campaign has already takes nothing.
    """
    blob = blob_id(data)
    await tokens.lock(tx, assignment)
    holder = await writer(tx, assignment, blob)
    if holder.bytes + len(data) > QUOTA and not holder.has:
        raise TooLarge("What this assignment has brought", QUOTA)
    await tx.blobs.put(data)
    if not holder.has:
        await tokens.add_blob(tx, holder.campaign, blob, len(data), assignment, now)


async def reader(tx: Tx, token: str, blob: BlobId) -> None:
    """Raises NotFound for a blob that is not of the token's campaign: whether it exists is nobody's business."""
    if token.startswith(PEOPLE):
        who = await person(tx, token, "read")
        if "admin" in who.scopes or who.owner in await tokens.requester_of(tx, blob):
            return
    else:
        holder = await writer(tx, tx.network.token_owner(token), blob)
        if holder.has:
            return
    raise NotFound("blob", blob, "It belongs to another campaign, or was never brought.")
