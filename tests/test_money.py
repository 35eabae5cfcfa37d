from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimai.core.errors import BadValue
from optimai.core.money import OPI, Nano, Price, opi, parse_opi, parse_price

amounts = st.integers(0, 999_999_999 * OPI)


@given(amounts, st.integers(0, 9))
def test_what_is_shown_is_exact_and_can_be_typed_in_again_without_its_commas(nano: int, least: int) -> None:
    assert parse_opi(opi(nano, least).replace(",", "")) == nano


def test_an_amount_reads_as_people_write_it() -> None:
    assert opi(41_204_000_000) == "41.204"
    assert opi(500 * OPI, least=0) == "500"
    assert opi(1) == "0.000000001"
    assert opi(-1_234_567 * OPI) == "-1,234,567.000"
    assert str(Price(Nano(2_000_000), "page")) == "0.002/page"


@pytest.mark.parametrize("text", ["12.5", "12.5 OPI", " 12.5OPI ", "12.500000000"])
def test_an_amount_may_name_its_currency(text: str) -> None:
    assert parse_opi(text) == 12_500_000_000


@pytest.mark.parametrize(
    "text", ["", "OPI", "-1", "+1", "1,000", "1e3", ".5", "5.", "0.0000000001", "1 000", "٣", "12.5 EUR"]
)
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(BadValue, match=r"is not an amount of OPI\. Write it like this: 12\.5 OPI"):
        parse_opi(text)


@given(st.text())
def test_no_text_breaks_the_parser(text: str) -> None:
    with suppress(BadValue):
        assert parse_opi(text) >= 0


def test_a_price_is_an_amount_for_a_unit() -> None:
    assert parse_price("0.01 / GB-day".lower()) == Price(Nano(10_000_000), "gb-day")


@pytest.mark.parametrize("text", ["0.002", "0.002/", "/page", "0.002/page/row", "0.002/Page", "x/page"])
def test_a_price_without_its_unit_is_refused(text: str) -> None:
    with pytest.raises(BadValue):
        parse_price(text)
