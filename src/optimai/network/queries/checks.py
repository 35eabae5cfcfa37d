"""What was checked in a campaign, and what was done about what went wrong, the latest first.

Each line is one of these:

    refused     a verdict found units of an answer wrong
    overturned  an earlier verdict had believed them
    uncounted   nobody was found wrong, yet nothing could be believed
    lapsed      no answer came within the lease; the place was given to another
    declined    a node said that it can't do it
    told        an event: a suspension, a coordinator that came back
"""

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from optimai.core.clock import Instant
from optimai.core.ids import CampaignId, NodeId
from optimai.core.money import Nano
from optimai.kinds.ruling import Found
from optimai.network.queries.private import WHY
from optimai.network.store import watching
from optimai.network.store.sql import Record, Tx

LOOKED_AT = 400  # refusals that are told together where they are alike
MOST = 24  # lines

What = Literal["refused", "overturned", "uncounted", "lapsed", "declined", "told"]
Tone = Literal["good", "warn", "bad", "plain"]

TONES: dict[What, Tone] = {"refused": "bad", "overturned": "warn", "uncounted": "plain"}


class Check(Struct, frozen=True, kw_only=True):
    at: Instant
    what: What
    tone: Tone
    title: str = ""  # told: the event's own
    why: str
    name: str = ""  # whose,
    node: NodeId | None = None
    simulated: bool = False
    step: str = ""  # of which step,
    audit: bool = False  # done as a check of somebody else's work
    unit: str = ""
    units: int = 0  # those that are not paid, or were before (lapsed, declined: how many tasks)
    tasks: int = 0
    reasons: frozenset[str] = frozenset()  # all there were; `why` is that of the last
    returned: Nano = Nano(0)  # what was reserved for them or pending, and went back to escrow
    paid: Nano = Nano(0)  # what had been paid for them, for good, before it was found out
    done: int = 0  # lapsed, declined: tasks that others have done since


async def of(tx: Tx, campaign: CampaignId, begin: Instant, end: Instant, reasons: bool) -> tuple[Check, ...]:
    """With `reasons`, or without the words of its judges and nodes: these may tell what its rows say."""
    refused = [_refused(row) for row in await watching.refused(tx, campaign, LOOKED_AT)]
    left = [_left(row) for row in await watching.left(tx, campaign, MOST)]
    told = [
        Check(
            at=row["at"],
            what="told",
            tone=row["tone"],
            title=row["title"],
            why=row["why"] if reasons or row["campaign"] is None or row["tone"] != "bad" else WHY,
        )
        for row in await watching.events(tx, campaign, begin, end, MOST)
    ]
    work = [*together(refused), *left]
    lines = [*told, *(work if reasons else [replace(one, why=WHY, reasons=frozenset()) for one in work])]
    return tuple(sorted(lines, key=lambda line: line.at, reverse=True)[:MOST])


def _refused(row: Record) -> Check:
    held_before = _held_before(row)
    overturned = held_before > row["held"]
    most = held_before if overturned else row["units"]  # that there was money for, when this verdict came
    paid = row["paid"] // row["price"] if row["price"] else 0
    unpaid = most - max(paid, row["held"] if row["trusted"] else 0)
    paid_before = max(0, paid - row["held"])
    what: What = "overturned" if overturned else "refused" if row["faults"] else "uncounted"
    return Check(
        at=row["at"],
        what=what,
        tone=TONES[what],
        why=row["why"],
        reasons=frozenset({row["why"]}),
        name="people" if row["crowd"] else row["name"],
        node=None if row["crowd"] else row["node"],
        simulated=row["simulated"],
        step=row["step"],
        audit=row["role"] == "audit",
        unit=row["unit"],
        units=unpaid + paid_before or row["faults"],
        tasks=1,
        returned=Nano(unpaid * row["price"]),
        paid=Nano(paid_before * row["price"]),
    )


def _held_before(row: Record) -> int:
    if row["before"] is None:
        return 0
    found: Sequence[Found] = msgspec.json.decode(row["before"], type=tuple[Found, ...])
    return next((one.units for one in found if one.assignment == row["id"]), 0)


def together(lines: Iterable[Check]) -> list[Check]:
    """What is told of somebody's work for a step becomes one line, at the time of the latest.

    What had been believed stays apart: that is another story.
    """
    found: dict[tuple[Any, ...], Check] = {}
    for line in sorted(lines, key=lambda line: line.at, reverse=True):
        key = (line.what == "overturned", line.node or line.name, line.step, line.audit)
        first = found.get(key)
        found[key] = line if first is None else _both(first, line)
    return list(found.values())


def _both(first: Check, second: Check) -> Check:
    what: What = "refused" if "refused" in (first.what, second.what) else first.what
    return replace(
        first,
        what=what,
        tone=TONES[what],
        units=first.units + second.units,
        tasks=first.tasks + second.tasks,
        reasons=first.reasons | second.reasons,
        returned=Nano(first.returned + second.returned),
        paid=Nano(first.paid + second.paid),
    )


def _left(row: Record) -> Check:
    return Check(
        at=row["at"],
        what=row["state"],
        tone="plain",
        why=row["why"],
        name=row["name"],
        node=row["node"],
        simulated=row["simulated"],
        step=row["step"],
        unit="task",
        units=row["tasks"],
        tasks=row["tasks"],
        done=row["done"],
    )
