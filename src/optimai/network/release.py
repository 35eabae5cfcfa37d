"""Release: what is earned becomes free; who was suspended long enough begins again, and who leaves has his bond back.

An earning is due when its time to appeal is over and its work was looked at, or three later audits of its owner in the
same kind were clean. What he owes for faults is taken from it first, then his bond is filled. It runs alone with the
judge: both change conduct, and a stranger recomputes it in the order in which they did.
"""

from datetime import timedelta

from optimai.core.clock import Instant
from optimai.core.conduct import Conduct, State
from optimai.core.money import Nano
from optimai.core.protocol import Protocol
from optimai.kinds import catalog, consequence
from optimai.network import purse
from optimai.network.purse import Freed
from optimai.network.store import conducts, epochs, leaving, money
from optimai.network.store.conducts import Ended
from optimai.network.store.sql import Tx


async def run(tx: Tx, now: Instant, limit: int) -> int:
    """Free at most `limit` earnings that are due."""
    epoch = await epochs.current(tx)
    protocol = epoch.protocol
    if epoch.closing:
        return 0
    ended = await conducts.over(tx, now, timedelta(seconds=protocol.away)) + await _leave(tx, protocol, limit)
    if ended:
        await conducts.end(tx, ended, epoch.number, now)
        await purse.unbond(tx, ended, await money.number(tx), now)
    due = await money.due(tx, now, protocol.again.clear, limit)
    if due:
        known = await conducts.of(tx, sorted({one.earning.owner for one in due}))
        freed = []
        for one in sorted(due, key=lambda one: one.earning.id):
            key = (one.earning.owner, one.kind, one.role)
            kind = catalog.load(one.kind)
            known[key], split = consequence.paid_out(
                protocol, kind, one.role, one.price, one.earning.amount, known.get(key, Conduct())
            )
            freed.append(Freed(one.earning, split))
        await conducts.save(
            tx, {key: known[key] for key in {(one.earning.owner, one.kind, one.role) for one in due}}
        )
        await purse.release(tx, freed, await money.number(tx), now)
    return len(due) + len(ended)


async def _leave(tx: Tx, protocol: Protocol, limit: int) -> list[Ended]:
    """Of who asked to leave and waits for nothing any more: what comes back of each bond."""
    owners = await leaving.ready(tx, limit)
    found = []
    for key, stands in (await conducts.of(tx, owners)).items() if owners else ():
        if stands.state is not State.SUSPENDED:
            back = consequence.returned(protocol, catalog.load(key[1]), key[2], stands)
            found.append(Ended(key, Nano(stands.bond - back), back))
    return found
