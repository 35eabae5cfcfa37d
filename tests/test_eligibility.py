"""Who may take a task follows from public numbers, and in the end everybody may."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from optimai.core.chance import MILLION, Ppm, Seed
from optimai.core.eligibility import EVERYBODY, may_take, threshold
from optimai.core.ids import OwnerId, TaskId

SHARES = st.integers(0, MILLION).map(Ppm)
WAITS = st.timedeltas(timedelta(), timedelta(days=30))
SECOND = timedelta(seconds=1)
SEED = Seed(b"s" * 32)


def of(waited: timedelta, quality: int = 0, first: int = 1_000) -> int:
    return threshold(waited, Ppm(quality), first=Ppm(first), doubling=SECOND)


@given(WAITS, WAITS, SHARES, SHARES)
def test_who_waits_longer_or_is_worth_more_may_take_no_less(
    one: timedelta, other: timedelta, low: Ppm, high: Ppm
):
    short, long = sorted((one, other))
    worse, better = sorted((low, high))
    assert of(short, worse) <= of(long, worse) <= EVERYBODY
    assert of(short, worse) <= of(short, better)


@given(SHARES)
def test_in_the_end_everybody_may(quality: Ppm):
    assert of(11 * SECOND, quality) == EVERYBODY
    assert may_take(SEED, TaskId(1), OwnerId("anybody"), EVERYBODY)


def test_at_first_as_many_may_as_is_said_and_twice_as_many_of_full_quality():
    owners = [OwnerId(f"owner {n}") for n in range(20_000)]
    for quality, share in (0, 0.1), (MILLION, 0.2):
        may = sum(may_take(SEED, TaskId(7), one, of(timedelta(), quality, 100_000)) for one in owners)
        assert abs(may / len(owners) - share) < 0.01


def test_who_may_take_one_task_says_nothing_of_another():
    owners = [OwnerId(f"owner {n}") for n in range(5_000)]
    half = EVERYBODY // 2
    both = sum(
        may_take(SEED, TaskId(1), one, half) and may_take(SEED, TaskId(2), one, half) for one in owners
    )
    assert abs(both / len(owners) - 0.25) < 0.03


def test_a_clock_that_runs_backwards_is_no_time_waited():
    assert of(-SECOND) == of(timedelta())
