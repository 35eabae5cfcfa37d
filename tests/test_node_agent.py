"""A whole agent: it works, it pauses, it ends, and it can be killed. Real processes where they matter."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec import Raw

from optimai.core.ids import AssignmentId
from optimai.kinds import catalog
from optimai.node import keys
from optimai.node.agent import Agent, Parts
from optimai.node.clock import Clock
from optimai.node.exchange import Identity
from optimai.node.hands import Declined, Line, Unable
from optimai.node.home import Home
from optimai.node.invite import Invite
from optimai.node.join import enrol, join, wish
from optimai.node.life import Place, live
from optimai.node.link import HttpLink
from optimai.node.outbox import Outbox
from optimai.wire.exchange import Asked, Offer
from tests.node_coordinator import FakeCoordinator, coordinating


@pytest.fixture
async def coordinator() -> AsyncIterator[FakeCoordinator]:
    async with coordinating(FakeCoordinator()) as fake:
        yield fake


@pytest.fixture
async def home(coordinator: FakeCoordinator, tmp_path: Path) -> Home:
    made = Home(tmp_path / "node")
    await join(
        made, Invite(coordinator.url, coordinator.id), name="attic", cores=2, kinds=("word_count", "hold")
    )
    return made


class Hands:
    """Does what the test's function does, and remembers."""

    def __init__(self, do: Callable[[Offer, Line], Any]) -> None:
        self._do = do
        self.begun: list[AssignmentId] = []
        self.cancelled: list[AssignmentId] = []
        self.at_once = 0
        self.most_at_once = 0
        self.closed = 0

    async def do(self, offer: Offer, line: Line) -> Raw | Declined:
        self.begun.append(offer.assignment)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            outcome: Raw | Declined = await self._do(offer, line)
        except asyncio.CancelledError:
            self.cancelled.append(offer.assignment)
            raise
        finally:
            self.at_once -= 1
        return outcome

    async def close(self) -> None:
        self.closed += 1


async def quick(offer: Offer, line: Line) -> Raw:
    return Raw(b'{"rows":"x"}')


async def slow(offer: Offer, line: Line) -> Raw:
    await asyncio.sleep(60)
    return Raw(b"null")


@asynccontextmanager
async def living(home: Home, hands: Hands) -> AsyncIterator[asyncio.Event]:
    """An agent of that folder with these hands, in this process. It leaves at the end."""
    leave = asyncio.Event()
    life = asyncio.create_task(live(home, leave, lambda place: hands))
    try:
        yield leave
    finally:
        leave.set()
        await asyncio.wait_for(life, 10)


async def test_offers_are_done_and_their_results_sent(coordinator: FakeCoordinator, home: Home):
    wanted = {coordinator.add("word_count", {}) for _ in range(30)}
    hands = Hands(quick)
    async with living(home, hands):
        await coordinator.until(lambda: len(coordinator.results) == 30)
    assert {one.assignment for one in coordinator.results} == wanted
    assert hands.most_at_once <= 2


async def test_no_more_is_taken_on_than_there_are_cores(coordinator: FakeCoordinator, home: Home):
    for _ in range(5):
        coordinator.add("word_count", {})
    async with living(home, Hands(slow)):
        await coordinator.until(lambda: len(coordinator.offered) == 2)
        await asyncio.sleep(0.3)
        assert len(coordinator.offered) == 2


@pytest.mark.parametrize("fault", ["lost", "down", "twice"])
async def test_whatever_befalls_exchanges_each_result_arrives_once(
    coordinator: FakeCoordinator, home: Home, fault: str
):
    wanted = sorted(coordinator.add("word_count", {}) for _ in range(6))
    coordinator.faults += ["", fault, "", fault, "", "", fault]
    async with living(home, Hands(quick)):
        await coordinator.until(lambda: len(coordinator.results) >= 6 and not coordinator.faults)
    assert sorted(one.assignment for one in coordinator.results) == wanted


async def test_a_coordinator_that_was_away_is_found_again(coordinator: FakeCoordinator, home: Home):
    assignment = coordinator.add("word_count", {})
    coordinator.faults += ["gateway"] * 1000
    async with living(home, Hands(quick)):
        await coordinator.until(lambda: (status := home.status()) and "HTTP status 502" in status.trouble)
        coordinator.faults.clear()
        await coordinator.until(lambda: coordinator.result(assignment) is not None)
        await coordinator.until(lambda: (status := home.status()) and not status.trouble)


async def test_a_declined_task_goes_back_with_its_reason(coordinator: FakeCoordinator, home: Home):
    async def decline(offer: Offer, line: Line) -> Declined:
        return Declined("Not today.")

    assignment = coordinator.add("word_count", {})
    async with living(home, Hands(decline)):
        await coordinator.until(lambda: coordinator.result(assignment) is not None)
    assert coordinator.results[0].declined == "Not today."


