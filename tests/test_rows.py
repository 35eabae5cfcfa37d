import math
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from optimai.core.errors import BadRows
from optimai.core.rows import read, row_id, write

names = st.text("0123456789abcdef", min_size=32, max_size=32)
texts = st.text(st.characters(exclude_categories=["Cs"]))
values = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
    | st.lists(texts, max_size=3)
)
columns = texts.filter(lambda name: name not in {"_row", "_from"})


@st.composite
def tables(draw: st.DrawFn) -> list[dict[str, Any]]:
    ids = draw(st.lists(names, max_size=5, unique=True))
    return [{"_row": name, **draw(st.dictionaries(columns, values, max_size=4))} for name in ids]


def by_name(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: str(row["_row"]))


@given(tables())
def test_what_is_written_is_read(rows: list[dict[str, Any]]) -> None:
    assert read(write(rows), most=5) == by_name(rows)


@given(st.data(), tables())
def test_neither_the_order_of_rows_nor_that_of_columns_changes_a_byte(
    data: st.DataObject, rows: list[dict[str, Any]]
) -> None:
    shuffled = [
        {column: row[column] for column in data.draw(st.permutations(list(row)))}
        for row in data.draw(st.permutations(rows))
    ]
    assert write(shuffled) == write(rows)


@given(tables().filter(bool), st.data())
def test_a_changed_byte_is_refused_or_is_other_content_never_the_same_rows_again(
    rows: list[dict[str, Any]], data: st.DataObject
) -> None:
    written = write(rows)
    place = data.draw(st.integers(0, len(written) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda byte: byte != written[place]))
    changed = written[:place] + bytes([byte]) + written[place + 1 :]
    try:
        there = read(changed, most=100)
    except BadRows:
        return
    assert write(there) == changed
    assert repr(there) != repr(by_name(rows))  # repr: 0.0 and -0.0 are equal and not the same


@given(st.binary() | st.binary().map(lambda junk: b'{"_row":"' + junk + b'"}\n'))
@example(b'{"_row":"\xff"}\n')
@example(b'{"_row":"\\ud800"}\n')
@example(b"\n" * 50)
@example(b'{"_row":' + b"[" * 5_000 + b"\n")
def test_bytes_of_a_stranger_are_canonical_rows_or_refused(junk: bytes) -> None:
    with suppress(BadRows):
        assert write(read(junk, most=100)) == junk


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('{"_row":"a","b":1', "truncated"),
        ('{"_row":"a"} ', "canonical"),
        ('{"_row": "a"}', "canonical"),
        ('{"b":1,"_row":"a"}', "canonical"),
        ('{"_row":"a","_row":"a"}', "canonical"),
        ('{"_row":"\\u0061"}', "canonical"),
        ('{"_row":"a","n":1e2}', "canonical"),
        ('{"_row":"a","n":-0}', "canonical"),
        ('{"_row":"a","n":1e999}', "out of range"),
        ('{"_row":"a","n":NaN}', "invalid"),
        ('{"_row":"a","n":9223372036854775808}', "9223372036854775807"),
        ('{"_row":"a","n":{"deep":1}}', "object"),
        ('{"_row":"a","n":[1]}', "Expected `str`"),
        ('{"_row":1}', "_row is missing"),
        ('{"_row":""}', "_row is missing"),
        ('{"b":1}', "_row is missing"),
        ('{"_from":"a","_row":"b"}', "_from is not a list"),
        ('["a"]', "Expected `object`"),
        ("", "truncated"),
    ],
)
def test_a_line_that_is_not_canonical_is_refused_with_its_number_and_why(line: str, why: str) -> None:
    with pytest.raises(BadRows, match=why) as refused:
        read(b'{"_row":"0"}\n' + line.encode() + b"\n", most=2)
    assert str(refused.value).startswith("Row 2 ")


@pytest.mark.parametrize("second", ["0", "1"])
def test_a_row_that_comes_twice_or_too_late_is_refused(second: str) -> None:
    with pytest.raises(BadRows, match=r"Row 2 .* repeated or out of order"):
        read(f'{{"_row":"1"}}\n{{"_row":"{second}"}}\n'.encode(), most=2)


def test_a_line_that_does_not_end_was_cut_off() -> None:
    with pytest.raises(BadRows, match=r"Row 2 .* does not end"):
        read(b'{"_row":"1"}\n{"_row":"2"}', most=2)


def test_more_rows_than_expected_are_refused_before_any_is_read() -> None:
    with pytest.raises(BadRows, match=r"Row 3 .* at most 2"):
        read(b"no row\n" * 3, most=2)


def test_what_is_not_a_number_is_written_as_null() -> None:
    assert write([{"_row": "a", "n": math.nan}]) == b'{"_row":"a","n":null}\n'


@given(st.lists(texts, max_size=3), st.lists(texts, max_size=3))
def test_rows_of_different_keys_or_steps_have_different_names(one: list[str], two: list[str]) -> None:
    assert (row_id("crawl/pages", *one) == row_id("crawl/pages", *two)) == (one == two)
    assert row_id("crawl/pages", *one) != row_id("crawl/text", *one)
    assert len(row_id("crawl/pages", *one)) == 32
