import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from optimai.core.ids import CampaignId, OwnerId
from optimai.core.ledger import (
    OUTSIDE,
    Account,
    Transfer,
    available,
    escrow,
    link,
    move,
    pending,
    reserved,
    together,
)
from optimai.core.money import Nano

ACCOUNTS = [
    OUTSIDE,
    *(make(CampaignId(number)) for make in (escrow, reserved) for number in (1, 2)),
    *(make(OwnerId(name)) for make in (pending, available) for name in ("ann", "bob")),
]
BEFORE = "0" * 64


@st.composite
def transfers(draw: st.DrawFn) -> Transfer:
    """Any event that adds up, between two accounts or among many."""
    names = draw(st.lists(st.sampled_from(ACCOUNTS), min_size=2, max_size=5, unique=True))
    gains = [Nano(draw(st.integers(-(10**15), 10**15))) for _ in names[1:]]
    return Transfer(
        draw(st.sampled_from(["fund", "reserve", "earn"])),
        f"earning {draw(st.integers(1, 99))}",
        dict(zip(names, [Nano(-sum(gains)), *gains], strict=True)),
    )


histories = st.lists(transfers(), max_size=12)


@given(st.lists(histories, max_size=5))
def test_whatever_happens_all_accounts_together_hold_nothing(batches: list[list[Transfer]]) -> None:
    accounts = dict.fromkeys(ACCOUNTS, 0)
    for batch in batches:
        for account, amount in together(batch).items():
            accounts[account] += amount
        assert sum(accounts.values()) == 0


@given(histories)
def test_a_batch_does_what_its_transfers_do_one_by_one(batch: list[Transfer]) -> None:
    accounts: dict[Account, int] = {}
    for transfer in batch:
        for account, amount in transfer.entries.items():
            accounts[account] = accounts.get(account, 0) + amount
    assert together(batch) == {account: amount for account, amount in accounts.items() if amount}


@given(st.integers(-(10**15), 10**15).filter(bool))
def test_a_transfer_that_makes_or_loses_money_cant_be_written(wrong: int) -> None:
    with pytest.raises(ValueError, match="does not add up"):
        Transfer("earn", "earning 1", {ACCOUNTS[1]: Nano(-5), ACCOUNTS[2]: Nano(5 + wrong)})


@pytest.mark.parametrize("amount", [0, -1])
def test_nothing_moves_backwards_or_not_at_all(amount: int) -> None:
    with pytest.raises(ValueError, match="moves"):
        move("earn", "earning 1", ACCOUNTS[1], ACCOUNTS[2], Nano(amount))


def test_nothing_moves_to_where_it_is() -> None:
    with pytest.raises(ValueError, match="does not add up"):
        move("earn", "earning 1", ACCOUNTS[1], ACCOUNTS[1], Nano(1))


@given(histories.filter(bool), st.data())
def test_a_link_changes_with_any_change_before_or_in_its_batch(
    batch: list[Transfer], data: st.DataObject
) -> None:
    index = data.draw(st.integers(0, len(batch) - 1))
    one = batch[index]
    first, *rest = one.entries
    changed = data.draw(
        st.sampled_from(
            [
                replace(one, event=one.event + "!"),
                replace(one, about=one.about + "1"),
                replace(
                    one,
                    entries={
                        **one.entries,
                        first: Nano(one.entries[first] + 1),
                        rest[0]: Nano(one.entries[rest[0]] - 1),
                    },
                ),
            ]
        )
    )
    there = link(BEFORE, batch)
    assert there != link(BEFORE, [*batch[:index], changed, *batch[index + 1 :]])
    assert there != link(BEFORE, [*batch[:index], *batch[index + 1 :]])
    assert there != link(BEFORE, [*batch, one])
    assert there != link("1" + BEFORE[1:], batch)
    assert there == link(BEFORE, list(batch))


@given(transfers())
def test_the_order_in_which_entries_are_listed_does_not_change_the_link(one: Transfer) -> None:
    backwards = replace(one, entries=dict(reversed(list(one.entries.items()))))
    assert link(BEFORE, [one]) == link(BEFORE, [backwards])
