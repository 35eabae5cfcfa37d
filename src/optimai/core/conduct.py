"""What becomes of an owner in a kind of work by what his audits found: probation, bond, fines, suspension.

    probation   the first twenty audits: everything is audited, and what holds is paid whole, into the bond
    standing    a share is audited; what is paid is a share of the price, by reputation
    suspended   no work and no pay, the bond is lost; a day later he may begin again, as a newcomer

The bond is the first thirty units that he earns, so a newcomer deposits nothing; it comes back when he leaves in good
standing, or on probation where all that he did was audited. A fault that a sample finds stands for those that it did
not: where a share r of results is audited, each fault found costs

    fine = 1.5 x price x units that fell / r

so lying costs more than it brings at every share of lies, in the mean, and an honest machine that errs once in two
hundred loses about one in a hundred of its pay to fines. They come from what is pending, then from the bond. Three
faults in twenty audits, or a reputation whose lower bound is below .6 after twenty, and he is suspended.

Work that was not audited itself waits for three later audits that were clean: who turns to lying loses what he lied
about just before.

To audit is a kind of work too. Its faults are to accuse falsely, which a jury finds, and to miss a fault that was
planted in a tenth of audits (in half of a newcomer's): every audit counts as one observation, else who errs as seldom
as all others would be suspended for the few of his audits that anybody looks at.

Amounts are nano-OPI, shares parts per million; rounding is against the owner.
"""

from enum import StrEnum
from typing import Annotated

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
    State.STANDING: {State.SUSPENDED},
    State.SUSPENDED: {State.PROBATION},
}


Count = Annotated[int, Meta(ge=0, le=10_000)]
Some = Annotated[int, Meta(ge=1, le=10_000)]
Share = Annotated[Ppm, Meta(ge=0, le=MILLION)]
Rate = Annotated[Ppm, Meta(ge=1, le=MILLION)]


class Terms(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Numbers of the protocol for work of machines; the laboratory justifies them."""

    audit: Rate = Ppm(50_000)  # of the results of who is in standing,
    newcomer: Rate = Ppm(MILLION)  # and of who is on probation
    probation: Count = 20  # audits
    bond: Count = 30  # units
    # of the price of what fell, over the audit rate
    fine: Annotated[Ppm, Meta(ge=0, le=100 * MILLION)] = Ppm(1_500_000)
    clear: Count = 3  # later audits that were clean
    faults: Some = 3  # suspend, in this many audits:
    window: Some = 20
    least: Share = Ppm(600_000)  # lower bound of reputation after probation


TERMS = Terms()
AUDITING = Terms(audit=Ppm(100_000), newcomer=Ppm(500_000))  # planted faults are what audits an auditor


class Conduct(Struct, frozen=True):
    """Of an owner in a kind of work."""

    state: State = State.PROBATION
    reputation: Reputation = Reputation()
    audits: int = 0  # since he began, or began again
    recent: tuple[bool, ...] = ()  # whether something fell in each of the last ones, the newest last
    bond: Nano = Nano(0)


def audited(conduct: Conduct, held: Ppm, terms: Terms = TERMS) -> Conduct:
    """One more of his results was audited, and a share `held` of its checked units held.

    Nothing changes for who is suspended: it was a result from before.
    """
    if conduct.state is State.SUSPENDED:
        return conduct
    after = replace(
        conduct,
        reputation=reputation.observe(conduct.reputation, held),
        audits=conduct.audits + 1,
        recent=(*conduct.recent, held < MILLION)[-terms.window :],
    )
    stood = after.audits >= terms.probation
    if sum(after.recent) >= terms.faults or (stood and reputation.bound(after.reputation) < terms.least):
        return replace(_move(after, State.SUSPENDED), bond=Nano(0))
    return _move(after, State.STANDING) if stood and after.state is State.PROBATION else after


def begin_again(conduct: Conduct) -> Conduct:
    """His time is over. He is a newcomer, and nothing else: a new name would have gained him nothing."""
    _move(conduct, State.PROBATION)
    return Conduct()


def rate(conduct: Conduct, terms: Terms = TERMS) -> Ppm:
    """The share of his results that is audited now; it is pinned when he is offered work."""
    return terms.audit if conduct.state is State.STANDING else terms.newcomer


def quality(conduct: Conduct, good: Ppm) -> Ppm:
    """The share of a price that he is paid; `good` is the lower bound that the campaign pays whole."""
    if conduct.state is State.PROBATION:
        return Ppm(MILLION)
    if conduct.state is State.SUSPENDED:
        return Ppm(0)
    return reputation.quality(reputation.bound(conduct.reputation), chance=Ppm(0), good=good)


def earn(conduct: Conduct, amount: Nano, price: Nano, terms: Terms = TERMS) -> tuple[Conduct, Nano]:
    """What of an amount is his to have: the rest fills the bond up to so many units at this price."""
    kept = min(amount, max(0, terms.bond * price - conduct.bond))
    return replace(conduct, bond=Nano(conduct.bond + kept)), Nano(amount - kept)


def returned(conduct: Conduct, terms: Terms = TERMS) -> Nano:
    """The bond, to who leaves: all of it, but to who leaves on probation only if everything of his was audited."""
    looked_at = conduct.state is State.STANDING or terms.newcomer == MILLION
    return conduct.bond if looked_at else Nano(0)


def fine(price: Nano, fell: int, rate: Ppm, terms: Terms = TERMS) -> Nano:
    """For `fell` units of a result that was audited with this chance. Raises ValueError for none."""
    if not 0 < rate <= MILLION:
        raise ValueError(f"an audit rate of {rate} ppm")
    return Nano(-(-price * fell * terms.fine // rate))


def charge(conduct: Conduct, fine: Nano, pending: Nano) -> tuple[Conduct, Nano, Nano]:
    """What of a fine is taken from what is pending, and what from the bond; more than there is can't be."""
    first = min(fine, pending)
    second = min(fine - first, conduct.bond)
    return replace(conduct, bond=Nano(conduct.bond - second)), Nano(first), Nano(second)


def clear(audited: bool, later_clean: int, terms: Terms = TERMS) -> bool:
    """May a result be paid out, once the time to appeal is over?"""
    return audited or later_clean >= terms.clear


def _move(conduct: Conduct, to: State) -> Conduct:
    if to not in MOVES[conduct.state]:
        raise WrongMove("An owner's conduct", conduct.state, to)
    return replace(conduct, state=to)
