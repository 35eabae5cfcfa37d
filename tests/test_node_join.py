"""A node's folder and keys, and how it comes into a network."""

import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import SigningKey

from optimai.core.errors import (
    BadSignature,
    BadValue,
    Exposed,
    InUse,
    NotFound,
    Unreachable,
    WrongNetwork,
)
from optimai.core.ids import NetworkId, fingerprint
from optimai.kinds import catalog
from optimai.node import ability, clock, keys
from optimai.node.home import Config, Home, Status
from optimai.node.invite import Invite, parse_invite
from optimai.node.join import change, join, readable
from optimai.wire import envelope
from optimai.wire.exchange import NETWORK, Network
from tests.node_coordinator import FakeCoordinator, coordinating


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "node"


@pytest.fixture
async def coordinator() -> AsyncIterator[FakeCoordinator]:
    async with coordinating(FakeCoordinator()) as fake:
        yield fake


def invite(coordinator: FakeCoordinator) -> Invite:
    return Invite(coordinator.url, coordinator.id)


# Keys


def test_a_key_is_made_once_for_its_owner_alone(folder: Path):
    made = keys.key(folder, keys.NODE)
    assert keys.key(folder, keys.NODE) == made
    assert keys.key(folder, keys.OWNER) != made
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / keys.NODE).stat().st_mode) == 0o600
    assert sorted(os.listdir(folder)) == [keys.NODE, keys.OWNER]


@pytest.mark.parametrize(("name", "mode"), [(".", 0o750), (keys.NODE, 0o640), (keys.NODE, 0o604)])
def test_a_key_that_others_can_read_is_refused_and_the_cure_is_named(folder: Path, name: str, mode: int):
    keys.key(folder, keys.NODE)
    (folder / name).chmod(mode)
    with pytest.raises(Exposed, match=r"chmod (600|700) "):
        keys.key(folder, keys.NODE)


def test_a_damaged_key_is_never_replaced(folder: Path):
    keys.key(folder, keys.NODE)
    (folder / keys.NODE).write_text("half a k")
    with pytest.raises(BadValue, match="64 hex digits"):
        keys.key(folder, keys.NODE)
    assert (folder / keys.NODE).read_text() == "half a k"


def test_of_two_processes_that_make_a_key_at_once_both_get_the_same(folder: Path):
    keys.private_folder(folder)
    keys._create(folder / keys.NODE, first := SigningKey.generate())
    keys._create(folder / keys.NODE, SigningKey.generate())
    assert keys.key(folder, keys.NODE) == first


def test_chance_is_at_least_nothing_and_less_than_one():
    assert all(0 <= keys.chance() < 1 for _ in range(1000))
    assert len({keys.chance() for _ in range(100)}) == 100


# Invites


@pytest.mark.parametrize("url", ["http://127.0.0.1:8700", "https://opti.example", "http://[::1]:8700"])
def test_an_invite_reads_as_it_is_written(url: str):
    one = Invite(url, NetworkId("ab" * 16))
    assert parse_invite(str(one)) == one
    assert parse_invite(f" {url}/#{'ab' * 16}\n") == one


@given(st.text())
def test_anything_else_is_no_invite_and_the_answer_shows_one(text: str):
    with pytest.raises(BadValue, match="http://"):
        parse_invite(text)


@pytest.mark.parametrize(
    "text",
    [
        "http://h:1",
        "http://h:1#ab",
        f"ftp://h#{'ab' * 16}",
        f"http://u:p@h:1#{'ab' * 16}",
        f"http://h/p?q#{'ab' * 16}",
    ],
)
def test_an_invite_has_a_fingerprint_and_no_password_or_path(text: str):
    with pytest.raises(BadValue):
        parse_invite(text)


# Joining


async def test_joining_makes_keys_tells_the_network_both_and_remembers_where_it_is(
    coordinator: FakeCoordinator, folder: Path
):
    home = Home(folder)
    config = await join(home, invite(coordinator), name="attic", cores=3, kinds=("word_count",))
    assert home.config() == config
    assert (config.url, config.network, config.name, config.cores) == (
        coordinator.url,
        coordinator.id,
        "attic",
        3,
    )
    told = coordinator.enrols[0]
    assert told.owner_key == bytes(keys.key(folder, keys.OWNER).verify_key)
    assert told.node_key == bytes(keys.key(folder, keys.NODE).verify_key)
    assert told.memory_mb > 100


async def test_joining_twice_is_the_same_node(coordinator: FakeCoordinator, folder: Path):
    for _ in range(2):
        await join(Home(folder), invite(coordinator), kinds=("word_count",))
    assert len(coordinator.nodes) == 1


async def test_a_network_with_another_key_than_the_invites_is_refused(
    coordinator: FakeCoordinator, folder: Path
):
    with pytest.raises(WrongNetwork):
        await join(Home(folder), Invite(coordinator.url, NetworkId("0" * 32)))
    assert coordinator.enrols == []


async def test_a_network_that_only_says_to_have_the_key_is_refused(
    coordinator: FakeCoordinator, folder: Path
):
    """It shows the true public key, but can't sign with it."""
    true = bytes(coordinator.key.verify_key)
    coordinator.key = SigningKey.generate()

    class Liar(FakeCoordinator):
        pass

    said = Network(network=coordinator.id, key=true, name="test", private=True)
    signed = envelope.sign(NETWORK, msgspec.json.encode(said), coordinator.key)

    async def network(request: object) -> object:
        from aiohttp import web

        return web.Response(body=envelope.write(signed))

    liar = Liar()
    liar.network = network  # type: ignore[method-assign,assignment]
    async with coordinating(liar):
        with pytest.raises(BadSignature):
            await join(Home(folder), Invite(liar.url, NetworkId(fingerprint(true))))
    assert liar.enrols == []


