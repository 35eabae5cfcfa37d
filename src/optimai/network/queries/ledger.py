"""Is the ledger in balance, and what does each epoch show for it?"""

import msgspec
from blake3 import blake3
from msgspec import Struct

from optimai.core.clock import Instant
from optimai.core.ids import BlobId
from optimai.core.money import Nano
from optimai.kinds.lines import Head
from optimai.network.store import reading
from optimai.network.store.sql import Tx
from optimai.wire import envelope

MOST_EPOCHS = 50  # lines of them
ORDER = (
    "outside",
    "available",
    "escrow",
    "reserved",
    "pending",
    "bond",
    "pool",
)  # in which money passes through them


class Accounts(Struct, frozen=True):
    """All accounts of one sort: outside, available, pending, reserved, escrow, bond or the pool."""

    sort: str
    accounts: int
    balance: Nano


class Balance(Struct, frozen=True, kw_only=True):
    accounts: tuple[Accounts, ...]
    sum: Nano  # of all: zero, or money was made or lost
    transfers: int
    unlinked: int  # of these: not yet in the chain; the running epoch links them when it closes
    link: str  # the chain's last hash; "" before the first epoch has closed


class Epoch(Struct, frozen=True, kw_only=True):
    """One, or several in a row in which nothing happened: then the head and what follows are of the last."""

    first: int
    number: int  # of the last
    opened: Instant  # the first
    closes: Instant
    verdicts: int
    closed: Instant | None  # None: it runs, and what follows is not known yet
    head: str = ""  # blake3 of the signed header's payload
    keyid: str = ""  # of the network's key, which signed it
    bundle: BlobId = BlobId("")  # what anybody can recompute
    link: str = ""  # last hash of the ledger's chain in it


async def balance(tx: Tx) -> Balance:
    rows = {row["sort"]: row for row in await reading.accounts(tx)}
    accounts = tuple(
        Accounts(sort, rows[sort]["accounts"], rows[sort]["balance"]) for sort in ORDER if sort in rows
    )
    chain = await reading.chain(tx)
    return Balance(
        accounts=accounts,
        sum=Nano(sum(row["balance"] for row in rows.values())),
        transfers=chain["transfers"],
        unlinked=chain["unlinked"],
        link=chain["link"] or "",
    )


async def epochs(tx: Tx) -> tuple[Epoch, ...]:
    """The newest first."""
    found = []
    for row in await reading.epochs(tx, MOST_EPOCHS):
        epoch = Epoch(
            first=row["first"],
            number=row["number"],
            opened=row["opened"],
            closes=row["closes"],
            verdicts=row["verdicts"],
            closed=row["closed"],
        )
        if row["closed"] is not None:
            head = envelope.read(row["head"])
            epoch = msgspec.structs.replace(
                epoch,
                head=blake3(head.payload).hexdigest(),
                keyid=head.signatures[0].keyid,
                bundle=row["bundle"],
                link=msgspec.json.decode(head.payload, type=Head).link,
            )
        found.append(epoch)
    return tuple(found)
