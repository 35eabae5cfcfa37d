"""What becomes of an owner in a kind of work by what his audits found: probation, bond, fines, suspension.

    probation   the first twenty audits: everything is audited, and what holds is paid whole, into the bond
    standing    a share is audited; what is paid is a share of the price, by reputation
    suspended   no work and no pay; a day later the bond is lost, and he may begin again, as a newcomer

The bond is the first thirty units that he earns, so a newcomer deposits nothing; it comes back when he leaves in good
standing, or on probation where all that he did was audited. A fault that a sample finds stands for those that it did
not: where a share r of results is audited, each fault found costs

    fine = 1.5 x price x units that fell / r

so lying costs more than it brings at every share of lies, in the mean, and an honest machine that errs once in two
hundred loses about one in a hundred of its pay. A fine is owed: it is taken from what is paid out next, and
from the bond of who leaves. Three faults in twenty audits, or a reputation whose lower bound is below .6 after twenty,
and he is suspended. Where a later verdict takes the faults back, so is the suspension.

Work that was not audited itself waits for three later audits that were clean: who turns to lying loses what he lied
about just before. Nobody waits for work that does not come: of what has waited too long, three results are drawn
and audited, and stand for the others (`closing`).

To audit is a kind of work too. Its faults are to accuse falsely, which a jury finds, and to miss a fault that was
planted in a tenth of audits (in half of a newcomer's): every audit counts as one observation, else who errs as seldom
as all others would be suspended for the few of his audits that anybody looks at.

An audited task is one observation. Of opinions each known answer is one, and of what is held each answer to a challenge
(`Terms.each`). People err in one of six, so no single error is fined, and suspended is who is not right in more of the
last twenty than chance would be, and .15; who holds something, by three wrong answers of twenty.

Amounts are nano-OPI, shares parts per million; rounding is against the owner.
"""

from enum import StrEnum
from typing import Annotated, Literal, NamedTuple

from msgspec import Meta, Struct
from msgspec.structs import replace

from optimai.core import reputation
from optimai.core.chance import MILLION, Ppm
from optimai.core.errors import WrongMove
from optimai.core.money import Nano
from optimai.core.reputation import Reputation


class State(StrEnum):
    PROBATION = "probation"
    STANDING = "standing"
    SUSPENDED = "suspended"


MOVES = {
    State.PROBATION: {State.STANDING, State.SUSPENDED},
    State.STANDING: {State.SUSPENDED, State.PROBATION},  # back: what he had stood was taken back
    State.SUSPENDED: {State.PROBATION, State.STANDING},
}


Count = Annotated[int, Meta(ge=0, le=10_000)]
Some = Annotated[int, Meta(ge=1, le=10_000)]
Share = Annotated[Ppm, Meta(ge=0, le=MILLION)]
Rate = Annotated[Ppm, Meta(ge=1, le=MILLION)]


