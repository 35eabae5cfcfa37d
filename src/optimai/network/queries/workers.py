"""Who works on a campaign: what held, what was checked, what it earned, and each zero's reason.

Simulated people without trouble are told together; whoever is suspended, or was found
wrong, stands by name.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence, Set

from msgspec import Struct

from optimai.core.assignment import Role
from optimai.core.chance import MILLION, Ppm
from optimai.core.clock import Instant
from optimai.core.conduct import State
from optimai.core.ids import CampaignId, NodeId, OwnerId
from optimai.core.money import Nano
from optimai.kinds import catalog
from optimai.network.queries.private import WHY
from optimai.network.store import nodes, watching
from optimai.network.store.nodes import ALIVE
from optimai.network.store.sql import Record, Tx


class Suspension(Struct, frozen=True):
    """Since when, and for what: as it was counted then. What is judged again since changes its standing, not this."""

    kind: str
    since: Instant
    checked: int
    faults: int


class Worker(Struct, frozen=True, kw_only=True):
    """A node, or several simulated people together (then `node` is None)."""

    name: str
    node: NodeId | None
    count: int = 1
    hands: str
    simulated: bool
    alive: bool
    accepted: int  # units that held
    checked: int  # units that somebody else's work, or a known answer, confirmed or refuted
    faults: int
    quality: Ppm | None  # right share of what was checked; None where nothing was
    in_hand: tuple[tuple[str, int], ...]  # (step, tasks)
    probation: tuple[str, ...]  # kinds in which all of its work is still done twice
    unchecked: tuple[str, ...]  # kinds in which it would be, but nobody else is there to do it
    suspended: tuple[Suspension, ...]
    available: Nano
    pending: Nano
    zero_why: str  # why it has earned nothing; "" if it has


def done_twice(kind: str) -> bool:
    """Whether it is checked by doing it again; else several are asked, or the right answers are known."""
    whole = catalog.there().whole
    return kind in whole and whole[kind].kind.checks == "again"


def quality(checked: int, faults: int) -> Ppm | None:
    return Ppm((checked - faults) * MILLION // checked) if checked else None


async def alone(tx: Tx, now: Instant, kinds: Set[str], owners: Set[OwnerId]) -> Set[tuple[OwnerId, str]]:
    """Who has nobody to check them in which kind: in a private network their audits are waived."""
    if not tx.network.private:
        return frozenset()
    able = await nodes.able(tx, sorted(kinds), now)
    return {(owner, kind) for owner in owners for kind in kinds if able[kind] <= {owner}}


async def of(tx: Tx, now: Instant, campaign: CampaignId, reasons: bool) -> tuple[Worker, ...]:
    """With `reasons`, or without the words of its judges and nodes: these may tell what its rows say."""
    rows = await watching.workers(tx, campaign)
    in_hand: dict[NodeId, list[tuple[str, int]]] = defaultdict(list)
    for one in await watching.in_hand(tx, campaign):
        in_hand[one["node"]].append((one["step"], one["tasks"]))
    conducts: dict[OwnerId, dict[str, Record]] = defaultdict(dict)
    for one in await watching.conducts(tx, sorted({row["owner"] for row in rows})):
        if one["role"] == Role.ANSWER:
            conducts[one["owner"]][one["kind"]] = one
    by_itself = await alone(
        tx, now, {kind for row in rows for kind in row["kinds"]}, {row["owner"] for row in rows}
    )
    return together(
        [_worker(now, row, reasons, in_hand[row["id"]], conducts[row["owner"]], by_itself) for row in rows]
    )


def _worker(
    now: Instant,
    row: Record,
    reasons: bool,
    in_hand: Sequence[tuple[str, int]],
    conducts: Mapping[str, Record],
    by_itself: Set[tuple[OwnerId, str]],
) -> Worker:
    here = {kind: conducts[kind] for kind in row["kinds"] if kind in conducts}
    suspended = tuple(found for one in here.values() if (found := suspension(one)))
    barred = {one.kind for one in suspended}
    probation = [
        kind
        for kind in row["kinds"]
        if kind not in barred
        and done_twice(kind)
        and (kind not in here or here[kind]["state"] == State.PROBATION)
    ]
    return Worker(
        name=row["name"],
        node=row["id"],
        hands=row["hands"],
        simulated=row["simulated"],
        alive=row["seen"] > now - ALIVE,
        accepted=row["accepted"],
        checked=row["checked"],
        faults=row["faults"],
        quality=quality(row["checked"], row["faults"]),
        in_hand=tuple(in_hand),
        probation=tuple(kind for kind in probation if (row["owner"], kind) not in by_itself),
        unchecked=tuple(kind for kind in probation if (row["owner"], kind) in by_itself),
        suspended=suspended,
        available=row["available"],
        pending=row["pending"],
        zero_why=_zero_why(row, suspended, reasons),
    )


def suspension(conduct: Record) -> Suspension | None:
    if conduct["suspended"] is None:
        return None
    return Suspension(*(conduct[name] for name in ("kind", "suspended", "then_checked", "then_faults")))


def _zero_why(row: Record, suspended: Sequence[Suspension], reasons: bool) -> str:
    if row["available"] or row["pending"]:
        return ""
    if not row["dearest"]:
        return "nobody is paid for this step"
    if suspended:
        return "what was not paid yet is void"
    if row["unjudged"]:
        return "what it sent waits for a verdict"
    if row["why"] and not reasons:
        return WHY
    return row["why"] or "it has not sent anything yet"


def together(workers: Sequence[Worker]) -> tuple[Worker, ...]:
    """Simulated people of whom there is nothing to tell become one line, where the first of them stood."""
    plain = [one for one in workers if one.simulated and one.hands == "person" and not one.suspended]
    if len(plain) < 2:
        return tuple(workers)
    steps: dict[str, int] = defaultdict(int)
    for one in plain:
        for step, tasks in one.in_hand:
            steps[step] += tasks
    checked, faults = sum(one.checked for one in plain), sum(one.faults for one in plain)
    available, pending = sum(one.available for one in plain), sum(one.pending for one in plain)
    crowd = Worker(
        name=f"{len(plain)} people",
        node=None,
        count=len(plain),
        hands="person",
        simulated=True,
        alive=any(one.alive for one in plain),
        accepted=sum(one.accepted for one in plain),
        checked=checked,
        faults=faults,
        quality=quality(checked, faults),
        in_hand=tuple(steps.items()),
        probation=tuple(sorted(set.intersection(*(set(one.probation) for one in plain)))),
        unchecked=tuple(sorted(set.intersection(*(set(one.unchecked) for one in plain)))),
        suspended=(),
        available=Nano(available),
        pending=Nano(pending),
        zero_why="" if available + pending else plain[0].zero_why,
    )
    rest = [one for one in workers if one not in plain]
    place = sum(one.available + one.pending >= available + pending for one in rest)
    return (*rest[:place], crowd, *rest[place:])
