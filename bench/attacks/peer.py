"""What is usual instead: owners are drawn for each item until two say the same; those are believed and paid.

The same simulated owners: liars make up a share of their answers, in league (they make up the same) or each by himself;
an honest machine fails in .5 %, each time in another way.
"""

from blake3 import blake3
from msgspec import Struct

from optimai.core.chance import MILLION, Ppm, Seed, below, happens
from optimai.sim.lab.players import LIE, Machines

ITEMS = 5_000


class Redundant(Struct, frozen=True):
    accuracy: float
    cost: float  # answers for each item
    ratio: float  # pay for an effort of one, liars' over that of honest owners


def redundant(lies: float, attackers: float, *, together: bool, seed: int = 1) -> Redundant:
    rules = Machines()
    dice = Seed(blake3(seed.to_bytes(8, "big")).digest())
    bad = round(attackers * rules.owners)
    wrong = answers = 0
    paid, effort = [0, 0], [0.0, 0.0]  # of honest owners, of liars
    for item in range(ITEMS):
        said: dict[str, list[bool]] = {}  # by answer: whether each who gave it is a liar
        left = list(range(rules.owners))
        while left:
            who = left.pop(below(dice, len(left), item, len(left)))
            liar = who < bad
            lied = liar and happens(dice, Ppm(round(lies * MILLION)), "lie", item, 0 if together else who)
            failed = not lied and happens(dice, rules.faults, "fault", item, who)
            answer = f"lie of {'all' if together else who}" if lied else f"fault of {who}" if failed else ""
            effort[liar] += LIE if lied else 1
            answers += 1
            said.setdefault(answer, []).append(liar)
            if len(said[answer]) == 2:
                wrong += bool(answer)
                for one in said[answer]:
                    paid[one] += 1
                break
    return Redundant(
        1 - wrong / ITEMS, answers / ITEMS, paid[1] / effort[1] * effort[0] / paid[0] if effort[1] else 1.0
    )
