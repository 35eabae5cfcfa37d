"""The promises of what a node fetches at all, against URLs and names that try things."""

import socket
from typing import Any

import pytest
from aiohttp import ClientSession
from aiohttp.abc import ResolveResult

from optimai.core.errors import BadValue
from optimai.node import addresses
from optimai.node.fetch import Fetcher
from optimai.node.get import private_below
from optimai.sim.proof.kit import NOON
from tests.served import HOST, Names, hello, serving, why


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0177.0.0.1/",
        "http://%31%32%37.0.0.1/",
        "http://①②⑦.0.0.1/",
        "http://127.0.0.1./",
        "http://0/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:7f00:1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://[2002:7f00:1::]/",
        "http://[fe80::1]/",
        "http://169.254.169.254/latest/meta-data/",
        "http://192.0.0.8/",
        "http://224.0.0.1/",
        "http:\\\\127.0.0.1\\",
    ],
)
async def test_a_private_address_is_not_fetched_however_it_is_written(url: str):
    async with serving(hello) as served:
        assert await why(served.fetcher.fetch(url)) == "private"
        assert served.hits == []


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://docs.localhost/",
        "gopher://docs.localhost/",
        "javascript:alert(1)",
        "http://user@docs.localhost/",
        "http://user:pw@docs.localhost/",
        "http://docs.localhost:8080/",
        "https://docs.localhost:22/",
        "http://docs.localhost:99999/",
        "http://",
        "nonsense",
        "",
        "http://docs.localhost@evil.example/",
    ],
)
async def test_what_is_not_plainly_a_web_page_is_forbidden(url: str):
    async with serving(hello) as served:
        assert await why(served.fetcher.fetch(url)) == "forbidden"
        assert served.hits == []


async def test_a_name_that_leads_to_a_private_address_is_not_fetched():
    async with serving(hello) as served:
        for address in ("127.0.0.1", "::1", "10.0.0.1", "::ffff:127.0.0.1"):
            fetcher = served.another(names=Names(evil_example=address))
            assert await why(fetcher.fetch("http://evil.example/")) == "private"
            await fetcher.close()
        assert served.hits == []


async def test_a_name_that_changes_its_mind_is_looked_at_each_time():
    class Rebinding(Names):
        async def resolve(self, host: str, port: int = 0, family: Any = 0) -> list[ResolveResult]:
            self.asked = getattr(self, "asked", 0) + 1
            return [addresses.result(host, "93.184.216.34" if self.asked == 1 else "127.0.0.1", port)]

    names = Rebinding()
    assert await addresses.Public(names).resolve("evil.example", 80)
    async with serving(hello) as served:
        fetcher = served.another(names=names)
        assert await why(fetcher.fetch("http://evil.example/")) == "private"
        await fetcher.close()
        assert served.hits == []


async def test_the_socket_itself_refuses_what_slips_by_the_names():
    """A resolver and a literal that nobody has looked at: the last door is still closed."""
    async with serving(hello) as served:
        for connector in (
            addresses.public_connector(Names()),
            addresses.named_connector({("docs.localhost", 80): ("127.0.0.1", 1)}),
        ):
            connector._resolver = Names(evil_example="127.0.0.1")
            async with ClientSession(connector=connector) as session:
                for host in ("evil.example", "127.0.0.1"):
                    with pytest.raises(OSError, match="Cannot connect") as refused:
                        await session.get(f"http://{host}:{served.port}/")
                    assert private_below(refused.value)
        assert served.hits == []


async def test_of_a_names_addresses_only_the_public_ones_are_used():
    class Both(Names):
        async def resolve(self, host: str, port: int = 0, family: Any = 0) -> list[ResolveResult]:
            return [addresses.result(host, one, port) for one in ("10.0.0.1", "93.184.216.34", "::1")]

    found = await addresses.Public(Both()).resolve("both.example", 80)
    assert [one["host"] for one in found] == ["93.184.216.34"]


async def test_only_the_named_port_of_a_named_host_is_reached():
    async with serving(hello) as served:
        fetcher = served.another({"docs.localhost:8000": served.address})
        assert (await fetcher.fetch("http://docs.localhost:8000/")).status == 200
        assert served.hits[-1].host == "docs.localhost:8000"
        assert await why(fetcher.fetch("http://docs.localhost:8001/")) == "forbidden"
        assert await why(fetcher.fetch("http://docs.localhost/")) == "unreachable"
        assert await why(fetcher.fetch(f"http://127.0.0.1:{served.port}/")) == "forbidden"
        await fetcher.close()


async def test_an_operator_may_name_an_address_too():
    async with serving(hello) as served:
        fetcher = served.another({served.address: served.address})
        assert (await fetcher.fetch(f"http://{served.address}/")).status == 200
        await fetcher.close()


def test_a_table_of_hosts_that_cannot_be_read_is_told_at_once():
    with pytest.raises(BadValue):
        Fetcher({"docs.localhost": "127.0.0.1:80"}, lambda: NOON)


async def test_a_server_that_is_not_there_is_unreachable():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        fetcher = Fetcher({"docs.localhost:80": f"127.0.0.1:{free.getsockname()[1]}"}, lambda: NOON)
        assert await why(fetcher.fetch(f"{HOST}/")) == "unreachable"
        await fetcher.close()


@pytest.mark.parametrize(("fault", "said"), [("EAI_NONAME", "unknown_host"), ("EAI_AGAIN", "unreachable")])
async def test_a_name_that_nobody_knows_is_told_from_one_that_nobody_could_be_asked_about(
    fault: str, said: str
):
    class Nobody(Names):
        async def resolve(self, host: str, port: int = 0, family: Any = 0) -> list[ResolveResult]:
            raise socket.gaierror(getattr(socket, fault), "not resolved")

    fetcher = Fetcher({}, lambda: NOON, names=Nobody())
    assert await why(fetcher.fetch("http://no-such-name.example/")) == said
    await fetcher.close()
