"""Where a fetch may connect to: public addresses only, and what this node's operator has named.

A task's URL is a stranger's wish, and this machine stands inside somebody's network. So
the address is looked at twice: when a name is resolved, and once more when the socket is
opened, where neither a literal nor a name that changes its mind can slip by.

The table of refused networks is IANA's registries of special addresses, written out: what
Python calls global is more, and differs from version to version.
"""

import asyncio
import socket
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from aiohttp import TCPConnector
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.connector import AddrInfoType

from optimai.core.errors import BadValue

PUBLIC_6 = ip_network("2000::/3")
REFUSED = tuple(
    map(
        ip_network,
        (
            "0.0.0.0/8",  # this network
            "10.0.0.0/8",
            "100.64.0.0/10",  # behind a carrier's NAT
            "127.0.0.0/8",
            "169.254.0.0/16",  # link local; cloud machines ask for their secrets here
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.31.196.0/24",
            "192.52.193.0/24",
            "192.88.99.0/24",
            "192.168.0.0/16",
            "192.175.48.0/24",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/4",  # multicast
            "240.0.0.0/4",
            "2001::/23",  # Teredo among others, which carries an IPv4 address
            "2001:db8::/32",
            "2002::/16",  # 6to4, which carries another
            "2620:4f:8000::/48",
            "3fff::/20",
        ),
    )
)

NO_SUCH_NAME = {
    socket.EAI_NONAME,
    getattr(socket, "EAI_NODATA", socket.EAI_NONAME),
}  # macOS has but the first

Place = tuple[str, int]  # a name or an address, and a port


class Private(OSError):
    """The address is not a public one."""


def is_public(address: str) -> bool:
    found: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    if isinstance(found, IPv6Address):
        mapped = found.ipv4_mapped
        if mapped is None and found not in PUBLIC_6:
            return False
        found = mapped or found
    return not any(found in network for network in REFUSED if network.version == found.version)


def allowed(hosts: Mapping[str, str]) -> dict[Place, Place]:
    """What an operator wrote, `{"docs.localhost:80": "127.0.0.1:8000"}`. Raises BadValue."""
    return {_place(name): _place(target) for name, target in hosts.items()}


def _place(text: str) -> Place:
    name, _, port = text.rpartition(":")
    if not name or not port.isdecimal() or not 0 < int(port) < 65536:
        raise BadValue("a host and its port", text, "docs.localhost:80")
    return name.lower().strip("[]"), int(port)


class System(AbstractResolver):
    """Names as this machine resolves them."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
        return [result(host, address[0], port) for *_, address in found if isinstance(address[0], str)]

    async def close(self) -> None: ...


class Public(AbstractResolver):
    """Of what another resolver finds, the public addresses."""

    def __init__(self, names: AbstractResolver) -> None:
        self._names = names

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await self._names.resolve(host, port, family)
        public = [one for one in found if is_public(one["host"])]
        if found and not public:
            raise Private(f"{host} is at {found[0]['host']}")
        return public

    async def close(self) -> None:
        await self._names.close()


class Table(AbstractResolver):
    """Only what the operator has named."""

    def __init__(self, places: Mapping[Place, Place]) -> None:
        self._places = places

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        return [result(host, *self._places[host, port])]

    async def close(self) -> None: ...


def result(name: str, address: str, port: int) -> ResolveResult:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return ResolveResult(hostname=name, host=address, port=port, family=family, proto=0, flags=0)


def public_connector(names: AbstractResolver) -> TCPConnector:
    """Reaches public addresses only."""

    def open_socket(info: AddrInfoType) -> socket.socket:
        if not is_public(str(info[4][0])):
            raise Private(f"{info[4][0]} is not a public address")
        return socket.socket(info[0], info[1], info[2])

    return TCPConnector(resolver=Public(names), socket_factory=open_socket, use_dns_cache=False)


def named_connector(places: Mapping[Place, Place]) -> TCPConnector:
    """Reaches what the operator has named, and nothing else."""
    targets = set(places.values())

    def open_socket(info: AddrInfoType) -> socket.socket:
        if (str(info[4][0]), info[4][1]) not in targets:
            raise Private(f"{info[4][0]} is not what this node's operator has named")
        return socket.socket(info[0], info[1], info[2])

    return TCPConnector(resolver=Table(places), socket_factory=open_socket, use_dns_cache=False)
