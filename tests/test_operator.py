"""What README.md promises to who runs a network or lends a machine: real processes, and a database of one's own."""

import asyncio
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
import msgspec
import psutil
import pytest

from optimai.client.network import Client
from tests.processes import alive
from tests.test_promises import environment, optimai

pytestmark = pytest.mark.slow

PATIENCE = 60  # seconds, on a busy machine


class Network(NamedTuple):
    """A coordinator and a machine that joined it by the invite alone, each a process of its own."""

    home: Path  # of both, and of whoever gives commands
    dsn: str
    invite: str
    node: psutil.Process

    def client(self) -> Client:
        token = (self.home / "network" / "admin.token").read_text().strip()
        return Client(self.invite.partition("#")[0], token)


@pytest.fixture(scope="module")
def network(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    home = tmp_path_factory.mktemp("operator")
    dsn = asyncio.run(empty_database(server))
    started: list[subprocess.Popen[bytes]] = []

    def start(log: Path, *words: str) -> psutil.Process:
        with log.open("wb") as out:
            arguments = [sys.executable, "-m", "optimai", *words]
            started.append(subprocess.Popen(arguments, env=environment(home), stdout=out, stderr=out))
        return psutil.Process(started[-1].pid)

    try:
        up, joined = home / "up.log", home / "join.log"
        start(up, "up", "--database", dsn, "--port", "0", "--seal", "1s")
        wait(lambda: "optimai join http" in up.read_text(), up)
        invite = up.read_text().rpartition("optimai join ")[2].split()[0]
        node = start(joined, "join", invite, "--name", "ann")
        wait(lambda: "ann works for" in joined.read_text(), joined)
        yield Network(home, dsn, invite, node)
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait(30)


async def empty_database(server: str) -> str:
    admin = await asyncpg.connect(server)
    await admin.execute("create database operator")
    await admin.close()
    base, _, query = server.partition("?")
    return f"{base.rsplit('/', 1)[0]}/operator?{query}"


def wait(until: Callable[[], bool], log: Path) -> None:
    for _ in range(PATIENCE * 20):
        if until():
            return
        time.sleep(0.05)
    raise AssertionError(log.read_text())


def campaign(name: str) -> dict[str, Any]:
    return {
        "campaign": name,
        "budget": "1 OPI",
        "until": "1h",
        "appeal": "1s",
        "inputs": {"texts": [{"text": "to be or not to be"}, {"text": "that is the question"}]},
        "steps": {"counts": {"kind": "word_count", "from": "texts", "price": "0.01/row"}},
        "dataset": {"from": "counts"},
    }


def workers(network: Network) -> list[psutil.Process]:
    return [one for one in network.node.children(recursive=True) if alive(one)]


def test_the_invite_has_no_secret_and_a_database_of_ones_own_holds_everything(network: Network):
    key = (network.home / "network" / "network.key").read_text().strip()
    assert key not in network.invite
    assert not (network.home / "network" / "postgres").exists()

    async def tables() -> set[str]:
        connection = await asyncpg.connect(network.dsn)
        rows = await connection.fetch("select tablename from pg_tables where schemaname = 'public'")
        await connection.close()
        return {row["tablename"] for row in rows}

    assert {"node", "task", "assignment", "earning", "transfer"} <= asyncio.run(tables())


def test_a_machine_that_joined_works_is_paid_and_pauses_and_works_again(network: Network):
    async def run(name: str) -> None:
        async with network.client() as client:
            await client.deposit("1 OPI", name)
            await client.submit(campaign(name))

    def state(name: str) -> Any:
        async def ask() -> Any:
            async with network.client() as client:
                return (await client.get(f"/v1/campaigns/{name}", dict[str, Any]))["state"]

        return asyncio.run(ask())

    log = network.home / "join.log"
    asyncio.run(run("first"))
    wait(lambda: state("first") == "done", log)
    said = optimai(network.home, "node", "status")
    assert said.returncode == 0, said.stderr
    assert "ann" in said.stdout
    said = optimai(network.home, "pay")
    assert "first/counts" in said.stdout
    assert "2 of 2 rows" in said.stdout
    assert workers(network)

    assert optimai(network.home, "pause").returncode == 0
    wait(lambda: not workers(network), log)
    assert "paused" in optimai(network.home, "node", "status").stdout
    asyncio.run(run("second"))
    assert optimai(network.home, "resume").returncode == 0
    wait(lambda: state("second") == "done", log)


def test_a_second_coordinator_is_refused_and_the_first_does_not_notice(network: Network):
    port = network.invite.partition("#")[0].rpartition(":")[2]
    second = optimai(network.home, "up", "--database", network.dsn, "--port", "0")
    assert second.returncode == 2
    assert re.match(r"in_use: .* in use by process \d+\. .*answers at http", second.stderr), second.stderr
    other = optimai(network.home, "up", "--home", str(network.home / "other"), "--port", port)
    assert other.returncode == 2
    assert other.stderr.startswith(f"in_use: Port {port} of 127.0.0.1 is in use"), other.stderr
    assert optimai(network.home, "status", "--home", str(network.home / "network")).returncode == 0


def test_a_campaign_runs_on_a_network_that_is_up(network: Network, tmp_path: Path):
    file = tmp_path / "third.yaml"
    file.write_bytes(msgspec.json.encode(campaign("third") | {"budget": "9 OPI"}))  # more than others left
    here = ("--home", str(network.home / "network"))
    poor = optimai(network.home, "run", str(file), *here)
    assert poor.stderr.startswith("not_enough: ")
    assert "optimai deposit" in poor.stderr
    said = optimai(network.home, "deposit", "9", "--reference", "third", *here)
    assert said.returncode == 0, said.stderr
    said = optimai(network.home, "run", str(file), *here)
    assert said.returncode == 0, said.stderr
    row = re.search(r"optimai trace third@1 (\w+)", said.stdout)
    assert row, said.stdout
    assert "counts" in optimai(network.home, "trace", "third@1", row[1], *here).stdout
    assert optimai(network.home, "cancel", "third", *here).stderr.startswith("not_found: ")


def test_a_machine_that_leaves_is_offered_nothing_more_and_waits_for_nothing(network: Network):
    """The last test of this network: it has nobody else to work."""
    log = network.home / "join.log"
    said = optimai(network.home, "leave")
    assert said.returncode == 0, said.stderr
    assert "You are offered nothing more" in said.stdout
    wait(lambda: "Nothing waits any more" in optimai(network.home, "leave").stdout, log)
    file = network.home / "fourth.yaml"
    file.write_bytes(msgspec.json.encode(campaign("fourth") | {"until": "3s"}))
    here = ("--home", str(network.home / "network"))
    optimai(network.home, "deposit", "1", "--reference", "fourth", *here)
    optimai(network.home, "run", str(file), *here)
    assert "1.000 returned" in optimai(network.home, "status", "fourth", *here).stdout
