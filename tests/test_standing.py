import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimai.core.chance import MILLION, Ppm
from optimai.core.standing import FEWEST_FAULTS, PROBATION, Standing, after, on_probation, suspended

counts = st.integers(0, 10**6)
rates = st.integers(0, MILLION).map(Ppm)
standings = st.tuples(counts, counts).map(lambda pair: Standing(max(pair), min(pair)))


@given(standings, counts, counts)
def test_verdicts_add_up_and_their_order_does_not_matter(one: Standing, checked: int, faults: int) -> None:
    checked, faults = max(checked, faults), min(checked, faults)
    there = after(after(one, checked, faults), 7, 2)
    assert there == after(after(one, 7, 2), checked, faults)
    assert 0 <= there.faults <= there.checked == one.checked + checked + 7


@given(st.integers(-5, 5), st.integers(-5, 5))
def test_no_more_can_be_wrong_than_was_looked_at(checked: int, faults: int) -> None:
    if 0 <= faults <= checked:
        assert after(Standing(), checked, faults) == Standing(checked, faults)
    else:
        with pytest.raises(ValueError, match="checked units"):
            after(Standing(), checked, faults)


@given(standings, rates)
def test_nobody_is_suspended_for_fewer_than_three_faults(one: Standing, tolerated: Ppm) -> None:
    assert FEWEST_FAULTS == 3
    assert not suspended(Standing(one.checked, min(one.faults, 2)), tolerated)


@given(standings, rates, counts)
def test_a_kind_may_ask_for_more_faults_and_never_for_fewer(
    one: Standing, tolerated: Ppm, fewest: int
) -> None:
    assert not suspended(Standing(one.checked, min(one.faults, 2)), tolerated, fewest)
    assert suspended(one, tolerated) or not suspended(one, tolerated, fewest)


@given(standings, rates, counts)
def test_one_more_fault_never_lifts_a_suspension(one: Standing, tolerated: Ppm, more: int) -> None:
    worse = Standing(one.checked + more, one.faults + more)
    assert suspended(worse, tolerated) or not suspended(one, tolerated)


@given(standings, rates, counts)
def test_good_work_never_brings_a_suspension(one: Standing, tolerated: Ppm, more: int) -> None:
    assert not suspended(after(one, more, 0), tolerated) or suspended(one, tolerated)


@given(standings, rates, rates)
def test_who_tolerates_more_suspends_no_more(one: Standing, a: Ppm, b: Ppm) -> None:
    assert not suspended(one, max(a, b)) or suspended(one, min(a, b))


@given(standings)
def test_a_kind_that_tolerates_everything_suspends_nobody(one: Standing) -> None:
    assert not suspended(one, Ppm(MILLION))


def test_a_share_of_faults_just_above_what_is_tolerated_suspends() -> None:
    assert not suspended(Standing(100, 10), Ppm(100_000))
    assert suspended(Standing(100, 11), Ppm(100_000))


@given(st.integers(0, 40))
def test_probation_ends_with_the_twentieth_checked_unit(checked: int) -> None:
    assert PROBATION == 20
    assert on_probation(Standing(checked)) == (checked <= 19)