async def test_hands_that_break_cost_one_task(coordinator: FakeCoordinator, home: Home):
    async def break_once(offer: Offer, line: Line) -> Raw:
        if offer.assignment == first:
            raise ZeroDivisionError
        return Raw(b"1")

    first, second = coordinator.add("word_count", {}), coordinator.add("word_count", {})
    async with living(home, Hands(break_once)):
        await coordinator.until(lambda: len(coordinator.results) == 2)
    assert "ZeroDivisionError" in coordinator.result(first).declined  # type: ignore[union-attr]
    assert coordinator.result(second).declined == ""  # type: ignore[union-attr]


async def test_a_kind_that_its_hands_can_not_do_is_not_asked_for_again(
    coordinator: FakeCoordinator, home: Home
):
    async def unable(offer: Offer, line: Line) -> Unable:
        return Unable("A library is missing.")

    first = coordinator.add("word_count", {})
    async with living(home, Hands(unable)):
        await coordinator.until(lambda: coordinator.result(first) is not None)
        coordinator.add("word_count", {})
        asked = len(coordinator.asks)
        await coordinator.until(lambda: len(coordinator.asks) > asked + 2)
        assert coordinator.asks[-1].kinds.keys() == {"hold"}
        await coordinator.until(lambda: (status := home.status()) and status.unable)
    assert coordinator.results[0].declined == "A library is missing."
    assert len(coordinator.offered) == 1


async def test_a_kind_that_goes_undone_again_and_again_is_asked_for_less_and_less(
    coordinator: FakeCoordinator, home: Home
):
    async def decline(offer: Offer, line: Line) -> Declined:
        return Declined("Not today.")

    for _ in range(200):
        coordinator.add("word_count", {})
    async with living(home, Hands(decline)):
        await coordinator.until(lambda: len(coordinator.results) >= 3)
        await asyncio.sleep(1.0)
    assert len(coordinator.results) < 10


async def test_a_task_that_takes_twice_its_lease_is_handed_back(coordinator: FakeCoordinator, home: Home):
    assignment = coordinator.add("word_count", {}, lease=0.5)
    async with living(home, Hands(slow)):
        await coordinator.until(lambda: coordinator.result(assignment) is not None, 3)
    assert "twice" in coordinator.results[0].declined


async def test_a_result_too_large_for_an_envelope_is_handed_back(coordinator: FakeCoordinator, home: Home):
    async def large(offer: Offer, line: Line) -> Raw:
        return Raw(b'"' + b"x" * 700_000 + b'"')

    assignment = coordinator.add("word_count", {})
    async with living(home, Hands(large)):
        await coordinator.until(lambda: coordinator.result(assignment) is not None)
    assert "larger than" in coordinator.results[0].declined


async def test_a_challenge_reaches_its_task_once_and_its_answer_goes_out_at_once(
    coordinator: FakeCoordinator, home: Home
):
    heard = []

    async def stand(offer: Offer, line: Line) -> Raw:
        while True:
            asked = await line.asked()
            heard.append(asked.id)
            await asyncio.sleep(0.3)
            await line.met(asked.id, "ab" * 32)

    assignment = coordinator.add("hold", {})
    coordinator.wait = 0.05
    async with living(home, Hands(stand)):
        await coordinator.until(lambda: coordinator.offered)
        coordinator.challenges = [Asked(7, assignment, "b" * 64, 0, 1, b"n")]
        await coordinator.until(lambda: coordinator.answers)
        await asyncio.sleep(0.3)
    assert heard == [7]
    assert [(met.challenge, met.digest) for met in coordinator.answers] == [(7, "ab" * 32)]


async def test_a_pause_stops_work_within_two_seconds_and_resuming_takes_new(
    coordinator: FakeCoordinator, home: Home
):
    first = coordinator.add("word_count", {})
    hands = Hands(slow)
    async with living(home, hands):
        await coordinator.until(lambda: first in hands.begun)
        began = time.monotonic()
        home.pause()
        await coordinator.until(lambda: coordinator.result(first) is not None, 2)
        assert time.monotonic() - began < 2
        assert coordinator.result(first).declined == "The node is paused."  # type: ignore[union-attr]
        assert hands.closed
        second = coordinator.add("word_count", {})
        await asyncio.sleep(0.6)
        assert second not in hands.begun
        assert coordinator.asks[-1].room == 0
        home.resume()
        await coordinator.until(lambda: second in hands.begun, 2)


async def test_what_ends_in_the_first_moments_of_a_pause_still_counts(
    coordinator: FakeCoordinator, home: Home
):
    async def soon(offer: Offer, line: Line) -> Raw:
        await asyncio.sleep(0.6)
        return Raw(b"1")

    assignment = coordinator.add("word_count", {})
    hands = Hands(soon)
    async with living(home, hands):
        await coordinator.until(lambda: assignment in hands.begun)
        home.pause()
        await coordinator.until(lambda: coordinator.result(assignment) is not None, 2)
    assert coordinator.results[0].declined == ""


