"""What is shown as it is: manifests of versions, heads and bundles of epochs. Number 0 is the newest."""

from optimai.core.errors import NotFound, Private
from optimai.core.ids import BlobId
from optimai.network.queries.private import Who, belongs
from optimai.network.store import epochs, reading, watching
from optimai.network.store.epochs import Closed
from optimai.network.store.sql import Record, Tx


async def manifest(tx: Tx, name: str, number: int) -> bytes:
    """As the network signed it. Raises NotFound."""
    return bytes((await version(tx, name, number))["manifest"])


async def newest(tx: Tx, name: str) -> int:
    """The number of a dataset's newest version. Raises NotFound."""
    return int((await version(tx, name, 0))["number"])


async def version(tx: Tx, name: str, number: int) -> Record:
    """The row of a version. Raises NotFound."""
    found = await reading.version(tx, name, number)
    if found is None:
        campaign = await watching.campaign(tx, name)
        look = "The page of all datasets lists those there are."
        if campaign and campaign["state"] == "running":
            look = f"Its campaign still runs: `optimai status {name}` shows how far it is."
        raise NotFound("dataset", f"{name}@{number}" if number else name, look)
    return found


async def bundle(tx: Tx, number: int, who: Who) -> BlobId:
    """Of a closed epoch. It is shown whole or not at all. Raises NotFound, Private."""
    found = await closed(tx, number)
    hidden = await epochs.private(tx, number)
    if hidden and not belongs(who, hidden):
        raise Private(
            f"Some of the work in the bundle of {f'epoch {number}' if number else 'the newest epoch'}"
        )
    return found.bundle


async def closed(tx: Tx, number: int) -> Closed:
    """A closed epoch. Raises NotFound."""
    found = await epochs.closed(tx, number)
    if found is None:
        there = await reading.epochs(tx, 1)
        next_one = (
            f"Epoch {there[0]['number']} closes next, at {there[0]['closes']:%H:%M:%S} UTC." if there else ""
        )
        raise NotFound(
            "closed epoch", number or "yet", next_one or "The first one opens with the coordinator."
        )
    return found
