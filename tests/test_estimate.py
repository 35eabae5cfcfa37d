"""What a campaign would cost: bounds before it was tried to its end, counts after; and time as it was measured."""

from typing import Any

from optimai.client.estimate import Line, estimate
from optimai.core.campaign import parse

CAMPAIGN = parse(
    {
        "campaign": "texts",
        "budget": "1 OPI",
        "inputs": {"texts": [{"text": f"text number {number}"} for number in range(3)]},
        "steps": {"unique": {"kind": "dedup", "from": "texts", "price": "0.001/row"}},
        "dataset": {"from": "unique"},
    }
)


def line(state: str, held: int, rows: int) -> Line:
    seen: dict[str, Any] = {"name": "unique", "state": state, "held": held, "rows": rows, "standing": False}
    [found] = estimate(CAMPAIGN, [seen], {"unique": 4.5})
    return found


def test_units_are_within_the_kinds_bounds_while_the_sample_has_not_come_to_the_end():
    found = line("flows", 6, 0)
    assert (found.rows_in, found.least, found.most) == (3, 12, 30)
    assert found.seconds == 4.5 * 30 / 6


def test_a_step_whose_rows_come_at_its_end_is_not_taken_for_one_without_rows():
    assert line("flows", 6, 0).rows == 3
    assert line("sealed", 9, 0).rows == 0


def test_what_the_sample_did_to_the_end_is_counted_and_timed():
    found = line("sealed", 12, 3)
    assert (found.least, found.most, found.rows) == (12, 12, 3)
    assert found.seconds == 4.5


def test_of_what_the_sample_did_not_come_to_no_time_is_said():
    found = line("waits", 0, 0)
    assert (found.tried, found.seconds) == (False, None)
