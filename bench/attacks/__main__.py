"""What lying brings under the protocol's rules, with simulated owners of whom 30 % attack, and hardware that boasts.

Every figure is beside the same owners, honest, in the same run: the ratio of pay for an effort of one, and of pay. The
peer is redundancy as it is usual: each item is done until two owners agree (bench/attacks/peer.py).
"""

import argparse
import json
import sys
from collections.abc import Sequence

from msgspec import Struct

from bench.attacks import peer
from optimai.sim.lab import hardware, laboratory
from optimai.sim.lab.laboratory import Report
from optimai.sim.lab.scenario import Scenario

LAZY = (0.01, 0.03, 0.1, 0.3)
ATTACKS = (
    *(("lazy", share) for share in LAZY),
    ("fabricator", 1.0),
    ("random", 1.0),
    ("swarm", 1.0),
    ("whitewasher", 1.0),
    ("sleeper", 1.0),
    *(("bloc", share) for share in (0.1, 0.3)),
    ("targeted-bloc", 1.0),
    ("rubber-stamp", 1.0),
    ("griefer", 1.0),
)
BOTS = ("fabricator", "random", "swarm")


class Goal(Struct, frozen=True):
    words: str
    value: float
    most: float

    @property
    def met(self) -> bool:
        return self.value <= self.most


def main() -> None:
    words = argparse.ArgumentParser(prog="make bench NAME=attacks")
    words.add_argument("--seeds", type=int, default=20)
    asked = words.parse_args()
    reports = []
    for strategy, share in ATTACKS:
        reports.append(laboratory.run(Scenario(strategy=strategy, share=share, seeds=asked.seeds)))
        print(".", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    show(reports)
    goals = of(reports, asked.seeds)
    print()
    for goal in goals:
        print(f"{'met    ' if goal.met else 'NOT MET'}  {goal.words}: {goal.value:.4f}, at most {goal.most}")
    others = {
        "honest": peer.redundant(0, 0.3, together=False),
        "lies of 10 %": peer.redundant(0.1, 0.3, together=False),
        "lies of 10 %, in league": peer.redundant(0.1, 0.3, together=True),
        "lies only, in league": peer.redundant(1, 0.3, together=True),
    }
    print("\nwhere each item is done until two agree")
    for name, other in others.items():
        print(f"{name:25}ratio {other.ratio:7.3f}   accuracy {other.accuracy:.4f}   answers {other.cost:.3f}")
    ours = next(one for one in reports if one.strategy == "bloc" and one.share == 0.1)
    theirs = others["lies of 10 %, in league"]
    said = {
        "bench": "attacks",
        "figures": {goal.words: round(goal.value, 4) for goal in goals} | {"seeds": asked.seeds},
        "peer": {
            "until two agree: answers": round(theirs.cost, 3),
            "until two agree: share that is wrong": round(1 - theirs.accuracy, 4),
            "until two agree: ratio": round(theirs.ratio, 3),
        },
        "ratio": round(theirs.cost / ours.cost.mean, 2),
        "goal": {goal.words: goal.most for goal in goals},
        "met": all(goal.met for goal in goals),
    }
    print(json.dumps(said))


def show(reports: Sequence[Report]) -> None:
    print(
        f"{'simulated attackers':21}{'ratio':>18}{'net pay':>17}{'accuracy':>10}{'answers':>9}{'honest pay':>12}"
    )
    for one in reports:
        print(
            f"{one.strategy + (f' {one.share:g}' if one.share < 1 else ''):21}"
            f"{one.ratio.mean:9.3f} ± {one.ratio.either_way:6.3f}{one.net.mean:9.3f} ± {one.net.either_way:.3f}"
            f"{one.accuracy.mean:10.4f}{one.cost.mean:9.3f}{one.honest_pay.mean:12.4f}"
        )


def of(reports: Sequence[Report], seeds: int) -> list[Goal]:
    """Of what lying brings the upper ends of the confidence intervals count, of all else the means."""
    lies = [one for one in reports if one.strategy not in ("rubber-stamp", "griefer")]
    return [
        Goal("accuracy lost", max(one.accuracy_honest.mean - one.accuracy.mean for one in reports), 0.02),
        Goal("ratio at any share of lies", max(_most(one) for one in lies), 1.0),
        Goal("ratio at shares from .1 on", max(_most(one) for one in lies if one.share >= 0.1), 0.95),
        Goal(
            "net pay of who cheats as an auditor", max(_all(one) for one in reports if one not in lies), 0.1
        ),
        Goal("net pay of bots", max(one.net.mean for one in reports if one.strategy in BOTS), 0.1),
        Goal("answers for each item", max(one.cost.mean for one in reports), 1.35),
        Goal("share that is wrong", max(1 - one.accuracy.mean for one in reports), 0.01),
        Goal("pay that an honest owner loses, nobody attacking", 1 - _honest(seeds), 0.01),
        Goal("declaring 1.05 of what one has", hardware.earns(1.05), 0.9999),
        Goal("declaring 1.2", hardware.earns(1.2), 0.9999),
        Goal("ten names on one machine", hardware.earns(1, 10), 1.01),
        Goal("ten names that each declare all of it", hardware.earns(10, 10), 1.01),
    ]


def _most(one: Report) -> float:
    return one.ratio.mean + one.ratio.either_way


def _all(one: Report) -> float:
    return one.net.mean + one.net.either_way


def _honest(seeds: int) -> float:
    return laboratory.run(Scenario(strategy="honest", attackers=0.0, seeds=seeds)).honest_pay.mean


if __name__ == "__main__":
    main()
