"""What is public as it is: manifests of versions, heads and bundles of epochs."""

from msgspec import json

from optimai.core.errors import NotFound
from optimai.core.version import Version
from optimai.network.store import campaigns, epochs
from optimai.network.store.epochs import Closed
from optimai.network.store.sql import Tx
from optimai.wire import envelope


async def manifest(tx: Tx, name: str, number: int) -> bytes:
    """The signed manifest of a version; number 0 is the newest."""
    found = await campaigns.manifest(tx, name, number)
    if found is None:
        raise NotFound("version", f"{name}@{number}", "`optimai status` lists what there is.")
    return found


async def newest(tx: Tx, name: str) -> int:
    """The number of a dataset's newest version."""
    return json.decode(envelope.read(await manifest(tx, name, 0)).payload, type=Version).number


async def closed(tx: Tx, number: int) -> Closed:
    """A closed epoch; number 0 is the newest."""
    found = await epochs.closed(tx, number) if number else await epochs.last(tx)
    if found is None:
        raise NotFound("closed epoch", number or "yet", "Wait until one closes; `optimai status` says when.")
    return found
