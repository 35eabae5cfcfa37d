"""Who agrees more than the truth explains: blocs, whose votes then weigh as one.

Two workers who know the same truth agree often; how often follows from what is believed of the items and from their
confusion matrices. For every two workers: by how many standard deviations they agreed more often than that. Were all
of them independent, that would be a random symmetric matrix with a largest eigenvalue of about 2 s sqrt(n), s² the
mean square of an entry (Wigner's semicircle). One that is larger by a third or more is a bloc. Its eigenvector splits
the workers in two, by 2-means, and the bloc is the side of which audits found less to be right: the eigenvector alone
cannot tell, and where honest workers find the same items hard, they look like a bloc, too. So nobody is ever punished
for being in one: it speaks with one voice from then on, as one worker, and more of its work is audited.

All of it is whole numbers, as in `truth`. (Matrices are float64 for the sake of BLAS, but whole, and so small that
every sum is exact; square roots and quotients are the same to the last bit everywhere, by IEEE 754.)
"""

from collections.abc import Iterator
from math import sqrt

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from optimai.measures.binary import BITS, ONE, Whole
from optimai.measures.truth import Beliefs, Record, Votes, collect

Matrix = NDArray[np.float64]

MOST_WORKERS = 4_096
MOST_CLASSES = 16
UNIT = 256  # of a standard deviation,
CLIP = 16  # which no two workers are apart by more than
ABOVE = 1.35
STEPS = 60
WIDE = 20  # bits of an entry of the eigenvector


class Bloc(Struct, frozen=True):
    ratio: float  # of the largest eigenvalue to that of independent workers; from ABOVE on there is a bloc
    members: Whole  # (workers,): 1 for who is in it


def find(votes: Votes, beliefs: Beliefs, audits: Record) -> Bloc:
    """The bloc among these workers, if there is one. `audits` counts checked votes, as a record does.

    Raises ValueError for more workers or classes than MOST_WORKERS and MOST_CLASSES.
    """
    if votes.workers > MOST_WORKERS or votes.classes > MOST_CLASSES:
        raise ValueError(
            f"blocs are looked for among {MOST_WORKERS:,} workers and {MOST_CLASSES} classes at most"
        )
    nobody = np.zeros(votes.workers, np.int64)
    apart = excess(votes, beliefs)
    square = int((apart * apart).sum())
    if not square:
        return Bloc(0.0, nobody)
    vector, largest = _eigen(apart, square)
    ratio = largest / (2 * sqrt(square / votes.workers))
    if ratio < ABOVE:
        return Bloc(ratio, nobody)
    high = _split(vector)
    return Bloc(ratio, _worse(high, audits).astype(np.int64))


