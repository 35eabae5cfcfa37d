"""Runs a scenario over its seeds, each time beside a twin in which the same owners are honest, and sums it up."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from math import sqrt
from pathlib import Path
from statistics import mean, stdev

from msgspec import Struct

from optimai.core.errors import BadValue
from optimai.sim.lab.machines import Outcome, World
from optimai.sim.lab.players import PRICE, Kept, Machines
from optimai.sim.lab.scenario import Scenario, strategy
from optimai.sim.lab.strategies import Strategy

# Student's t, 97.5 %, by degrees of freedom; the last one for all above, where it is off by 3 % at most.
# fmt: off
_T = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
    2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.020,
)
# fmt: on


class Figure(Struct, frozen=True):
    """A mean over the seeds, and half of its 95 % confidence interval."""

    mean: float
    either_way: float = 0.0

    @classmethod
    def of(cls, values: Sequence[float]) -> "Figure":
        n = len(values)
        if n < 2:
            return cls(values[0])
        t = _T[min(n - 2, len(_T) - 1)]
        return cls(mean(values), t * stdev(values) / sqrt(n))


class Report(Struct, frozen=True, kw_only=True):
    """Of a scenario. What is said of attackers is beside the same owners, honest."""

    strategy: str
    share: float
    attackers: float
    seeds: int
    ratio: Figure  # pay for an effort of one, the attackers' over the twin's
    net: Figure  # pay, likewise
    accuracy: Figure
    accuracy_honest: Figure  # of the twin
    cost: Figure  # answers of all kinds for each item
    cost_honest: Figure
    honest_pay: Figure  # what the other owners earn for an answer, as a share of its price
    suspended: Figure  # names of attackers, for each of them
    honest_suspended: Figure  # the share of the other owners


def run(scenario: Scenario, beside: Path = Path(), told: Callable[[], None] = lambda: None) -> Report:
    """`told` is called after each seed. The same scenario has the same report."""
    attack = strategy(scenario.strategy, scenario.share, beside)
    pairs = []
    for seed in range(scenario.seeds):
        pairs.append(_pair(scenario, attack, seed))
        told()
    liars, count = [one for one, _ in pairs], max(1, len(scenario.who))
    return Report(
        strategy=scenario.strategy,
        share=scenario.share,
        attackers=len(scenario.who) / scenario.network.owners,
        seeds=scenario.seeds,
        ratio=Figure.of([_beside(_return, scenario, attack, *pair) for pair in pairs]),
        net=Figure.of([_beside(_paid, scenario, attack, *pair) for pair in pairs]),
        accuracy=Figure.of([_accuracy(one) for one in liars]),
        accuracy_honest=Figure.of([_accuracy(twin) for _, twin in pairs]),
        cost=Figure.of([one.did / one.items for one in liars]),
        cost_honest=Figure.of([twin.did / twin.items for _, twin in pairs]),
        honest_pay=Figure.of([_honest_pay(scenario, one) for one in liars]),
        suspended=Figure.of([sum(one.suspended[: len(scenario.who)]) / count for one in liars]),
        honest_suspended=Figure.of([_honest_suspended(scenario, one) for one in liars]),
    )


def _run(world: World, name: str) -> Outcome:
    try:
        return world.run()
    except Exception as fault:  # its author's: ours are found with strategies of ours
        if ":" not in name:
            raise
        why = f"{type(fault).__name__}: {fault}"
        raise BadValue(f"a strategy that can be played ({why})", name, "mine.py:Mine") from fault


def _pair(scenario: Scenario, attack: Strategy, seed: int) -> tuple[Outcome, Outcome]:
    since = attack.begins(scenario.network.draws)
    attacked = World(scenario.network, dict.fromkeys(scenario.who, attack), seed, since)
    return _run(attacked, scenario.strategy), _twin(scenario.network, seed, since)


@lru_cache(256)  # many scenarios have the same
def _twin(network: Machines, seed: int, since: int) -> Outcome:
    return World(network, {}, seed, since).run()


def _kept(scenario: Scenario, attack: Strategy, outcome: Outcome) -> Kept:
    """Of the attackers, in the kind of work in which they deviate; of all, where nobody attacks."""
    each = outcome.audits if attack.audits_differ else outcome.answers
    its = each[: len(scenario.who)] or each
    return Kept(sum(one.paid for one in its), sum(one.effort for one in its))


def _return(scenario: Scenario, attack: Strategy, outcome: Outcome) -> float:
    kept = _kept(scenario, attack, outcome)
    return kept.paid / kept.effort if kept.effort else 0.0


def _paid(scenario: Scenario, attack: Strategy, outcome: Outcome) -> float:
    return _kept(scenario, attack, outcome).paid


def _beside(
    what: Callable[[Scenario, Strategy, Outcome], float],
    scenario: Scenario,
    attack: Strategy,
    its: Outcome,
    twin: Outcome,
) -> float:
    honest = what(scenario, attack, twin)
    if not honest:
        raise BadValue(
            "a scenario in which honest owners are paid something", "too short a one", "draws = 300"
        )
    return what(scenario, attack, its) / honest


def _accuracy(outcome: Outcome) -> float:
    return 1 - outcome.wrong / max(1, outcome.standing)


def _honest_pay(scenario: Scenario, outcome: Outcome) -> float:
    its = outcome.answers[len(scenario.who) :]
    return sum(one.paid for one in its) / (sum(one.effort for one in its) * PRICE)


def _honest_suspended(scenario: Scenario, outcome: Outcome) -> float:
    its = outcome.suspended[len(scenario.who) :]
    return sum(one > 0 for one in its) / len(its)
