"""Epochs that closed on a road: their heads and bundles, and what happened in them."""

from msgspec.structs import replace

from optimai.core.protocol import PRIVATE
from optimai.wire import envelope
from optimai.wire.envelope import Envelope
from tests.road import Node, Road, done


async def epochs(road: Road) -> list[tuple[Envelope, bytes]]:
    """Head and bundle of all that are closed."""
    rows = await road.rows("select head, bundle from epoch where closed is not null order by number")
    return [(envelope.read(row["head"]), await road.database.blobs.get(row["bundle"])) for row in rows]


async def closing(road: Road) -> None:
    """The running epoch ends."""
    road.now = await road.value("select closes from epoch where closed is null")
    await road.quiet()


def key(road: Road) -> bytes:
    return bytes(road.database.network.key.verify_key)


async def a_day(road: Road) -> tuple[Node, Node, Node]:
    """Five tasks, checked and paid; `dan` lies about all that he does."""
    sharp = replace(PRIVATE, again=replace(PRIVATE.again, faults=1))
    road.database.network = replace(road.database.network, protocol=sharp)
    await road.begin(appeal="2h", step={"tasks": 5, "units": 2, "validate": {"audit": "50%"}})
    ann, bob, dan = [await road.join(name) for name in ("ann", "bob", "dan")]
    for _ in range(12):
        for node, value in ((dan, 666), (ann, 7), (bob, 7)):
            await road.exchange(node, *(done(offer, value) for offer in await road.offered(node)))
        await road.stage("judge", "settle")
    return ann, bob, dan
