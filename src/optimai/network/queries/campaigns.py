"""Campaigns: all of them in a line each, and one with everything that a page or `status` tells about it."""

from collections.abc import Sequence
from datetime import timedelta

import msgspec
from msgspec import Struct

from optimai.core import campaign as written
from optimai.core.clock import Instant
from optimai.core.errors import NotFound
from optimai.core.ids import CampaignId
from optimai.core.money import Nano
from optimai.network.queries import checks, money, steps, workers
from optimai.network.queries.checks import Check
from optimai.network.queries.money import Money
from optimai.network.queries.private import Who, shown
from optimai.network.queries.steps import Step
from optimai.network.queries.workers import Worker
from optimai.network.store import watching
from optimai.network.store.sql import Tx

MOST = 200  # in the list


class Summary(Struct, frozen=True, kw_only=True):
    id: CampaignId
    name: str
    state: str
    budget: Nano
    spent: Nano
    steps: int
    sealed: int  # of its steps
    created: Instant
    ends: Instant
    ended: Instant | None
    version: int | None  # its dataset's last version,
    rows: int | None  # and the rows of that


class Made(Struct, frozen=True):
    """A version of its dataset."""

    name: str
    number: int
    rows: int
    at: Instant


class Campaign(Struct, frozen=True, kw_only=True):
    id: CampaignId
    newest: CampaignId  # of those with its name
    name: str
    state: str  # running, done, cancelled
    created: Instant
    ends: Instant
    ended: Instant | None
    now: Instant
    people: str  # real, simulated
    target: str  # the step that becomes the dataset
    steps: tuple[Step, ...]
    checks: tuple[Check, ...]
    workers: tuple[Worker, ...]
    money: Money
    version: Made | None
    no_rows: str  # why its dataset has none: which step made none, and what was told most of who worked there
    checked: int  # units that somebody else's work, or a known answer, confirmed or refuted
    faults: int  # and those refuted
    time_left: timedelta | None  # at the rate of the last minute; None while it can't be said


async def listed(tx: Tx) -> tuple[Summary, ...]:
    """The newest first."""
    return tuple(msgspec.convert(dict(row), Summary) for row in await watching.campaigns(tx, MOST))


async def named(tx: Tx, now: Instant, name: str, who: Who = None, number: int = 0) -> Campaign:
    """The campaign of that name and number (0: the one that runs, else the last one that did). Raises NotFound."""
    row = await watching.campaign(tx, name, number)
    if row is None:
        called = f"{name} with the number {number}" if number else name
        raise NotFound("campaign", called, "The page of all campaigns lists those there are.")
    spec = written.parse(msgspec.json.decode(row["spec"]))
    version = await watching.last_version(tx, row["id"])
    about = await steps.of(tx, now, row)
    reasons = shown(who, row)
    nodes = await workers.of(tx, now, row["id"], reasons)
    return Campaign(
        id=row["id"],
        newest=row["newest"],
        name=name,
        state=row["state"],
        created=row["created"],
        ends=row["ends"],
        ended=row["ended"],
        now=now,
        people=spec.people,
        target=spec.dataset.source,
        steps=about,
        checks=await checks.of(tx, row["id"], row["created"], row["ended"] or now, reasons),
        workers=nodes,
        money=await money.of(tx, row["id"], row["budget"]),
        version=Made(*version.values()) if version else None,
        no_rows=await _no_rows(tx, about, spec.dataset.source) if version and not version["rows"] else "",
        checked=sum(one.checked for one in nodes),
        faults=sum(one.faults for one in nodes),
        time_left=_time_left(next(step for step in about if step.name == spec.dataset.source)),
    )


async def _no_rows(tx: Tx, about: Sequence[Step], target: str) -> str:
    """Of the first step on the way to the dataset that made none."""
    steps = {step.name: step for step in about}
    step = steps[target]
    while step.source and steps[step.source].kind and not steps[step.source].rows:
        step = steps[step.source]
    why = await watching.commonest_why(tx, step.id)
    return f"{step.name}: {why or f'none came of the {step.rows_in:,} that it was given.'}"


def _time_left(step: Step) -> timedelta | None:
    if step.wanted is None or step.done >= step.wanted or not step.per_second:
        return None
    return timedelta(seconds=(step.wanted - step.done) / step.per_second)
