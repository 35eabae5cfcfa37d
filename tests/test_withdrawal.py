"""An owner takes out what is available, by its own signature."""

import msgspec
import pytest
from nacl.signing import SigningKey

from optimai.core import ledger
from optimai.core.errors import BadMessage, BadSignature, BadValue, Overdrawn, WrongNetwork
from optimai.core.ids import NetworkId, OwnerId, fingerprint
from optimai.core.money import Nano
from optimai.network import accounts
from optimai.network.accounts import Booked
from optimai.network.store import money
from optimai.network.store.sql import Database
from optimai.wire import envelope
from optimai.wire.withdrawal import WITHDRAWAL, Withdrawal

KEY = SigningKey(b"o" * 32)
OWNER = OwnerId(fingerprint(bytes(KEY.verify_key)))


def signed(
    network: NetworkId, amount: int, reference: str = "one", key: SigningKey = KEY, by: SigningKey = KEY
) -> bytes:
    said = Withdrawal(network=network, owner_key=bytes(key.verify_key), amount=amount, reference=reference)
    return envelope.write(envelope.sign(WITHDRAWAL, msgspec.json.encode(said), by))


@pytest.fixture
async def rich(database: Database) -> Database:
    """The owner has 100 nano-OPI."""
    async with database.begin() as (tx, now):
        earned = ledger.move("deposit", "test", ledger.OUTSIDE, ledger.available(OWNER), Nano(100))
        await money.post(tx, [earned], now)
    return database


async def test_the_same_reference_withdraws_once(rich: Database):
    for again in False, True:
        done = await accounts.withdraw_signed(rich, signed(rich.network.id, 30))
        assert done == (OWNER, Booked(Nano(70), again))
    done = await accounts.withdraw_signed(rich, signed(rich.network.id, 30, "two"))
    assert done == (OWNER, Booked(Nano(40), False))


async def test_nobody_withdraws_more_than_is_available(rich: Database):
    with pytest.raises(
        Overdrawn, match=r"0\.000000101 OPI were to be withdrawn, and 0\.0000001 are on the account"
    ):
        await accounts.withdraw_signed(rich, signed(rich.network.id, 101))


async def test_only_the_owner_s_key_withdraws(rich: Database):
    with pytest.raises(BadSignature):
        await accounts.withdraw_signed(rich, signed(rich.network.id, 30, by=SigningKey(b"x" * 32)))


async def test_a_withdrawal_for_another_network_is_refused(rich: Database):
    with pytest.raises(WrongNetwork):
        await accounts.withdraw_signed(rich, signed(NetworkId("f" * 32), 30))


@pytest.mark.parametrize("amount", [0, -5, 1 << 62])
async def test_an_amount_that_moves_nothing_is_refused(rich: Database, amount: int):
    with pytest.raises(BadMessage):
        await accounts.withdraw_signed(rich, signed(rich.network.id, amount))


async def test_nothing_is_no_deposit(rich: Database):
    async with rich.begin() as (tx, now):
        with pytest.raises(BadValue, match=r"'0\.000 OPI' is not an amount to deposit"):
            await accounts.deposit(tx, OWNER, Nano(0), "zero", now)
