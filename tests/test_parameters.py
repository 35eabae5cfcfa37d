"""The file with an operator's numbers of the protocol, and when they take effect."""

from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from optimai.core.errors import BadValue, NotFound
from optimai.core.protocol import OPEN, PRIVATE, Protocol
from optimai.kinds.lines import Head
from optimai.network import parameters
from optimai.network.home import Home, Numbers
from optimai.network.store.sql import Database
from tests.closing import closing, epochs
from tests.road import Road, done


def written(folder: Path, text: str) -> Path:
    path = folder / "protocol.toml"
    path.write_text(text)
    return path


def test_what_is_not_said_stays_as_it_suits_the_network(tmp_path: Path):
    path = written(tmp_path, "away = 3600\n[again]\nprobation = 50\n")
    assert parameters.read(path, private=False) == replace(
        OPEN, away=3600, again=replace(OPEN.again, probation=50)
    )
    assert parameters.read(path, private=True).again.bond == 0


@pytest.mark.parametrize(
    "text",
    [
        "[again",
        "again = 3",
        "[again]\nprobation = -1",
        "[agian]\nbond = 1",
        "[again]\nfines = 1",
        "away = 0.5",
    ],
)
def test_what_is_none_is_refused_with_the_place(tmp_path: Path, text: str):
    with pytest.raises(BadValue, match="a protocol"):
        parameters.read(written(tmp_path, text), private=True)


def test_a_file_that_is_not_there_or_too_large_is_told(tmp_path: Path):
    with pytest.raises(NotFound):
        parameters.read(tmp_path / "none.toml", private=True)
    with pytest.raises(BadValue, match="at most"):
        parameters.read(written(tmp_path, "#" * (1 << 17)), private=True)


def test_a_network_keeps_its_numbers_until_it_is_given_others(tmp_path: Path):
    home = Home(tmp_path / "network")
    assert home.identity(Numbers()).protocol == PRIVATE
    other = replace(PRIVATE, away=7)
    assert home.identity(Numbers(protocol=other)).protocol == other
    assert home.identity(Numbers()).protocol == other
    assert Home(tmp_path / "public").identity(Numbers(private=False)).protocol == OPEN


def test_each_protocol_has_a_name_of_its_own():
    assert PRIVATE.hash != OPEN.hash == Protocol().hash
    assert len(OPEN.hash) == 64


@pytest.mark.usefixtures("trial")
async def test_another_protocol_takes_effect_with_the_next_epoch(database: Database):
    road = Road(database)
    await road.begin(step={"tasks": 2, "validate": {"audit": "0%"}})
    before, after = database.network.protocol, replace(PRIVATE, again=replace(PRIVATE.again, probation=0))
    ann = await road.join("ann")
    database.network = replace(database.network, protocol=after)
    [first] = await road.offered(ann)
    assert (first.protocol, first.rate) == (before.hash, 1_000_000)
    await road.exchange(ann, done(first))
    await closing(road)
    [second] = await road.offered(ann)
    assert second.protocol == after.hash
    await closing(road)
    heads = [msgspec.json.decode(head.payload, type=Head).protocol for head, _ in await epochs(road)]
    assert heads == [before, after]