def collapse(votes: Votes, members: Whole) -> tuple[Votes, Whole]:
    """The same votes with one more worker, numbered last, who says what the bloc said; and how much each counts.

    Where its members said different things of an item he says all of them, and each counts by how many said so.
    """
    inside = members[votes.worker]
    who = np.where(inside > 0, votes.workers, votes.worker)
    as_one = collect(votes.item, who, votes.label, votes.items, votes.workers + 1, votes.classes)
    said = np.bincount(votes.label * votes.items + votes.item, inside, votes.classes * votes.items).astype(
        np.int64
    )
    here = said[as_one.label * votes.items + as_one.item]
    there = said.reshape(votes.classes, -1).sum(axis=0)[as_one.item]
    return as_one, np.where(as_one.worker == votes.workers, (here << BITS) // np.maximum(1, there), ONE)


def excess(votes: Votes, beliefs: Beliefs) -> Matrix:
    """(workers, workers): how much more often two agreed than is likely, in standard deviations / UNIT."""
    n = votes.workers
    more, variance = np.zeros(n * n), np.zeros(n * n)
    chances = _chances(votes, beliefs)
    for item, one, other, same in _pairs(votes):
        likely = np.zeros(len(item), np.int64)
        for true in range(votes.classes):
            both = sum(
                chances[true, said, one] * chances[true, said, other] >> BITS for said in range(votes.classes)
            )
            likely += beliefs.share[true, item] * both >> BITS
        likely = np.minimum(likely, ONE - 1)
        where = np.minimum(one, other) * n + np.maximum(one, other)
        more += np.bincount(where, (same << BITS) - likely, n * n)
        variance += np.bincount(where, likely * (ONE - likely) >> BITS, n * n)
    apart = np.trunc(more * UNIT / np.maximum(1, np.floor(np.sqrt(variance * ONE))))
    apart = np.clip(apart, -CLIP * UNIT, CLIP * UNIT).reshape(n, n)
    np.fill_diagonal(apart, 0)
    both_ways: Matrix = apart + apart.T
    return both_ways


def _chances(votes: Votes, beliefs: Beliefs) -> Whole:
    """(true, said, workers): how often who says what, with one vote that confuses as all together do."""
    k = votes.classes
    counts = np.stack(
        [
            np.bincount(votes.label * votes.workers + votes.worker, one[votes.item], k * votes.workers)
            for one in beliefs.share
        ]
    ).astype(np.int64)
    counts = counts.reshape(k, k, votes.workers)
    pool = counts.sum(axis=2, keepdims=True) + ONE // k
    counts += (pool << BITS) // pool.sum(axis=1, keepdims=True)
    chances: Whole = (counts << BITS) // counts.sum(axis=1, keepdims=True)
    return chances


def _pairs(votes: Votes) -> Iterator[tuple[Whole, Whole, Whole, Whole]]:
    """Item and workers of each two votes on an item, and whether they say the same."""
    order = np.argsort(votes.item, kind="stable")
    item, worker, label = votes.item[order], votes.worker[order], votes.label[order]
    for far in range(1, int(np.bincount(item).max(initial=0))):
        here = np.flatnonzero((item[far:] == item[:-far]) & (worker[far:] != worker[:-far]))
        there = here + far
        yield item[here], worker[here], worker[there], (label[here] == label[there]).astype(np.int64)


def _eigen(apart: Matrix, square: int) -> tuple[Matrix, float]:
    """The eigenvector of the largest eigenvalue, by power iteration, and that eigenvalue.

    What is added to the diagonal makes it the largest in size, too.
    """
    shift = np.floor(2 * np.sqrt(square / len(apart)))
    vector = _narrow(apart.sum(axis=1) + 1)
    for _ in range(STEPS):
        vector = _narrow(apart @ vector + shift * vector)
    whole, after = ([int(one) for one in of.tolist()] for of in (vector, apart @ vector))
    return vector, sum(a * b for a, b in zip(whole, after, strict=True)) / sum(a * a for a in whole)


def _narrow(vector: Matrix) -> Matrix:
    """To WIDE bits: sums of its products stay exact."""
    narrow: Matrix = np.trunc(vector * (1 << WIDE) / max(1.0, float(np.abs(vector).max())))
    return narrow


def _split(vector: Matrix) -> NDArray[np.bool_]:
    """2-means of numbers: the cut that leaves the least squares; true above it."""
    values = np.sort(vector)
    n = np.arange(1, len(values))
    below, all_of = np.cumsum(values)[:-1], values.sum()
    between = below * below / n + (all_of - below) ** 2 / (len(values) - n)
    above: NDArray[np.bool_] = vector > values[int(between.argmax())]
    return above


def _worse(high: NDArray[np.bool_], audits: Record) -> NDArray[np.bool_]:
    """The side with the smaller share of right votes in audits; where that is the same, the smaller one."""
    sides = []
    for side in (high, ~high):
        right, checked = int(audits.right[side].sum()), int(audits.all[side].sum())
        sides.append((right * ONE // max(1, checked), int(side.sum())))
    return high if sides[0] <= sides[1] else ~high