async def test_a_coordinator_that_is_not_there_is_named(folder: Path):
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1:9"):
        await join(Home(folder), Invite("http://127.0.0.1:9", NetworkId("0" * 32)))


async def test_a_kind_that_this_machine_can_not_do_is_refused_before_anybody_is_told(
    coordinator: FakeCoordinator, folder: Path
):
    with pytest.raises(NotFound):
        await join(Home(folder), invite(coordinator), kinds=("word_cuont",))
    with pytest.raises(NotFound, match="machine"):
        await join(Home(folder), invite(coordinator), kinds=("label",))
    assert coordinator.enrols == []


def joined(folder: Path) -> Home:
    folder.mkdir()
    home = Home(folder)
    home.keep(
        Config(url="http://h", network=NetworkId("n"), name="attic", cores=4, hosts={"a:1": "10.0.0.1:1"})
    )
    return home


def test_what_is_given_without_an_invite_is_kept_and_the_rest_stays(folder: Path):
    home = joined(folder)
    assert change(home) == home.config()
    changed = change(home, cores=2, kinds=("word_count",))
    assert change(home, name="attic", hosts={"b:1": "10.0.0.2:1"}) == home.config()
    assert (changed.cores, home.config().cores) == (2, 2)
    assert (home.config().kinds, home.config().hosts) == (("word_count",), {"b:1": "10.0.0.2:1"})


def test_what_can_not_be_changed_is_refused_and_nothing_is(folder: Path):
    home = joined(folder)
    before = home.config()
    with pytest.raises(BadValue, match="'cellar' is not the name that the network knows this node by"):
        change(home, name="cellar", cores=1)
    with pytest.raises(NotFound):
        change(home, kinds=("word_cuont",))
    with home.only_agent(), pytest.raises(InUse):
        change(home, cores=1)
    assert home.config() == before


@pytest.mark.parametrize(
    ("hostname", "name"),
    [("Anns-MacBook.local", "anns-macbook"), ("web_01", "web-01"), ("", "node"), ("日本", "node")],
)
def test_a_name_for_people_comes_from_the_machines_own(hostname: str, name: str):
    assert readable(hostname) == name


# What it can do


def test_a_kind_is_offered_only_where_all_that_its_work_imports_is_installed(monkeypatch: pytest.MonkeyPatch):
    assert "word_count" in ability.kinds_here(None, "machine").able
    assert "label" not in ability.kinds_here(None, "machine").able
    assert set(ability.kinds_here(None, "person").able) == {"label"}
    real = ability.find_spec
    monkeypatch.setattr(ability, "find_spec", lambda name: None if name == "trafilatura" else real(name))
    assert ability.missing(catalog.load("clean.text")) == {"trafilatura"}
    assert "clean.text" not in ability.kinds_here(None, "machine").able
    with pytest.raises(NotFound, match="no package trafilatura"):
        ability.kinds_here(("clean.text",), "machine")


def test_a_kind_whose_work_is_damaged_is_left_out_and_says_why(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    damaged = tmp_path / "work.py"
    damaged.write_text("def (")
    real = ability._source

    def source(module: str) -> Path | None:
        return damaged if module == "optimai.kinds.word_count.work" else real(module)

    monkeypatch.setattr(ability, "_source", source)
    kinds = ability.kinds_here(None, "machine")
    assert "clean.text" in kinds.able
    assert "word_count" not in kinds.able
    assert "SyntaxError" in kinds.broken["word_count"]
    assert "line 1" in kinds.broken["word_count"]


# The folder


def test_a_folder_that_has_not_joined_says_how_to(folder: Path):
    for ask in (Home(folder).config, Home(folder).pause, Home(folder).resume, lambda: change(Home(folder))):
        with pytest.raises(NotFound, match="optimai join"):
            ask()


def test_settings_that_were_edited_amiss_are_named(folder: Path):
    folder.mkdir()
    (folder / "node.json").write_text('{"url": "http://h", "network": "n", "name": "a", "cors": 2}')
    with pytest.raises(BadValue, match="cors"):
        Home(folder).config()


def test_a_folder_that_is_named_from_here_is_the_same_for_workers_who_live_elsewhere(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    folder.mkdir()
    monkeypatch.chdir(folder.parent)
    home = Home(Path(folder.name))
    monkeypatch.chdir("/")
    assert (home.folder, home.scratch, home.cache) == (folder, folder / "scratch", folder / "cache")


def test_a_folder_has_one_agent_and_tells_whether_it_lives(folder: Path):
    folder.mkdir()
    home = Home(folder)
    home.tell(Status(at=clock.now(), pid=1, name="attic", paused=False))
    assert home.status() is None
    with home.only_agent():
        assert home.status() is not None
        with pytest.raises(InUse, match=f"process {os.getpid()}"), home.only_agent():
            pass
    assert not home.has_agent()


def test_settings_are_written_for_people(folder: Path):
    folder.mkdir()
    Home(folder).keep(
        Config(url="http://h", network=NetworkId("n"), name="attic", hosts={"a.localhost:1": "127.0.0.1"})
    )
    assert '\n  "name": "attic",\n' in (folder / "node.json").read_text()
    assert Home(folder).config().hosts == {"a.localhost:1": "127.0.0.1"}
