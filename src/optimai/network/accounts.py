"""Accounts of requesters and contributors: what comes in from outside, and what goes out."""

from msgspec import Struct

from optimai.core import ledger
from optimai.core.clock import Instant
from optimai.core.errors import BadValue, NotEnough, Overdrawn, WrongNetwork
from optimai.core.ids import OwnerId, fingerprint
from optimai.core.ledger import OUTSIDE, Transfer
from optimai.core.money import Nano, opi
from optimai.network.store import money, reading
from optimai.network.store.sql import Database, Tx
from optimai.wire import envelope
from optimai.wire.withdrawal import WITHDRAWAL, read_withdrawal


class Booked(Struct, frozen=True):
    left: Nano  # on the account
    again: bool  # its reference was booked before, so nothing moved


async def deposit(tx: Tx, owner: OwnerId, amount: Nano, reference: str, now: Instant) -> Booked:
    """Once for each reference. Raises BadValue for nothing."""
    if amount <= 0:
        raise BadValue("an amount to deposit", f"{opi(amount)} OPI", "50 OPI")
    about = f"{owner} {reference}"
    return await _once(
        tx, owner, ledger.move("deposit", about, OUTSIDE, ledger.available(owner), amount), now
    )


async def withdraw(tx: Tx, owner: OwnerId, amount: Nano, reference: str, now: Instant) -> Booked:
    """Once for each reference. Raises Overdrawn where less is available."""
    about = f"{owner} {reference}"
    try:
        return await _once(
            tx, owner, ledger.move("withdraw", about, ledger.available(owner), OUTSIDE, amount), now
        )
    except NotEnough:
        raise Overdrawn(opi(await balance(tx, owner)), opi(amount)) from None


async def _once(tx: Tx, owner: OwnerId, transfer: Transfer, now: Instant) -> Booked:
    again = await money.posted(tx, transfer.event, transfer.about)
    if not again:
        await money.post(tx, [transfer], now)
    return Booked(await balance(tx, owner), again)


async def withdraw_signed(database: Database, data: bytes) -> tuple[OwnerId, Booked]:
    """What an owner's own signature asks for; the owner, and what became of it."""
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
