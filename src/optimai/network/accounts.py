"""Accounts of requesters and contributors: what comes in from outside, and what goes out."""

from optimai.core import ledger
from optimai.core.clock import Instant
from optimai.core.errors import BadValue, WrongNetwork
from optimai.core.ids import OwnerId, fingerprint
from optimai.core.ledger import OUTSIDE, Transfer
from optimai.core.money import Nano, opi
from optimai.network.store import money, reading
from optimai.network.store.sql import Database, Tx
from optimai.wire import envelope
from optimai.wire.withdrawal import WITHDRAWAL, read_withdrawal


async def deposit(tx: Tx, owner: OwnerId, amount: Nano, reference: str, now: Instant) -> Nano:
    """Once for each reference; the balance after it. Raises BadValue for nothing."""
    if amount <= 0:
        raise BadValue("an amount to deposit: it has to be more than nothing", f"{opi(amount)} OPI", "50 OPI")
    about = f"{owner} {reference}"
    await _once(tx, ledger.move("deposit", about, OUTSIDE, ledger.available(owner), amount), now)
    return await balance(tx, owner)


async def withdraw(tx: Tx, owner: OwnerId, amount: Nano, reference: str, now: Instant) -> Nano:
    """Once for each reference; the balance after it. Raises NotEnough where less is available."""
    about = f"{owner} {reference}"
    await _once(tx, ledger.move("withdraw", about, ledger.available(owner), OUTSIDE, amount), now)
    return await balance(tx, owner)


async def _once(tx: Tx, transfer: Transfer, now: Instant) -> None:
    if not await money.posted(tx, transfer.event, transfer.about):
        await money.post(tx, [transfer], now)


async def withdraw_signed(database: Database, data: bytes) -> tuple[OwnerId, Nano]:
    """What an owner's own signature asks for; the owner, and what is left."""
    signed = envelope.read(data)
    said = read_withdrawal(signed)
    envelope.verify(signed, WITHDRAWAL, said.owner_key)
    if said.network != database.network.id:
        raise WrongNetwork(said.network, database.network.id)
    owner = OwnerId(fingerprint(said.owner_key))
    async with database.begin() as (tx, now):
        return owner, await withdraw(tx, owner, Nano(said.amount), said.reference, now)


async def balance(tx: Tx, owner: OwnerId) -> Nano:
    """What is available to an owner. Nobody waits for whoever only looks."""
    return await reading.balance(tx, ledger.available(owner))
