"""The formula: linear in what was done and shown, and nothing for what was only said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimai.core.chance import MILLION, Ppm
from optimai.core.ids import OwnerId
from optimai.core.money import OPI, Nano
from optimai.core.reward import EPOCHS, Rates, availability, fee, pool, standby, verified, work

SHARES = st.integers(0, MILLION).map(Ppm)
AMOUNTS = st.integers(0, 10**15).map(Nano)
HARDWARE = st.integers(0, 10**9)
OWNERS = st.dictionaries(
    st.text(min_size=1, max_size=4).map(OwnerId), st.tuples(HARDWARE, SHARES), max_size=12
)


@given(st.integers(0, 10**6), AMOUNTS, SHARES)
def test_pay_never_exceeds_the_price_and_is_all_of_it_at_full_quality(units: int, price: Nano, quality: Ppm):
    assert 0 <= work(units, price, quality) <= units * price
    assert work(units, price, Ppm(MILLION)) == units * price


@given(AMOUNTS, AMOUNTS)
def test_standby_is_never_more_than_a_quarter_of_what_was_settled_or_than_the_fees(settled: Nano, fees: Nano):
    assert pool(settled, fees, Nano(0), Rates()) <= min(fees, settled // 4)
    assert pool(settled, fee(settled, Rates()), Nano(7), Rates()) == settled // 20 + 7


@given(AMOUNTS, OWNERS)
def test_the_pool_is_paid_to_the_last_nano_or_not_at_all(total: Nano, owners: dict[OwnerId, tuple[int, Ppm]]):
    there = any(hardware * share for hardware, share in owners.values())
    assert sum(standby(total, owners).values()) == (total if there else 0)


@given(AMOUNTS, OWNERS, HARDWARE, SHARES, st.integers(2, 10))
def test_ten_names_on_one_machine_gain_a_nano_each_at_most(
    total: Nano, owners: dict[OwnerId, tuple[int, Ppm]], hardware: int, there: Ppm, names: int
):
    whole = standby(total, owners | {OwnerId("the machine"): (hardware, there)})[OwnerId("the machine")]
    parts = {OwnerId(f"name no. {n}"): (hardware // names, there) for n in range(names)}
    split = standby(total, owners | parts)
    assert sum(split[name] for name in parts) <= whole + names


@pytest.mark.parametrize(
    ("declared", "shown", "counts"),
    [
        (100, (100, 100, 100, 100), 100),
        (100, (101, 130, 102, 100), 100),  # no more than it said
        (100, (40, 100, 101, 99), 99),  # slow once is nothing
        (100, (40, 80, 101, 99), 0),
        (105, (100, 100, 100, 100), 100),
        (120, (100, 100, 100, 100), 0),  # who says too much has nothing
        (100, (100, 100, 100), 0),
    ],
)
def test_what_counts_of_a_machine_is_what_it_showed(declared: int, shown: tuple[int, ...], counts: int):
    assert verified(declared, shown) == counts


@given(HARDWARE, st.lists(HARDWARE, min_size=4, max_size=4))
def test_to_declare_more_than_the_truth_never_counts_for_more(declared: int, shown: list[int]):
    honest = max((verified(least, shown) for least in shown), default=0)
    assert verified(declared, shown) <= honest


@given(st.lists(st.integers(0, 9).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), max_size=30))
def test_availability_is_of_the_last_twelve_epochs_alone(probes: list[tuple[int, int]]):
    assert 0 <= availability(probes) <= MILLION
    assert availability([(9, 9)] * 5 + [(0, 0)] * EPOCHS) == 0
    assert availability([(0, 5), *[(3, 3)] * EPOCHS]) == MILLION


def test_who_came_an_hour_ago_has_stood_by_for_a_twelfth():
    assert availability([(4, 4)]) == MILLION // 12


def test_an_example_with_numbers():
    """Ann: 90 verified units at 0.002 OPI, quality 0.8. Of 40 OPI settled the pool is 2; she has a quarter of it."""
    assert work(90, Nano(2_000_000), Ppm(800_000)) == Nano(144_000_000)
    total = pool(Nano(40 * OPI), fee(Nano(40 * OPI), Rates()), Nano(0), Rates())
    assert total == 2 * OPI
    paid = standby(total, {OwnerId("ann"): (100, Ppm(500_000)), OwnerId("bob"): (150, Ppm(MILLION))})
    assert paid == {"ann": OPI // 2, "bob": OPI * 3 // 2}