async def test_standing_work_sleeps_through_a_pause(coordinator: FakeCoordinator, home: Home):
    assignment = coordinator.add("hold", {})
    hands = Hands(slow)
    async with living(home, hands):
        await coordinator.until(lambda: hands.begun == [assignment])
        home.pause()
        await coordinator.until(lambda: hands.cancelled == [assignment], 2)
        home.resume()
        await coordinator.until(lambda: hands.begun == [assignment, assignment], 2)
    assert coordinator.results == []


async def test_a_paused_node_stays_paused_over_a_restart(coordinator: FakeCoordinator, home: Home):
    coordinator.add("word_count", {})
    home.pause()
    hands = Hands(quick)
    async with living(home, hands):
        await coordinator.until(lambda: coordinator.asks)
        assert coordinator.asks[0].kinds == {}
        await asyncio.sleep(0.3)
    assert hands.begun == []


async def test_leaving_hands_work_back_at_once(coordinator: FakeCoordinator, home: Home):
    assignment = coordinator.add("word_count", {})
    hands = Hands(slow)
    async with living(home, hands) as leave:
        await coordinator.until(lambda: hands.begun)
        leave.set()
        await coordinator.until(lambda: coordinator.result(assignment) is not None, 2)
    assert coordinator.results[0].declined == "The node is being stopped."


async def test_a_task_that_is_stopped_before_it_began_is_handed_back_too(
    coordinator: FakeCoordinator, home: Home
):
    for _ in range(3):
        async with living(home, Hands(slow)) as leave:
            coordinator.add("word_count", {})
            await coordinator.until(lambda: coordinator.requests)
            leave.set()
    assert len(coordinator.results) == len(coordinator.offered)


async def test_leaving_does_not_wait_for_a_silent_coordinator_and_loses_nothing(
    coordinator: FakeCoordinator, home: Home
):
    assignment = coordinator.add("word_count", {})
    hands = Hands(slow)
    async with living(home, hands) as leave:
        await coordinator.until(lambda: hands.begun)
        coordinator.faults += ["silent"] * 5
        began = time.monotonic()
        leave.set()
    assert time.monotonic() - began < 6
    coordinator.faults.clear()
    async with living(home, Hands(slow)):
        await coordinator.until(lambda: coordinator.result(assignment) is not None)


async def test_the_status_says_what_runs_and_what_waits(coordinator: FakeCoordinator, home: Home):
    async def half(offer: Offer, line: Line) -> Raw:
        line.progress(1, 2)
        return await slow(offer, line)

    assignment = coordinator.add("word_count", {})
    async with living(home, Hands(half)):
        await coordinator.until(lambda: (s := home.status()) and s.running and s.running[0].of, 4)
        status = home.status()
        assert status
        running = status.running[0]
        assert (running.assignment, running.kind, running.step) == (assignment, "word_count", "test/step")
        assert (running.done, running.of) == (1, 2)
        assert (status.name, status.paused, status.waiting, status.trouble) == ("attic", False, 0, "")
    assert home.status() is None


async def test_other_hands_are_told_where_they_work(coordinator: FakeCoordinator, home: Home):
    places: list[Place] = []

    def hire(place: Place) -> Hands:
        places.append(place)
        return Hands(quick)

    leave = asyncio.Event()
    leave.set()
    await live(home, leave, hire)
    assert places[0].config == home.config()
    assert set(places[0].kinds) == {"word_count", "hold"}


async def test_a_breakdown_of_the_agent_itself_is_not_swallowed_and_keeps_what_is_in_hand(
    coordinator: FakeCoordinator, home: Home
):
    """A full disk, say."""
    outbox = Outbox(":memory:")
    node = keys.key(home.folder, keys.NODE)
    config, owner, link = home.config(), keys.key(home.folder, keys.OWNER), HttpLink(coordinator.url)

    async def again() -> int:
        return (await enrol(link, wish(config, owner, node), owner, node)).serial

    def fail(*args: object) -> None:
        raise OSError("no space left on device")

    parts = Parts(
        name="attic",
        me=Identity(config.network, node),
        link=link,
        enrol=again,
        outbox=outbox,
        hands=Hands(slow),
        kinds={"word_count": catalog.load("word_count")},
        broken={},
        engine=False,
        slots=1,
        clock=Clock(),
        chance=keys.chance,
        paused=lambda: False,
        tell=lambda status: None,
    )
    assignment = coordinator.add("word_count", {})
    agent = asyncio.create_task(Agent(parts).run(asyncio.Event()))
    await coordinator.until(lambda: outbox.in_hand())
    outbox.envelope = fail  # type: ignore[method-assign,assignment]
    with pytest.raises(ExceptionGroup) as caught:
        await asyncio.wait_for(agent, 5)
    assert caught.group_contains(OSError, match="no space")
    assert [one.assignment for one in outbox.in_hand()] == [assignment]
    await link.close()
    outbox.close()
