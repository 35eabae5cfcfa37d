"""Leaving: who asks for it is offered nothing more, and when all of his is judged and paid out, has his bond back.

The stage `release` gives it back. Joining again takes the wish back, before that and after.
"""

from datetime import timedelta

from msgspec import Struct

from optimai.core.conduct import State
from optimai.core.errors import BadMessage, WrongNetwork
from optimai.core.ids import OwnerId, fingerprint
from optimai.core.money import Nano
from optimai.network.store import conducts, leaving
from optimai.network.store.sql import Database
from optimai.wire import envelope
from optimai.wire.leaving import LEAVING, read_leaving

VALID = timedelta(minutes=10)


class Leaves(Struct, frozen=True, kw_only=True):
    """What an owner who leaves still waits for."""

    owner: OwnerId
    waiting: int  # results without a verdict, and lines of pay that are not free yet
    bond: Nano  # that comes back then,
    owed: Nano  # less this
    lost: Nano  # of kinds for which he is suspended


async def leave_signed(database: Database, data: bytes) -> Leaves:
    """Saying it again changes nothing, and tells how far it is."""
    signed = envelope.read(data)
    said = read_leaving(signed)
    envelope.verify(signed, LEAVING, said.owner_key)
    if said.network != database.network.id:
        raise WrongNetwork(said.network, database.network.id)
    owner = OwnerId(fingerprint(said.owner_key))
    async with database.begin() as (tx, now):
        if abs(now - said.at) > VALID:
            raise BadMessage(f"it was signed at {said.at}, and it is {now} here")
        await leaving.wish(tx, owner, now)
        his = list((await conducts.of(tx, [owner])).values())
        return Leaves(
            owner=owner,
            waiting=await leaving.waiting(tx, owner),
            bond=Nano(sum(one.bond for one in his if one.state is not State.SUSPENDED)),
            owed=Nano(sum(min(one.owed, one.bond) for one in his if one.state is not State.SUSPENDED)),
            lost=Nano(sum(one.bond for one in his if one.state is State.SUSPENDED)),
        )
