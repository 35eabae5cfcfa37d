"""Stall: a step whose kind is damaged, or has other code than the step began with, waits and says so.

Whoever works, works under the rules that stood in the campaign from its begin. So no other stage
touches such a step, and nothing of it is offered; all other steps go on. With the old code it goes
on by itself. When its campaign's time is over, what nobody can judge or publish any more is parked.
"""

from optimai.core.clock import Instant
from optimai.kinds import catalog
from optimai.network.store import events, stalling
from optimai.network.store.sql import Tx


async def run(tx: Tx, now: Instant, limit: int) -> int:
    """Tell of steps that stall, each once; and park what is left in those that are over."""
    told = 0
    steps = await stalling.unlike(tx, catalog.there().hashes, limit)
    for step in steps:
        found = catalog.stalled(step.kind, step.code)
        if found is None:  # whoever runs beside us has other code
            continue
        end = tx.network.commands(f"cancel {step.name}")
        title = f"{step.path} waits: the kind {step.kind} {found.how}"
        why = (
            f"{found.why.rstrip('.')}. Nothing of it is offered, judged or published by other rules than those "
            f"it began with. Start the coordinator with that code again, and it goes on; or end it by `{end}` "
            f"and submit it again: what is not judged by now is then not paid."
        )
        told += await events.tell_once(tx, "bad", title, why, step.campaign, now)
    return told + await stalling.park_over(tx, [step.id for step in steps], now)
