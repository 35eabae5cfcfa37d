"""What an owner is paid: one formula.

    work     = quality x verified units x price
    standby  = pool x weight / all weights,   weight = verified hardware x availability
    pool     = min(fees, a quarter of what was settled) + what was minted,   fee = 5 % of settled pay, by the campaign

quality is in core/reputation.py; what it leaves of a price returns to the campaign. Verified hardware is what a machine
has shown when all machines were asked at one instant, so ten names on one machine share it; a unit is whatever a kind
of hardware is measured in. Availability is the share of random probes that were answered, over the last twelve epochs.
Amounts are whole nano-OPI, rounded down; a pool is divided to the last one (core/shares.py).
"""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from optimai.core.chance import MILLION, Ppm
from optimai.core.ids import OwnerId
from optimai.core.money import Nano
from optimai.core.shares import divide

SHOWN = 4  # instants at which hardware is shown in an epoch
LEAST_SHOWN = Ppm(900_000)  # of what was declared: below that nothing counts
EPOCHS = 12


class Rates(Struct, frozen=True):
    fee: Ppm = Ppm(50_000)  # of settled pay, on top of it
    most_standby: Ppm = Ppm(250_000)  # of settled pay


def work(units: int, price: Nano, quality: Ppm) -> Nano:
    """`units` are verified ones."""
    return Nano(units * price * quality // MILLION)


def fee(settled: Nano, rates: Rates) -> Nano:
    return Nano(settled * rates.fee // MILLION)


def pool(settled: Nano, fees: Nano, minted: Nano, rates: Rates) -> Nano:
    """What an epoch has for those who stood by."""
    return Nano(min(fees, settled * rates.most_standby // MILLION) + minted)


def verified(declared: int, shown: Sequence[int]) -> int:
    """What counts of a machine's hardware: no more than declared, and than the second lowest of what it showed.

    Nothing where that is below nine tenths of what was declared, or where it was not asked SHOWN times: who declares
    more than he has loses all, who is slow once loses nothing.
    """
    if len(shown) < SHOWN:
        return 0
    least = min(declared, sorted(shown)[1])
    return least if least * MILLION >= declared * LEAST_SHOWN else 0


def availability(probes: Sequence[tuple[int, int]]) -> Ppm:
    """Of (answered, asked) in each of the last epochs, the newest last; an epoch without a word is one of absence."""
    last = probes[-EPOCHS:]
    shares = (answered * MILLION // asked for answered, asked in last if asked)
    return Ppm(sum(shares) // EPOCHS)


def standby(total: Nano, owners: Mapping[OwnerId, tuple[int, Ppm]]) -> dict[OwnerId, Nano]:
    """The pool, by verified hardware and availability of each."""
    return divide(total, {owner: hardware * there for owner, (hardware, there) in owners.items()})
