"""How far an owner is trusted with a kind of work, from checked units alone.

The first units of everybody are all checked (probation); later a share, drawn by
chance. Who is found wrong too often is suspended for that kind: no more offers, and
whatever of theirs is judged but not yet free is judged again without trusting them.

A few faults are no lie: machines break, pages change, people err. Hence the kind
says what share of faults it tolerates, and how few of them are no reason yet: three at
least, and more of people, of whom an honest one soon errs twice in a row.
"""

from msgspec import Struct

from optimai.core.chance import MILLION, Ppm

PROBATION = 20  # units
FEWEST_FAULTS = 3


class Standing(Struct, frozen=True):
    checked: int = 0  # units of theirs that somebody looked at
    faults: int = 0  # of those, how many were wrong


def after(standing: Standing, checked: int, faults: int) -> Standing:
    """With one more verdict counted. Raises ValueError where more is wrong than was looked at."""
    if not 0 <= faults <= checked:
        raise ValueError(f"{faults} faults in {checked} checked units")
    return Standing(standing.checked + checked, standing.faults + faults)


def on_probation(standing: Standing) -> bool:
    return standing.checked < PROBATION


def suspended(standing: Standing, tolerated: Ppm, fewest: int = FEWEST_FAULTS) -> bool:
    """Both are needed: enough faults, and too large a share of them."""
    return (
        standing.faults >= max(fewest, FEWEST_FAULTS)
        and standing.faults * MILLION > tolerated * standing.checked
    )
