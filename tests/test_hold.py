"""The promises of the kind `hold`: who holds what, how it is proved, what is paid."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from optimai.core.assignment import Role
from optimai.core.clock import Instant, instant
from optimai.core.errors import BadCampaign
from optimai.core.ids import AssignmentId, BlobId, NodeId, OwnerId, blob_id
from optimai.kinds import catalog
from optimai.kinds.contract import Answer, Case, Challenge, Finding, News, Plan, Shard
from optimai.kinds.hold.judge import agree
from optimai.kinds.hold.spec import Options, Result, Task, holders, plan
from optimai.kinds.hold.work import work
from optimai.kinds.kit import Asked
from optimai.sim.proof.kit import NOON, MemoryKit

SHARDS = tuple(Shard(blob_id(f"shard {n}".encode()), 10, 7) for n in range(12))
NODES = tuple(NodeId(f"node {n}") for n in range(5))
TEN_MINUTES = Options("10m")


def epoch(number: int, minutes: int, nodes: tuple[NodeId, ...] = NODES, **more: Any) -> News[Task, Result]:
    return News(epoch=number, until=Instant(NOON + timedelta(minutes=minutes)), nodes=nodes, **more)


def held_by(made: Plan[Task]) -> dict[NodeId | None, set[BlobId]]:
    return {piece.node: {shard.blob for shard in piece.task.shards} for piece in made.pieces}


# Who holds what


@given(st.integers(1, 12), st.integers(1, 5), st.integers(1, 7))
def test_each_shard_is_held_by_as_many_nodes_as_asked_for_or_by_all(shards: int, nodes: int, copies: int):
    made = plan(Options("1d", copies), b"", epoch(1, 5, NODES[:nodes], sealed=SHARDS[:shards]))
    held = held_by(made)
    for shard in SHARDS[:shards]:
        assert sum(shard.blob in blobs for blobs in held.values()) == min(copies, nodes)
    assert all(held.values()), "a node with nothing to hold has no task"


@given(st.sets(st.sampled_from(NODES), min_size=3), st.sampled_from(NODES))
def test_when_a_node_goes_only_its_own_shards_move(nodes: set[NodeId], gone: NodeId):
    for shard in SHARDS:
        before, after = holders(shard, nodes, 2), holders(shard, nodes - {gone}, 2)
        assert set(before) - {gone} <= set(after)


def test_the_shards_of_earlier_epochs_are_held_on():
    first = plan(TEN_MINUTES, b"", epoch(1, 5, sealed=SHARDS[:6]))
    second = plan(TEN_MINUTES, first.state, epoch(2, 10, sealed=SHARDS[6:]))
    assert set.union(*held_by(second).values()) == {shard.blob for shard in SHARDS}


def test_a_node_that_joins_in_the_middle_of_an_epoch_takes_its_own_share_and_not_all():
    first = plan(TEN_MINUTES, b"", epoch(1, 5, NODES[:4], sealed=SHARDS))
    late = held_by(plan(TEN_MINUTES, first.state, epoch(1, 5, NODES[4:])))
    everybody = held_by(plan(TEN_MINUTES, b"", epoch(1, 5, NODES, sealed=SHARDS)))
    assert late == {NODES[4]: everybody[NODES[4]]}


def test_a_task_says_what_may_be_asked_and_how_often():
    for piece in plan(Options("1d", challenges=7), b"", epoch(3, 5, sealed=SHARDS)).pieces:
        assert piece.reads == piece.holds == piece.task.shards
        assert piece.units == piece.challenges == 7
        assert (piece.task.epoch, piece.task.until) == (3, NOON + timedelta(minutes=5))


def test_the_step_ends_when_its_time_is_over_and_the_last_task_ends_with_it():
    state, made = b"", []
    for number in range(1, 9):
        made.append(plan(TEN_MINUTES, state, epoch(number, 4 * number, sealed=SHARDS if number == 1 else ())))
        state = made[-1].state
    assert [one.finished for one in made] == [False, False, False, True, True, True, True, True]
    assert {piece.task.until for piece in made[3].pieces} == {NOON + timedelta(minutes=14)}


def test_its_time_runs_only_from_when_there_is_something_and_somebody_to_hold_it():
    waiting = plan(TEN_MINUTES, b"", epoch(1, 5))
    nobody = plan(TEN_MINUTES, waiting.state, epoch(9, 45, (), sealed=SHARDS))
    begun = plan(TEN_MINUTES, nobody.state, epoch(10, 50))
    assert not waiting.pieces
    assert not nobody.pieces
    assert begun.pieces
    assert not begun.finished


def test_a_step_whose_input_ends_empty_is_finished():
    assert plan(TEN_MINUTES, b"", epoch(1, 5, ended=True)).finished


@pytest.mark.parametrize(
    "wrong", [{"for": "soon"}, {}, {"for": "9d", "copies": 0}, {"for": "9d", "period": "9d"}]
)
def test_a_campaign_that_can_not_be_held_is_refused(wrong: dict[str, Any]):
    with pytest.raises(BadCampaign):
        catalog.options_of("kept", catalog.load("hold"), wrong)


# How it is proved


def asked(number: int, data: bytes, start: int, length: int) -> Asked:
    return Asked(number, blob_id(data), start, length, f"nonce {number}".encode())


async def test_a_node_proves_any_range_under_a_fresh_nonce():
    data = [bytes([n]) * 1000 + b"end" for n in range(3)]
    questions = [asked(1, data[0], 0, 10), asked(2, data[2], 995, 8), asked(3, data[2], 1003, 1)]
    kit = MemoryKit(asked=questions, blobs={blob_id(one): one for one in data})
    task = Task(tuple(Shard(blob_id(one), 1, len(one)) for one in data), 1, instant(2026, 1, 1, 13))
    assert await work(task, kit) == Result(held=3)
    assert kit.answered == {
        1: blake3(b"nonce 1" + bytes(10)).hexdigest(),
        2: blake3(b"nonce 2" + b"\x02" * 5 + b"end").hexdigest(),
        3: blake3(b"nonce 3").hexdigest(),
    }


async def test_a_shard_is_fetched_once_however_many_epochs_it_is_held():
    data = b"some bytes"
    kit = MemoryKit(blobs={blob_id(data): data})
    task = Task((Shard(blob_id(data), 1, len(data)),), 1, instant(2026, 1, 1, 13))
    await work(task, kit)
    kit.blobs.clear()
    kit.asked = [asked(1, data, 0, 4)]
    await work(task, kit)
    assert kit.answered == {1: blake3(b"nonce 1some").hexdigest()}


async def test_a_shard_that_others_hold_now_leaves_the_disk():
    blobs = {blob_id(one): one for one in (b"one", b"two")}
    kit = MemoryKit(blobs=blobs)
    first, second = (Shard(blob, 1, 3) for blob in blobs)
    await work(Task((first, second), 1, instant(2026, 1, 1, 13)), kit)
    await work(Task((second,), 2, instant(2026, 1, 1, 13)), kit)
    assert [path.stem for path in kit.scratch().iterdir()] == [second.blob]


async def test_a_task_ends_with_its_epoch_though_challenges_could_come_for_ever():
    class Waiting(MemoryKit):
        async def challenges(self):
            await asyncio.Event().wait()
            yield

    assert await work(Task((), 1, Instant(NOON + timedelta(milliseconds=20))), Waiting()) == Result(held=0)


# What is paid


def challenge(answer: str | None) -> Challenge:
    return Challenge(blob=SHARDS[0].blob, start=0, length=4, nonce=b"n", expected="right", answer=answer)


def judged(*given: str | None, held: int = 1, trusted: bool = True) -> Any:
    one = Answer(
        assignment=AssignmentId(1),
        owner=OwnerId("ann"),
        role=Role.ANSWER,
        result=Result(held=held),
        trusted=trusted,
        challenges=[challenge(answer) for answer in given],
    )
    task = Task(SHARDS, 1, NOON)
    return agree(Case(step="docs/kept", options=TEN_MINUTES, task=task, units=10, answers=[one]))


def test_each_right_answer_is_a_unit_a_wrong_one_a_fault_and_none_neither():
    found = judged("right", "right", "right", "wrong", None, None).findings[AssignmentId(1)]
    assert found == Finding(3, 4, 1, "2 of 6 challenges were not answered; 1 of 4 answers were wrong.")


@given(
    st.lists(st.sampled_from(["right", "wrong", None]), max_size=10), st.integers(0, 1_000_000), st.booleans()
)
def test_what_a_node_says_of_itself_changes_nothing(given: list[str | None], held: int, trusted: bool):
    found = judged(*given, held=held, trusted=trusted)
    assert found.findings[AssignmentId(1)].units == given.count("right")
    assert (found.believed is None) == (given.count("right") == 0)


def test_nobody_is_paid_for_more_than_was_offered():
    assert judged(*["right"] * 12).findings[AssignmentId(1)].units == 10


def test_who_was_never_asked_earns_nothing_and_is_told_so():
    assert judged().findings[AssignmentId(1)] == Finding(0, why="It was asked nothing.")
