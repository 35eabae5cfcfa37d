"""Joining a network: see that it is the one of the invite, then tell it both public keys.

Joining again with the same keys is safe. It changes nothing and tells the serial that
the coordinator saw last, so a node whose outbox is older than that finds its place again.
"""

import re
from collections.abc import Mapping
from platform import node as hostname

import msgspec
from msgspec.structs import replace
from nacl.signing import SigningKey

from optimai.core.errors import BadValue, WrongNetwork
from optimai.core.ids import NetworkId, fingerprint
from optimai.node import ability, keys
from optimai.node.home import Config, HandsName, Home
from optimai.node.invite import Invite
from optimai.node.link import MOST_BYTES, HttpLink, Link
from optimai.wire import envelope
from optimai.wire.exchange import ENROL, NETWORK, Enrol, Enrolled, Network

_networks = msgspec.json.Decoder(Network)
_enrolled = msgspec.json.Decoder(Enrolled)


async def join(
    home: Home,
    invite: Invite,
    *,
    name: str = "",
    cores: int = 0,
    kinds: tuple[str, ...] | None = None,
    hosts: Mapping[str, str] | None = None,
    hands: HandsName = "machine",
    simulated: bool = False,
) -> Config:
    """Make the keys, enrol, and write `node.json`. What is left out is found on the machine.

    Raises WrongNetwork, BadSignature, Unreachable, what the coordinator answers, and NotFound for
    `kinds` that this machine does not do.
    """
    owner, node = keys.key(home.folder, keys.OWNER), keys.key(home.folder, keys.NODE)
    config = Config(
        url=invite.url,
        network=invite.network,
        name=name or readable(hostname()),
        cores=cores or ability.cores(),
        kinds=kinds,
        hosts=hosts or {},
        hands=hands,
        simulated=simulated,
    )
    ability.kinds_here(kinds, hands)
    link = HttpLink(invite.url)
    try:
        enrolled = await enrol(link, wish(config, owner, node), owner, node)
    finally:
        await link.close()
    config = replace(config, name=enrolled.name)
    home.keep(config)
    return config


def change(
    home: Home,
    *,
    name: str = "",
    cores: int = 0,
    kinds: tuple[str, ...] | None = None,
    hosts: Mapping[str, str] | None = None,
) -> Config:
    """What a node that has joined does otherwise from now on; what is left out stays as it is in `node.json`.

    Raises NotFound before it has joined and for `kinds` that this machine does not do, InUse while an agent runs
    here, and BadValue for a new name: the network keeps the one that it was told first.
    """
    config = home.config()
    if name not in ("", config.name):
        raise BadValue("the name that the network knows this node by", name, f"--name {config.name}")
    new = replace(
        config, cores=cores or config.cores, kinds=kinds or config.kinds, hosts=hosts or config.hosts
    )
    ability.kinds_here(new.kinds, new.hands)
    if new != config:
        with home.only_agent():
            home.keep(new)
    return new


def wish(config: Config, owner: SigningKey, node: SigningKey) -> Enrol:
    """What a node says to join."""
    return Enrol(
        network=config.network,
        owner_key=bytes(owner.verify_key),
        node_key=bytes(node.verify_key),
        name=config.name,
        hands=config.hands,
        simulated=config.simulated,
        cores=config.cores,
        memory_mb=ability.memory_mb(),
    )


async def enrol(link: Link, wanted: Enrol, owner: SigningKey, node: SigningKey) -> Enrolled:
    """Tell a network whose key has the fingerprint `wanted.network`, and no other."""
    await check(link, wanted.network)
    signed = envelope.sign(ENROL, msgspec.json.encode(wanted), owner, node)
    answer = await link.enrol(envelope.write(signed))
    return envelope.decode(answer, _enrolled.decode, most=MOST_BYTES)


async def check(link: Link, network: NetworkId) -> Network:
    """What the coordinator says of itself, if it is signed by the key with that fingerprint."""
    said = envelope.read(await link.network())
    here = envelope.decode(said.payload, _networks.decode, most=MOST_BYTES)
    if not fingerprint(here.key) == here.network == network:
        raise WrongNetwork(network, here.network)
    envelope.verify(said, NETWORK, here.key)
    return here


def readable(hostname: str) -> str:
    """A name for people from a machine's own: `Anns-MacBook.local` is `anns-macbook`."""
    words = re.sub(r"[^a-z0-9]+", "-", hostname.lower().partition(".")[0])
    return words.strip("-")[:40] or "node"
