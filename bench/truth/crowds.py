"""The votes of both sides: five real crowds, and a simulated million. Needs numpy alone: the peer reads it too."""

from pathlib import Path
from typing import Any

import numpy as np

CROWDS = Path(__file__).parents[3] / "shared" / "data" / "crowd"
SETS = ("bluebird", "dog", "product", "rte", "web")
ITEMS, WORKERS, EACH = 200_000, 2_000, 5


def crowd(name: str) -> tuple[Any, Any, Any, Any]:
    """Items, workers and labels of its votes, without those that are there twice; and (item, label) that are known."""
    said = np.loadtxt(CROWDS / name / "votes.csv", np.int64, delimiter=",", skiprows=1)
    item, worker, label = np.unique(said, axis=0).T.copy()
    return item, worker, label, np.loadtxt(CROWDS / name / "truth.csv", np.int64, delimiter=",", skiprows=1)


def simulated(classes: int, seed: int) -> tuple[Any, Any, Any, Any]:
    """A million votes: five workers on each item, right to 55 to 95 %."""
    dice = np.random.default_rng(seed)
    true = dice.integers(0, classes, ITEMS)
    item = np.repeat(np.arange(ITEMS), EACH)
    worker = dice.integers(0, WORKERS, len(item))
    good = dice.random(len(item)) < dice.uniform(0.55, 0.95, WORKERS)[worker]
    label = np.where(good, true[item], (true[item] + dice.integers(1, classes, len(item))) % classes)
    mixed = dice.permutation(len(item))
    return item[mixed], worker[mixed], label[mixed], np.stack([np.arange(ITEMS), true], axis=1)


def accuracy(share: Any, known: Any) -> float:
    """`share` is (items, classes). Of k classes that tie for the first place the true one counts 1/k."""
    its = share[known[:, 0]]
    first = its == its.max(axis=1, keepdims=True)
    return float((first[np.arange(len(known)), known[:, 1]] / first.sum(axis=1)).mean())
