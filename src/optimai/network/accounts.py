"""Accounts of requesters and contributors: what comes in from outside, and what goes out."""

from optimai.core import ledger
from optimai.core.clock import Instant
from optimai.core.ids import OwnerId
from optimai.core.ledger import OUTSIDE
from optimai.core.money import Nano
from optimai.network.store import money
from optimai.network.store.sql import Tx


async def deposit(tx: Tx, owner: OwnerId, amount: Nano, reference: str, now: Instant) -> Nano:
    """Once for each reference; the balance after it."""
    about = f"{owner} {reference}"
    if not await money.posted(tx, "deposit", about):
        await money.post(tx, [ledger.move("deposit", about, OUTSIDE, ledger.available(owner), amount)], now)
    return await balance(tx, owner)


async def withdraw(tx: Tx, owner: OwnerId, amount: Nano, reference: str, now: Instant) -> Nano:
    """Once for each reference. Raises NotEnough where less is available."""
    about = f"{owner} {reference}"
    if not await money.posted(tx, "withdraw", about):
        await money.post(tx, [ledger.move("withdraw", about, ledger.available(owner), OUTSIDE, amount)], now)
    return await balance(tx, owner)


async def balance(tx: Tx, owner: OwnerId) -> Nano:
    account = ledger.available(owner)
    return (await money.balances(tx, [account]))[account]