class Terms(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Numbers of the protocol for one way of checking; the laboratory justifies them."""

    each: Literal["task", "unit"] = "task"  # what is an observation
    audit: Rate = Ppm(50_000)  # of the results of who is in standing,
    newcomer: Rate = Ppm(MILLION)  # and of who is on probation
    probation: Count = 20  # observations
    bond: Count = 30  # units
    # of the price of what fell, over the audit rate
    fine: Annotated[Ppm, Meta(ge=0, le=100 * MILLION)] = Ppm(1_500_000)
    clear: Count = 3  # later audits that were clean
    faults: Some = 3  # suspend, in this many observations; of units the number follows from `least`
    window: Some = 20
    # of tasks the lower bound of reputation after so many; of units the share that is right, above chance
    least: Share = Ppm(600_000)


TERMS = Terms()
AUDITING = Terms(audit=Ppm(100_000), newcomer=Ppm(500_000))  # planted faults are what audits an auditor
OPINIONS = Terms(each="unit", fine=Ppm(0), least=Ppm(150_000))
CHALLENGES = Terms(each="unit", least=Ppm(900_000))
NONE, ALL = Ppm(0), Ppm(MILLION)


class Units(NamedTuple):
    """What a verdict found of a result: units that somebody looked at, and those of them that fell."""

    checked: int = 0
    faults: int = 0


NOTHING = Units()


class Conduct(Struct, frozen=True):
    """Of an owner in a kind of work, as who answers or as who audits."""

    state: State = State.PROBATION
    reputation: Reputation = Reputation()
    audits: int = 0  # observations since he began, or began again,
    clean: int = 0  # and audited tasks of them in which nothing fell, or no more than is tolerated
    checked: int = 0  # units,
    faults: int = 0  # and how many of them fell
    # the last observations, the newest last: the task and whether it fell
    recent: tuple[tuple[int, bool], ...] = ()
    bond: Nano = Nano(0)
    owed: Nano = Nano(0)  # fines that are not paid yet

    @property
    def fell(self) -> int:
        """How many of the last observations."""
        return sum(fell for _, fell in self.recent)


class Split(NamedTuple):
    """Where an amount goes that is paid out."""

    fined: Nano
    kept: Nano  # in the bond
    free: Nano


def observe(
    conduct: Conduct,
    now: Units,
    terms: Terms = TERMS,
    *,
    task: int = 0,
    before: Units = NOTHING,
    tolerated: Ppm = NONE,
    chance: Ppm = NONE,
) -> Conduct:
    """A verdict on a task of his; `before` is what an earlier one had found of the same result, and now counts no more.

    A task falls when more than a share `tolerated` of its checked units does. `chance` is what a guess is right in.
    Who is suspended stays so, whatever else of his is looked at, unless what was found before is taken back.
    """
    if now == before:
        return conduct
    first = before.checked == 0
    seen, saw = _falls(now, terms, tolerated), _falls(before, terms, tolerated)
    after = replace(
        conduct,
        reputation=_reputed(conduct.reputation, now, before, terms),
        audits=conduct.audits + len(seen) - len(saw),
        clean=conduct.clean + _clean(now, tolerated) - _clean(before, tolerated),
        checked=conduct.checked + now.checked - before.checked,
        faults=conduct.faults + now.faults - before.faults,
        recent=_remember(conduct.recent, task, seen, first)[-terms.window :],
    )
    return _stand(after, terms, chance, lift=not first)


def begin_again(conduct: Conduct) -> Conduct:
    """His time is over. He is a newcomer, and nothing else: a new name would have gained him nothing."""
    if conduct.state is not State.SUSPENDED:
        raise WrongMove("An owner's conduct", conduct.state, "a new beginning")
    return Conduct()


def _falls(units: Units, terms: Terms, tolerated: Ppm) -> tuple[bool, ...]:
    """Of each observation in a verdict whether it fell. Faults come last, against the owner."""
    if not units.checked:
        return ()
    if terms.each == "task":
        return (not _clean(units, tolerated),)
    return (False,) * (units.checked - units.faults) + (True,) * units.faults


def _clean(units: Units, tolerated: Ppm) -> bool:
    return units.checked > 0 and units.faults * MILLION <= units.checked * tolerated


def _reputed(before: Reputation, now: Units, was: Units, terms: Terms) -> Reputation:
    if terms.each == "task":
        held = [Ppm((now.checked - now.faults) * MILLION // now.checked)] if now.checked else []
        held_before = [Ppm((was.checked - was.faults) * MILLION // was.checked)] if was.checked else []
    else:
        held, held_before = ([ALL] * (one.checked - one.faults) + [NONE] * one.faults for one in (now, was))
    if held_before:
        return reputation.amend(before, held_before, held)
    for share in held:
        before = reputation.observe(before, share)
    return before


def _remember(
    recent: tuple[tuple[int, bool], ...], task: int, seen: tuple[bool, ...], first: bool
) -> tuple[tuple[int, bool], ...]:
    """What is found anew of a task stands where the task stood; what has left the window does not come back."""
    news = tuple((task, fell) for fell in seen)
    if first:
        return (*recent, *news)
    at = next((place for place, (other, _) in enumerate(recent) if other == task), None)
    if at is None:
        return recent
    return (*recent[:at], *news, *(one for one in recent[at:] if one[0] != task))


def _stand(conduct: Conduct, terms: Terms, chance: Ppm, *, lift: bool) -> Conduct:
    if _too_bad(conduct, terms, chance) or (conduct.state is State.SUSPENDED and not lift):
        to = State.SUSPENDED
    else:
        to = State.STANDING if conduct.audits >= terms.probation else State.PROBATION
    return conduct if to is conduct.state else _move(conduct, to)


def _too_bad(conduct: Conduct, terms: Terms, chance: Ppm) -> bool:
    if terms.each == "unit":
        return conduct.fell * MILLION > terms.window * max(0, MILLION - chance - terms.least)
    known = conduct.audits >= terms.window  # of whom less is known the lower bound is low, whatever he did
    return conduct.fell >= terms.faults or (known and reputation.bound(conduct.reputation) < terms.least)


def rate(conduct: Conduct, terms: Terms = TERMS) -> Ppm:
    """The share of his results that is audited now; it is pinned when he is offered work."""
    return terms.audit if conduct.state is State.STANDING else terms.newcomer


def quality(conduct: Conduct, good: Ppm, chance: Ppm = NONE) -> Ppm:
    """The share of a price that he is paid; `good` is the lower bound, above chance, that the campaign pays whole."""
    if conduct.state is State.PROBATION:
        return Ppm(MILLION)
    if conduct.state is State.SUSPENDED:
        return NONE
    return reputation.quality(reputation.bound(conduct.reputation), chance=chance, good=good)


def earn(conduct: Conduct, amount: Nano, price: Nano, terms: Terms = TERMS) -> tuple[Conduct, Split]:
    """An amount is paid out: what is owed first, then the bond up to so many units at this price, then he has it."""
    fined = min(amount, conduct.owed)
    kept = min(amount - fined, max(0, terms.bond * price - conduct.bond))
    after = replace(conduct, owed=Nano(conduct.owed - fined), bond=Nano(conduct.bond + kept))
    return after, Split(Nano(fined), Nano(kept), Nano(amount - fined - kept))


def returned(conduct: Conduct, terms: Terms = TERMS) -> Nano:
    """The bond, to who leaves, less what he owes: to who leaves on probation only if everything of his was audited."""
    looked_at = conduct.state is State.STANDING or (
        conduct.state is State.PROBATION and terms.newcomer == MILLION
    )
    return Nano(max(0, conduct.bond - conduct.owed)) if looked_at else Nano(0)


def fine(price: Nano, fell: int, rate: Ppm, terms: Terms = TERMS) -> Nano:
    """For `fell` units of a result that was audited with this chance. Raises ValueError for none."""
    if not 0 < rate <= MILLION:
        raise ValueError(f"an audit rate of {rate} ppm")
    return Nano(-(-price * fell * terms.fine // rate))


def charge(conduct: Conduct, fine: Nano) -> Conduct:
    """He owes a fine; one below zero is taken back, as far as it was not paid yet."""
    return replace(conduct, owed=Nano(max(0, conduct.owed + fine)))


def clear(audited: bool, later_clean: int, terms: Terms = TERMS) -> bool:
    """May a result be paid out, once the time to appeal is over?"""
    return audited or later_clean >= terms.clear


def closing(waiting: int, terms: Terms = TERMS) -> tuple[int, Ppm]:
    """Of so many results that wait for later audits: how many are audited instead, and the rate that this is."""
    drawn = min(waiting, max(1, terms.clear))
    return drawn, Ppm(-(-drawn * MILLION // waiting)) if waiting else Ppm(MILLION)


def _move(conduct: Conduct, to: State) -> Conduct:
    if to not in MOVES[conduct.state]:
        raise WrongMove("An owner's conduct", conduct.state, to)
    return replace(conduct, state=to)
