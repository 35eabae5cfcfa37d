"""From signed results to a verdict, in a form that a stranger can recompute.

The network's judge and `optimai verify` call the very same functions: what they are
given is what an epoch's bundle publishes, and what they return is what it claims.
"""

from collections.abc import Sequence
from typing import Any, Literal

import msgspec
from msgspec import Raw, Struct

from optimai.core.assignment import Role
from optimai.core.chance import MILLION, Ppm, Seed, happens
from optimai.core.ids import AssignmentId, EnvelopeId, NodeId, OwnerId, ResultId, TaskId
from optimai.kinds.catalog import Loaded
from optimai.kinds.contract import Answer, Case, Challenge, More, Verdict

NO_RESULT = ResultId("")  # of a node that went away: standing work is judged by its answers to challenges


class Draw(Struct, frozen=True):
    """Whether a task was to be audited, and why. Chance is drawn from the epoch's seed."""

    audit: bool
    # closing: it waited too long for later audits; fault: another of its owner's results fell
    why: Literal["always", "probation", "chance", "closing", "fault", "opinions", "nobody else"]
    epoch: int
    rate: Ppm = Ppm(MILLION)  # the chance with which it was drawn


class Shown(Challenge, frozen=True, kw_only=True):
    """A challenge, and where its answer was signed."""

    id: int
    envelope: EnvelopeId | None  # None: it was not answered


class Given(Struct, frozen=True, kw_only=True):
    """One result as the judge was given it."""

    assignment: AssignmentId
    owner: OwnerId
    node: NodeId
    role: Role
    result: ResultId  # or NO_RESULT
    price: int
    quality: Ppm  # the share of the price that its owner is paid,
    rate: Ppm  # and of his results that were audited: pinned when it was offered,
    epoch: int  # in this one,
    waited: int  # when the task had stood open for so many milliseconds
    trusted: bool
    checked: int = 0  # units that an earlier verdict on this very task found checked,
    faults: int = 0  # and fallen: the new verdict's count replaces them
    challenges: tuple[Shown, ...] = ()
    refused: str = ""  # why its rows could not be taken at all; it is then no answer


class Asked(Struct, frozen=True, kw_only=True):
    """A case before it is judged."""

    task: TaskId
    step: str
    kind: str
    options: Raw
    body: Raw
    units: int
    last: bool
    given: tuple[Given, ...]


class Found(Struct, frozen=True):
    assignment: AssignmentId
    units: int
    checked: int
    faults: int
    why: str


class Ruled(Struct, frozen=True, kw_only=True):
    """What a verdict says, as plain values."""

    believed: Raw
    found: tuple[Found, ...]
    reason: str


class Record(Struct, frozen=True, kw_only=True):
    """A verdict as it is kept and published: what was judged, how the audit was drawn, what was found."""

    asked: Asked
    draw: Draw
    ruled: Ruled


def draw(
    kind: Loaded,
    task: TaskId,
    *,
    rate: Ppm,
    always: bool,
    pinned: Sequence[Ppm],
    seed: Seed,
    epoch: int,
    others: bool,
) -> Draw:
    """Is this task to be audited? `rate` is its step's, `pinned` are those of who answered; `others`: could anybody."""
    if kind.kind.audit == 0 and not always:
        return Draw(False, "opinions", epoch)
    if not others:
        return Draw(False, "nobody else", epoch)
    if always:
        return Draw(True, "always", epoch)
    most = max(pinned, default=rate)
    if most > rate:
        return Draw(True, "probation", epoch)
    return Draw(happens(seed, most, "audit", task), "chance", epoch, most)


def case(kind: Loaded, asked: Asked, results: Sequence[Raw]) -> Case[Any, Any, Any]:
    """The typed case. Refused results are left out."""
    return Case(
        step=asked.step,
        options=msgspec.json.decode(asked.options, type=kind.options),
        task=msgspec.json.decode(asked.body, type=kind.task),
        units=asked.units,
        answers=[
            Answer(
                assignment=one.assignment,
                owner=one.owner,
                role=one.role,
                result=msgspec.json.decode(result, type=kind.result) if one.result else None,
                trusted=one.trusted,
                challenges=one.challenges,
            )
            for one, result in zip(asked.given, results, strict=True)
            if not one.refused
        ],
        last=asked.last,
    )


def unreadable(kind: Loaded, result: Raw) -> str:
    """Why a result is none of this kind, or ""."""
    try:
        msgspec.json.decode(result, type=kind.result)
    except msgspec.DecodeError as fault:
        return f"The result can't be read: {fault}."
    return ""


def rule(kind: Loaded, asked: Asked, results: Sequence[Raw]) -> Ruled | More:
    """The verdict, or how many more owners are wanted. Refused results are faults in all their units.

    Raises ValueError where a judge breaks its contract: the case is then parked for its author.
    """
    typed = case(kind, asked, results)
    if not typed.answers:
        if not asked.last:
            return More(1, "no result could be taken")
        outcome: Verdict[Any] | More = Verdict(believed=None, findings={}, reason="no result could be taken")
    else:
        outcome = kind.agree(typed)
    if isinstance(outcome, More):
        if asked.last:
            raise ValueError(f"{kind.kind.name} asks for more where nobody more can be had")
        return outcome
    if not outcome.reason:
        raise ValueError(f"{kind.kind.name} gives no reason for its verdict")
    found = []
    for one in asked.given:
        if one.refused:
            found.append(Found(one.assignment, 0, asked.units, asked.units, one.refused))
            continue
        finding = outcome.findings[one.assignment]
        if not (0 <= finding.units <= asked.units and 0 <= finding.faults <= finding.checked):
            raise ValueError(f"{kind.kind.name} finds {finding} in a task of {asked.units} units")
        # To agree is an observation of an auditor, too (decision 015).
        checked = max(finding.checked, int(one.role is Role.AUDIT and finding.units > 0))
        found.append(Found(one.assignment, finding.units, checked, finding.faults, finding.why))
    return Ruled(
        believed=Raw(msgspec.json.encode(outcome.believed, order="sorted")),
        found=tuple(found),
        reason=outcome.reason,
    )
