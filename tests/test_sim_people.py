"""The promises of simulated people, and of those who cheat among them."""

import msgspec
import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from optimai.core.assignment import Role
from optimai.core.chance import Ppm, Seed
from optimai.core.clock import instant
from optimai.core.ids import AssignmentId, BlobId, RowId
from optimai.core.rows import row_id
from optimai.kinds.contract import Shard
from optimai.kinds.label.judge import check
from optimai.kinds.label.spec import Answers, Item, Options, Part, Task
from optimai.node.hands import Declined
from optimai.sim.people import Person, PersonHands, crowd, name
from optimai.wire.exchange import Asked, Offer

CHOICES = ("api", "sql", "guide")
KNOWS = {f"http://x/{n}": CHOICES[n % 3] for n in range(500)}
SEED = Seed(blake3(b"seed").digest())


class SilentLine:
    def __init__(self) -> None:
        self.told: list[tuple[int, int]] = []

    async def asked(self) -> Asked:
        raise AssertionError("nobody is challenged here")

    async def met(self, challenge: int, digest: str) -> None:
        raise AssertionError("nobody is challenged here")

    def progress(self, done: int, of: int) -> None:
        self.told.append((done, of))


class Watch:
    """Counts the seconds that others take, and takes none."""

    def __init__(self) -> None:
        self.seconds = 0.0

    async def __call__(self, seconds: float) -> None:
        self.seconds += seconds


def items(count: int) -> tuple[Item, ...]:
    return tuple(Item(row_id("docs/unique", str(n)), f"http://x/{n}") for n in range(count))


def task(count: int = 5) -> Task:
    return Task("What is it about?", CHOICES, "text", (Part(Shard(BlobId("b"), count, 1), items(count)),))


def offer(kind: str, body: object) -> Offer:
    return Offer(
        assignment=AssignmentId(1),
        kind=kind,
        step="docs/topic",
        task=Raw(msgspec.json.encode(body)),
        role=Role.ANSWER,
        units=5,
        price=1,
        quality=1_000_000,
        rate=0,
        protocol="",
        lease_until=instant(2026, 1, 1, 13),
        token="t",
    )


def person(accuracy: int, **more: str) -> Person:
    return Person(seed=SEED, knows=KNOWS, accuracy=Ppm(accuracy), **more)


def right(one: Person) -> int:
    return sum(one.choose(CHOICES, item) == KNOWS[item.name] for item in items(500))


def test_a_person_is_right_as_often_as_their_accuracy_says():
    assert right(person(1_000_000)) == 500
    assert right(person(0)) == 0
    assert 400 < right(person(850_000)) < 450


def test_a_leaning_is_followed_by_half_of_the_errors():
    leant = [
        person(0, leaning="api").choose(CHOICES, item) for item in items(500) if KNOWS[item.name] != "api"
    ]
    assert leant.count("api") / len(leant) == pytest.approx(
        0.75, abs=0.1
    )  # and by chance by half of the others


@given(st.integers(0, 1_000_000), st.permutations(range(20)))
def test_the_same_person_says_the_same_of_the_same_row_in_any_order(accuracy: int, order: list[int]):
    one = person(accuracy)
    first = [one.choose(CHOICES, item) for item in items(20)]
    assert [one.choose(CHOICES, items(20)[n]) for n in order] == [first[n] for n in order]


def test_of_a_row_that_nobody_knows_a_person_guesses_one_of_the_choices():
    unknown = [Item(RowId(f"{n:032x}"), "") for n in range(100)]
    assert {person(1_000_000).choose(CHOICES, item) for item in unknown} == set(CHOICES)


def test_a_crowd_is_the_same_for_the_same_seed_and_no_two_in_it_are_alike():
    people = crowd(8, KNOWS, CHOICES, SEED)
    assert people == crowd(8, KNOWS, CHOICES, SEED)
    assert people != crowd(8, KNOWS, CHOICES, Seed(SEED[::-1]))
    assert len({one.seed for one in people}) == len({one.pace for one in people}) == 8
    assert len({tuple(one.choose(CHOICES, item) for item in items(100)) for one in people}) == 8
    assert all(300 < right(one) < 500 for one in people)


def test_simulated_people_are_named_so():
    assert name(3) == "simulated-person-3"


async def test_a_person_answers_each_row_of_a_task_in_their_own_time():
    watch, line = Watch(), SilentLine()
    result = await PersonHands(person(1_000_000), watch).do(offer("label", task()), line)
    assert isinstance(result, Raw)
    answers = msgspec.json.decode(result, type=Answers)
    assert check(Options("What is it about?", CHOICES), task(), answers, []) == ""
    assert 5 * 3 <= watch.seconds <= 5 * 12
    assert line.told == [(1, 5), (2, 5), (3, 5), (4, 5), (5, 5)]


async def test_a_person_does_no_work_of_a_machine():
    result = await PersonHands(person(1_000_000), Watch()).do(offer("crawl", {}), SilentLine())
    assert result == Declined("A simulated person only labels.")
