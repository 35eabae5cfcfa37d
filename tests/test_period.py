from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimai.core.errors import BadValue
from optimai.core.period import parse_period, parse_share

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@given(st.integers(1, 999_999), st.sampled_from(sorted(UNITS)))
def test_a_period_is_a_number_and_one_letter(number: int, unit: str) -> None:
    assert parse_period(f"{number}{unit}") == timedelta(**{UNITS[unit]: number})


@pytest.mark.parametrize("text", ["", "0h", "h", "48", "1.5h", "-1h", "1w", "1 h", "1h30m", "1000000s", "٣h"])
def test_a_period_that_is_none_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(BadValue, match="Write it like this: 48h"):
        parse_period(text)


@given(st.integers(0, 1_000_000))
def test_a_share_is_exact_to_the_millionth(ppm: int) -> None:
    assert parse_share(f"{ppm // 10_000}.{ppm % 10_000:04d}%") == ppm


def test_a_share_reads_as_people_write_it() -> None:
    assert [parse_share(text) for text in ("5%", "2.5 %", "100%", "0%")] == [50_000, 25_000, 1_000_000, 0]


@pytest.mark.parametrize("text", ["", "5", "%", "-5%", "101%", "100.0001%", "5.00001%", "٣%"])
def test_a_share_that_is_none_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(BadValue, match="Write it like this: 5%"):
        parse_share(text)
