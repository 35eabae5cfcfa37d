"""What follows from a verdict for those who had a part in it: their conduct, what they owe, what they are paid.

The network and `optimai verify` call the very same functions, as for the verdict itself.
"""

import msgspec

from optimai.core import conduct
from optimai.core.assignment import Role
from optimai.core.chance import MILLION, Ppm
from optimai.core.conduct import Conduct, Split, State, Units
from optimai.core.money import Nano
from optimai.core.protocol import Protocol
from optimai.core.reward import work
from optimai.kinds.catalog import Loaded
from optimai.kinds.ruling import Draw, Found, Given


def observed(
    protocol: Protocol, kind: Loaded, options: bytes, draw: Draw, given: Given, found: Found, before: Conduct
) -> Conduct:
    """An owner's conduct after a verdict on what he gave, with the fine that it brings or takes back."""
    terms = protocol.terms(kind.kind.checks, given.role)
    was, now = Units(given.checked, given.faults), Units(found.checked, found.faults)
    after = conduct.observe(
        before,
        now,
        terms,
        task=given.assignment,
        before=was,
        tolerated=kind.kind.tolerates,
        chance=chance(kind, options, given.role),
    )
    return conduct.charge(
        after, Nano(fine(protocol, kind, draw, given, now) - fine(protocol, kind, draw, given, was))
    )


def fine(protocol: Protocol, kind: Loaded, draw: Draw, given: Given, found: Units) -> Nano:
    """What the fallen units of a result cost: more where a sample found them, for that stands for the rest."""
    if not found.faults:
        return Nano(0)
    sampled = given.role is Role.ANSWER and draw.audit and draw.why in ("chance", "closing")
    rate = draw.rate if sampled else Ppm(MILLION)
    return conduct.fine(Nano(given.price), found.faults, rate, protocol.terms(kind.kind.checks, given.role))


def chance(kind: Loaded, options: bytes, role: Role) -> Ppm:
    """What a guess is right in, of answers of this kind."""
    return Ppm(0) if role is Role.AUDIT else kind.chance(msgspec.json.decode(options, type=kind.options))


def quality(kind: Loaded, chance: Ppm, role: Role, of: Conduct) -> Ppm:
    """The share of a price that an owner is paid, as he stands."""
    return conduct.quality(of, kind.kind.good, Ppm(0) if role is Role.AUDIT else chance)


def rate(protocol: Protocol, kind: Loaded, step: Ppm, role: Role, of: Conduct) -> Ppm:
    """The share of his results that are audited; `step` is that of who is in standing."""
    if role is Role.AUDIT or kind.kind.checks != "again" or of.state is State.STANDING:
        return step
    return max(step, protocol.terms(kind.kind.checks, role).newcomer)


def amount(given: Given, found: Found) -> Nano:
    """What a verdict says that a result earns."""
    return work(found.units, Nano(given.price), given.quality) if given.trusted else Nano(0)


def returned(protocol: Protocol, kind: Loaded, role: Role, of: Conduct) -> Nano:
    """What of his bond comes back to who leaves."""
    return conduct.returned(of, protocol.terms(kind.kind.checks, role))


def paid_out(
    protocol: Protocol, kind: Loaded, role: Role, price: int, amount: int, of: Conduct
) -> tuple[Conduct, Split]:
    """What of an earning that becomes free is taken for fines, what is kept in the bond, and what its owner has."""
    return conduct.earn(of, Nano(amount), Nano(price), protocol.terms(kind.kind.checks, role))
