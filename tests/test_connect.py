"""Commands and the network that they are told to speak with."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from optimai.cli import connect, coordinator, money, show
from optimai.client.get import parse_name
from optimai.core.errors import BadValue, NotEnough, NotFound, NoToken
from optimai.network.home import make_token
from optimai.network.store.sql import Database
from tests.api import serving
from tests.road import campaign

pytestmark = pytest.mark.usefixtures("trial")


@pytest.fixture
async def url(database: Database) -> AsyncIterator[str]:
    async with serving(database) as url:
        yield url


@pytest.mark.parametrize(
    "url", ["nonsense", "127.0.0.1:8700", "http://", "http://h:1#ab", "ftp://h", "http://a b"]
)
async def test_what_is_no_address_of_a_network_is_told_with_an_example(url: str):
    with pytest.raises(BadValue, match=r"is not the address of a network\. .* --url http://"):
        async with connect.network(url):
            pass


@pytest.mark.parametrize("token", ["", "opi_unknown", "/home/ann/token"])
async def test_who_has_no_token_that_the_network_knows_is_told_of_optimai_token(
    url: str, token: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("OPTIMAI_TOKEN", token)
    with pytest.raises(NoToken, match=r"Set OPTIMAI_TOKEN to the token itself, not to the path of its file"):
        async with connect.network(url) as network:
            await network.deposit("1", "one")


async def test_a_name_that_no_address_has_is_not_found_and_nothing_of_ours_broke(url: str):
    for path in "/v1/nowhere", "/v1/versions//0":
        async with connect.network(url) as network:
            with pytest.raises(NotFound):
                await network.call("GET", path)
    async with connect.network(url) as network:
        with pytest.raises(NotFound):
            await network.version("a/../b c", 1)
    with pytest.raises(NotFound):
        parse_name("")
    with pytest.raises(BadValue, match="'' is not the name of a row"):
        show.trace("docs", "")


async def test_who_has_too_little_is_told_the_command_for_this_very_network(database: Database, url: str):
    token = await make_token(database, "operator", "root", ("admin", "campaign"))
    async with connect.network(url, token) as network:
        with pytest.raises(NotEnough, match=r"`optimai deposit AMOUNT --reference WORD`"):
            await network.submit(campaign())


@pytest.mark.parametrize("amount", ["0", "0.000 OPI"])
def test_nothing_is_neither_deposited_nor_withdrawn(amount: str):
    with pytest.raises(BadValue, match="is not an amount to deposit"):
        money.deposit(amount, reference="one", url="http://127.0.0.1:9")


def test_an_address_that_leads_nobody_here_is_told_with_the_invite():
    assert "--url http://" in coordinator.reach("0.0.0.0")
    assert coordinator.reach("127.0.0.1") == ""


def test_a_printed_command_names_the_folder_that_it_is_about(tmp_path: Path):
    assert connect.named(None) == ""
    assert connect.named(tmp_path / "a b") == f" --home '{tmp_path}/a b'"
