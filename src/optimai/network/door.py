"""The door: what comes from outside is decoded, checked and known before a stage sees it.

Signatures are verified here, outside of any transaction, so that nobody can make the
database work with a message that is not a node's own.
"""

from collections.abc import Mapping

import msgspec

from optimai.core.errors import Taken, UnknownNode, WrongNetwork
from optimai.core.ids import NodeId, OwnerId, fingerprint
from optimai.network.exchange import Incoming
from optimai.network.store import leaving, nodes
from optimai.network.store.nodes import Known
from optimai.network.store.sql import Database, Tx
from optimai.wire import envelope, exchange
from optimai.wire.exchange import ENROL, EXCHANGE, NETWORK, Enrolled, Network


class Door:
    """Reads exchanges. It remembers the nodes that it has met: their keys and owners never change."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[NodeId, Known] = {}

    async def read(self, data: bytes, address: str = "") -> Incoming:
        """An exchange that may be handled. Raises what is wrong with it."""
        try:
            return self.check(data, address)
        except UnknownNode:
            async with self._database.begin() as (tx, _):
                incoming = await read(tx, data, address)
            self._known[incoming.known.node] = incoming.known
            return incoming

    def check(self, data: bytes, address: str) -> Incoming:
        """The same, of a node that it has met; UnknownNode of any other."""
        return check(self._database.network.id, self._known, data, address)


def check(network: str, known: Mapping[NodeId, Known], data: bytes, address: str = "") -> Incoming:
    """Raises what is wrong with it; UnknownNode where the node is not in `known`."""
    signed_by, signed, ask = exchange.read_request(data)
    if signed.network != network:
        raise WrongNetwork(signed.network, network)
    if signed.node not in known:
        raise UnknownNode(signed.node)
    envelope.verify(signed_by, EXCHANGE, known[signed.node].key)
    return Incoming(known=known[signed.node], envelope=signed_by, signed=signed, ask=ask, address=address)


async def read(tx: Tx, data: bytes, address: str = "") -> Incoming:
    """The same, looking the node up."""
    _, signed, _ = exchange.read_request(data)
    return check(tx.network.id, await nodes.known(tx, [signed.node]), data, address)


async def enrol(database: Database, data: bytes) -> Enrolled:
    """A node joins: its owner and itself have signed that they belong together. Joining twice is joining once."""
    signed = envelope.read(data)
    wanted = exchange.read_enrol(signed)
    envelope.verify(signed, ENROL, wanted.owner_key, wanted.node_key)
    if wanted.network != database.network.id:
        raise WrongNetwork(wanted.network, database.network.id)
    node, owner = NodeId(fingerprint(wanted.node_key)), OwnerId(fingerprint(wanted.owner_key))
    async with database.begin() as (tx, now):
        row = await nodes.enrol(tx, wanted, owner, node, now)
        if row["owner"] != owner:
            raise Taken("node", node, "It belongs to another owner. Join with a key of its own.")
        await leaving.stay(tx, owner)
    return Enrolled(node, row["name"], row["serial"])


def introduce(database: Database) -> bytes:
    """Who we are, signed: whoever has our invite compares the fingerprint."""
    network = database.network
    said = Network(
        network=network.id, key=bytes(network.key.verify_key), name=network.name, private=network.private
    )
    return envelope.write(envelope.sign(NETWORK, msgspec.json.encode(said), network.key))
