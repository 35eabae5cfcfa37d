"""A simulated crowd: honest workers of about .85, and a share of others with a habit."""

from typing import NamedTuple

import numpy as np

from optimai.measures.binary import ONE, Whole
from optimai.measures.truth import UNKNOWN, Record, Votes, collect


class Crowd(NamedTuple):
    votes: Votes
    truth: Whole  # (items,)
    known: Whole  # of a twentieth of the items what audits found, UNKNOWN for the others
    audits: Record  # of these
    bad: Whole  # (workers,)
    target: Whole  # (items,): what `target` lies about


def crowd(
    habit: str, share: float, seed: int = 1, items: int = 2_000, workers: int = 120, each: int = 5
) -> Crowd:
    """Two classes. `copy` repeats a leader who is right to 70 %, `target` lies about a fifth of items alone."""
    dice = np.random.default_rng(seed)
    truth = dice.integers(0, 2, items)
    accuracy = np.clip(dice.normal(0.85, 0.05, workers), 0.6, 0.98)
    bad = (np.arange(workers) < share * workers).astype(np.int64)
    item = np.repeat(np.arange(items), each)
    worker = np.concatenate([dice.permutation(workers)[:each] for _ in range(items)])
    label = np.where(dice.random(len(item)) < accuracy[worker], truth[item], 1 - truth[item])
    leader = np.where(dice.random(items) < 0.7, truth, 1 - truth)
    target = (dice.random(items) < 0.2).astype(np.int64)
    said = {
        "honest": label,
        "copy": leader[item],
        "target": np.where(target[item] > 0, 1 - truth[item], label),
        "flip": 1 - truth[item],
        "random": dice.integers(0, 2, len(item)),
    }[habit]
    votes = collect(item, worker, np.where(bad[worker] > 0, said, label), items, workers, 2)
    audited = dice.random(items) < 0.05
    mine = votes.worker[audited[votes.item]]
    right = (votes.label == truth[votes.item])[audited[votes.item]]
    audits = Record(
        np.bincount(mine[right], minlength=workers) * ONE,
        np.bincount(mine, minlength=workers) * ONE,
    )
    return Crowd(votes, truth, np.where(audited, truth, UNKNOWN), audits, bad, target)
