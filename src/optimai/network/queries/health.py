"""What stands at the top of each page: is the network alive, and which epoch runs."""

from msgspec import Struct

from optimai.core.clock import Instant
from optimai.core.ids import NetworkId
from optimai.network.identity import Commands
from optimai.network.store import reading
from optimai.network.store.sql import Tx


class Health(Struct, frozen=True, kw_only=True):
    network: NetworkId
    name: str
    private: bool
    nodes: int  # that were seen lately
    epoch: int | None  # None: the network has just been made
    closes: Instant | None
    now: Instant
    command: Commands  # `health.command("verify 7")`: as it works on the coordinator's machine


async def health(tx: Tx, now: Instant) -> Health:
    row = await reading.health(tx, now)
    return Health(
        network=tx.network.id,
        name=tx.network.name,
        private=tx.network.private,
        nodes=row["nodes"],
        epoch=row["epoch"],
        closes=row["closes"],
        now=now,
        command=tx.network.commands,
    )
