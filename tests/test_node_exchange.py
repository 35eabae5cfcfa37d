"""One exchange: what goes wrong on the way costs time and nothing else."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec import Raw
from nacl.signing import SigningKey

from optimai.core.errors import BadMessage, Replayed, TooLarge, UnknownNode, Unreachable
from optimai.core.ids import AssignmentId
from optimai.node import clock, keys
from optimai.node.clock import Clock
from optimai.node.exchange import Identity, exchange
from optimai.node.home import Home
from optimai.node.invite import Invite
from optimai.node.join import enrol, join, wish
from optimai.node.link import Heard, HttpLink
from optimai.node.outbox import Came, Outbox
from optimai.wire.exchange import Ask, Done
from tests.node_coordinator import FakeCoordinator, coordinating

ASK = Ask(room=1, kinds={"word_count": "0"})


class Node:
    """A node that has joined, with its outbox on disk and nobody to drive it."""

    def __init__(self, coordinator: FakeCoordinator, folder: Path) -> None:
        self.coordinator = coordinator
        self.home = Home(folder)
        self.outbox = Outbox(":memory:")
        self.clock = Clock()
        self.link = HttpLink(coordinator.url)

    async def join(self) -> None:
        self.config = await join(
            self.home, Invite(self.coordinator.url, self.coordinator.id), kinds=("word_count",)
        )
        self.owner, self.key = (keys.key(self.home.folder, name) for name in (keys.OWNER, keys.NODE))

    async def enrol(self) -> int:
        return (await enrol(self.link, wish(self.config, self.owner, self.key), self.owner, self.key)).serial

    async def exchange(self) -> Came:
        me = Identity(self.config.network, self.key)
        return await exchange(me, self.link, self.outbox, ASK, self.clock, self.enrol)


@pytest.fixture
async def coordinator() -> AsyncIterator[FakeCoordinator]:
    async with coordinating(FakeCoordinator()) as fake:
        yield fake


@pytest.fixture
async def node(coordinator: FakeCoordinator, tmp_path: Path) -> AsyncIterator[Node]:
    made = Node(coordinator, tmp_path / "node")
    await made.join()
    yield made
    await made.link.close()
    made.outbox.close()


async def done(node: Node, result: bytes = b"1") -> AssignmentId:
    """An assignment that was taken on and has a result."""
    assignment = node.coordinator.add("word_count", {})
    await node.exchange()
    node.outbox.finish(Done(assignment, Raw(result)))
    return assignment


async def test_an_offer_comes_and_a_result_goes(node: Node, coordinator: FakeCoordinator):
    assignment = coordinator.add("word_count", {})
    assert [offer.assignment for offer in (await node.exchange()).offers] == [assignment]
    node.outbox.finish(Done(assignment, Raw(b'{"rows":"x"}')))
    await node.exchange()
    assert bytes(coordinator.results[0].result) == b'{"rows":"x"}'
    assert node.outbox.counts().unsent == 0


@pytest.mark.parametrize("fault", ["lost", "down", "gateway"])
async def test_after_a_failure_the_very_same_bytes_go_out_again_and_count_once(
    node: Node, coordinator: FakeCoordinator, fault: str
):
    assignment = await done(node)
    coordinator.faults += [fault, fault]
    for _ in range(2):
        with pytest.raises(Unreachable):
            await node.exchange()
    await node.exchange()
    assert len(set(coordinator.requests[-3:])) == 1
    assert [one.assignment for one in coordinator.results] == [assignment]


async def test_an_offer_whose_reply_was_lost_still_arrives(node: Node, coordinator: FakeCoordinator):
    assignment = coordinator.add("word_count", {})
    coordinator.faults.append("lost")
    with pytest.raises(Unreachable):
        await node.exchange()
    assert [offer.assignment for offer in (await node.exchange()).offers] == [assignment]


async def test_a_node_with_an_old_outbox_finds_its_place_again(node: Node, coordinator: FakeCoordinator):
    """Its folder came from a backup: the serials that it would use are used already."""
    for _ in range(5):
        await node.exchange()
    node.outbox.close()
    node.outbox = Outbox(":memory:")
    with pytest.raises(Replayed):
        await node.exchange()
    await node.exchange()
    assert coordinator.serials == [1, 2, 3, 4, 5, 6]


async def test_a_node_that_the_coordinator_has_forgotten_joins_again_and_loses_nothing(
    node: Node, coordinator: FakeCoordinator
):
    assignment = await done(node)
    coordinator.nodes.clear()
    with pytest.raises(UnknownNode):
        await node.exchange()
    await node.exchange()
    assert [one.assignment for one in coordinator.results] == [assignment]


@pytest.mark.parametrize("fault", [BadMessage("it is odd"), TooLarge("The message", 9)])
async def test_a_result_that_the_coordinator_can_not_take_does_not_block_the_others(
    node: Node, coordinator: FakeCoordinator, fault: Exception
):
    odd = await done(node)
    coordinator.faults.append(fault)  # type: ignore[arg-type]
    with pytest.raises(type(fault)):
        await node.exchange()
    await node.exchange()
    assert [(one.assignment, bool(one.declined)) for one in coordinator.results] == [(odd, True)]


async def test_an_answer_that_makes_no_sense_is_no_answer(node: Node, coordinator: FakeCoordinator):
    assignment = await done(node)
    real = coordinator._exchange
    for garbage in (b"{", b'{"serial": 999}', b"[" * 100, b'{"serial": 1, "offers": [{}]}'):
        coordinator._exchange = lambda body, twice, garbage=garbage: garbage  # type: ignore[method-assign,misc]
        with pytest.raises(Unreachable):
            await node.exchange()
    coordinator._exchange = real  # type: ignore[method-assign]
    await node.exchange()
    assert [one.assignment for one in coordinator.results] == [assignment]


async def test_leases_are_read_by_the_coordinators_clock(node: Node):
    """A machine whose clock is an hour slow would else think that it has an hour for everything."""
    real = node.link.exchange

    async def later(request: bytes) -> Heard:
        heard = await real(request)
        return Heard(heard.body, clock.now() + timedelta(hours=1))  # type: ignore[arg-type]

    node.link.exchange = later  # type: ignore[method-assign]
    await node.exchange()
    assert timedelta(minutes=59) < node.clock() - clock.now() < timedelta(minutes=61)


async def test_small_differences_of_clocks_are_left_alone(node: Node):
    await node.exchange()
    assert node.clock.ahead == timedelta()


async def test_what_is_sent_is_signed_by_the_nodes_key_alone(node: Node, coordinator: FakeCoordinator):
    await node.exchange()
    node.key = SigningKey.generate()
    with pytest.raises(UnknownNode):
        await node.exchange()
