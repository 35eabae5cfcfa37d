import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimai.core.chance import MILLION, Ppm, Seed, below, commitment, draw, happens

seeds = st.binary(min_size=32, max_size=32).map(Seed)
subjects = st.lists(st.text() | st.integers(-(2**63), 2**63 - 1), max_size=4)


@given(seeds, subjects)
def test_whoever_has_the_seed_draws_the_same(seed: Seed, about: list[str | int]) -> None:
    drawn = draw(seed, *about)
    assert drawn == draw(Seed(bytes(seed)), *about)
    assert 0 <= drawn < 2**64


@given(seeds, seeds, subjects)
def test_another_seed_draws_otherwise_and_has_another_commitment(
    seed: Seed, other: Seed, about: list[str | int]
) -> None:
    if seed != other:
        assert draw(seed, *about) != draw(other, *about)
        assert commitment(seed) != commitment(other)


@given(seeds, subjects, subjects)
def test_subjects_that_only_look_alike_are_drawn_apart(
    seed: Seed, a: list[str | int], b: list[str | int]
) -> None:
    assert (draw(seed, *a) == draw(seed, *b)) == (a == b)
    assert draw(seed, "ab", "c") != draw(seed, "a", "bc")
    assert draw(seed, 1) != draw(seed, "1")


@given(seeds, subjects)
def test_never_and_always_are_meant_so(seed: Seed, about: list[str | int]) -> None:
    assert not happens(seed, Ppm(0), *about)
    assert happens(seed, Ppm(MILLION), *about)


@given(seeds, st.integers(0, MILLION), st.integers(0, MILLION))
def test_what_happens_at_a_rate_happens_at_every_higher_one(seed: Seed, a: int, b: int) -> None:
    assert happens(seed, Ppm(max(a, b)), "task") or not happens(seed, Ppm(min(a, b)), "task")


@pytest.mark.parametrize("rate", [1_000, 50_000, 500_000, 990_000])
def test_a_rate_holds_over_many_subjects(rate: int) -> None:
    """Within five standard deviations of the binomial."""
    many = 20_000
    hits = sum(happens(Seed(b"s" * 32), Ppm(rate), "audit", task) for task in range(many))
    share = rate / MILLION
    assert abs(hits - many * share) < 5 * (many * share * (1 - share)) ** 0.5


@given(seeds, st.integers(1, 2**64), subjects)
def test_a_number_below_a_bound_is_below_it(seed: Seed, bound: int, about: list[str | int]) -> None:
    assert 0 <= below(seed, bound, *about) < bound


def test_every_number_below_a_bound_comes_up_equally_often() -> None:
    drawn = [below(Seed(b"s" * 32), 10, number) for number in range(20_000)]
    assert all(abs(drawn.count(number) - 2_000) < 5 * (20_000 * 0.1 * 0.9) ** 0.5 for number in range(10))
