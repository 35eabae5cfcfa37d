"""The promises of a desk: honest work in the agent's process, with whatever the web is said to answer."""

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from msgspec import Raw

from optimai.core.ids import BlobId
from optimai.core.rows import read
from optimai.kinds.contract import Shard
from optimai.kinds.word_count import spec as word_count
from optimai.node.clock import Clock
from optimai.node.hands import Declined
from optimai.node.home import Config, Home
from optimai.node.life import Place
from optimai.sim.desk import Desk
from optimai.sim.proof.kit import MemoryKit
from tests.node_coordinator import FakeCoordinator, coordinating
from tests.test_sim_people import SilentLine, offer


@pytest.fixture
async def coordinator() -> AsyncIterator[FakeCoordinator]:
    async with coordinating(FakeCoordinator()) as fake:
        yield fake


@pytest.fixture
async def desk(coordinator: FakeCoordinator, tmp_path: Path) -> AsyncIterator[Desk]:
    config = Config(url=coordinator.url, network=coordinator.id, name="desk")
    made = Desk(Place(Home(tmp_path), config, {}, Clock()))
    yield made
    await made.close()


async def test_a_desk_does_the_work_of_a_kind_as_a_worker_does(coordinator: FakeCoordinator, desk: Desk):
    kit = MemoryKit("docs/topic", blobs=coordinator.blobs)
    shard = kit.shard([{"_row": "a", "text": "three small words"}, {"_row": "b", "text": "one"}])
    given = offer("word_count", word_count.Task(shard, "text"))
    coordinator.offered.append(given)
    result = await desk.do(given, SilentLine())
    assert isinstance(result, Raw)
    rows = read(coordinator.blobs[msgspec.json.decode(result, type=word_count.Result).rows], most=2)
    assert {row["_from"][0]: row["words"] for row in rows} == {"a": 3, "b": 1}


async def test_what_a_desk_can_not_read_it_hands_back_with_the_reason(
    coordinator: FakeCoordinator, desk: Desk
):
    given = offer("word_count", word_count.Task(Shard(BlobId("0" * 64), 1, 1), "text"))
    coordinator.offered.append(given)
    result = await desk.do(given, SilentLine())
    assert isinstance(result, Declined)
    assert "There is no blob" in result.why
