"""What is true, where several people said what they think: empirical-Bayes Dawid-Skene mixed with one coin.

Each worker has a confusion matrix: how often he says l where k is true (Dawid and Skene, 1979). A few votes tell
little of a matrix, so each row of it starts from two votes that nobody gave: one confuses classes as all workers
together do (the pool), one is right equally often whatever the class (one coin). From the matrices follows how
likely each class is for an item, from that how often each worker was right about which class, and so on: EM, a
fixed number of passes, from the shares of votes.

All of it is whole numbers, so that the same votes give the same bits on every machine and in every order. Floats do
not: np.log differs between two instruction sets of one machine, a sum by its order. (`np.bincount` adds floats, but
whole ones below 2**53, and those exactly.) A share is in units of 2**-16 and rounded down, one vote is ONE; so are
logarithms, to the base 2.
"""

from collections.abc import Callable

import numpy as np
from msgspec import Struct

from optimai.measures.binary import BITS, ONE, Whole, exp2, log2

PASSES = 10
CARRIED = 20  # votes that a record from before weighs at most
UNKNOWN = -1
MOST_VOTES = 1 << 26


class Votes(Struct, frozen=True, kw_only=True):
    """V votes, none twice, by worker and then by label. What they name is numbered from 0."""

    item: Whole  # (V,)
    worker: Whole  # (V,)
    label: Whole  # (V,)
    items: int
    workers: int
    classes: int


class Record(Struct, frozen=True):
    """Of each worker: how many votes there were, and how many were right, in units of 2**-16 votes."""

    right: Whole  # (workers,)
    all: Whole  # (workers,)


class Beliefs(Struct, frozen=True):
    """How likely each class is for each item; the shares of an item sum to ONE, less at most `classes`."""

    share: Whole  # (classes, items)
    record: Record


def collect(item: Whole, worker: Whole, label: Whole, items: int, workers: int, classes: int) -> Votes:
    """The same vote twice counts once; two different ones of a worker on an item count both.

    Raises ValueError where a number is outside of its range, or there are too many.
    """
    for what, numbers, bound in (
        ("item", item, items),
        ("worker", worker, workers),
        ("label", label, classes),
    ):
        if len(numbers) and not 0 <= numbers.min() <= numbers.max() < bound:
            raise ValueError(f"{what}s are numbered from 0 to {bound - 1}")
    first, second = items.bit_length(), classes.bit_length()
    if len(item) > MOST_VOTES or first + second + workers.bit_length() > 63:
        raise ValueError(f"{len(item):,} votes are more than {MOST_VOTES:,}")
    one = np.sort((worker << second | label) << first | item)
    one = one[np.concatenate([one[:1] >= 0, one[1:] != one[:-1]])]
    return Votes(
        item=one & (1 << first) - 1,
        worker=one >> first + second,
        label=one >> first & (1 << second) - 1,
        items=items,
        workers=workers,
        classes=classes,
    )


def infer(
    votes: Votes,
    known: Whole | None = None,
    before: Record | None = None,
    weights: Whole | None = None,
    told: Callable[[], None] = lambda: None,
) -> Beliefs:
    """What is believed of each item, and what each worker's record is by that.

    `known` has the class of each item that is settled, and UNKNOWN for the others. `before` is what is known of
    the workers from elsewhere. `weights`, (V,), is how much each vote counts for its item, ONE without
    them. `told` is called after each pass.
    """
    groups = _Groups(votes, weights)
    share = _settle(groups.majority(), known)
    carried = _carried(before, votes.workers)
    for _ in range(PASSES):
        counts = groups.counts(share)
        share = _settle(_weighed(groups, share, _logs(groups, counts, carried)), known)
        told()
    return Beliefs(share, groups.record(groups.counts(share)))


class _Groups:
    """The votes of one worker for one label, together: there are G such groups."""

    def __init__(self, votes: Votes, weights: Whole | None) -> None:
        changes = (np.diff(votes.worker) != 0) | (np.diff(votes.label) != 0)
        self.starts = np.flatnonzero(np.concatenate([[len(votes.item) > 0], changes]))
        self.sizes = np.diff(np.append(self.starts, len(votes.item)))
        self.worker = votes.worker[self.starts]
        self.label = votes.label[self.starts]
        self.votes = votes
        self.weights = weights

    def majority(self) -> Whole:
        """(classes, items): shares of the votes; of an item without a vote, none."""
        index = self.votes.label * self.votes.items + self.votes.item
        weights = np.full(len(index), ONE) if self.weights is None else self.weights
        counts = _sums(index, weights, self.votes.classes * self.votes.items).reshape(self.votes.classes, -1)
        share: Whole = (counts << BITS) // np.maximum(1, counts.sum(axis=0))
        return share

    def counts(self, share: Whole) -> Whole:
        """(classes, G): in how many votes of the group the class is true."""
        if not len(self.starts):
            return np.zeros((self.votes.classes, 0), np.int64)
        return np.stack([np.add.reduceat(one[self.votes.item], self.starts) for one in share])

    def scores(self, logs: Whole) -> Whole:
        """(classes, items): for each item the sum of what its votes say, of (classes, G)."""
        said = (np.repeat(one, self.sizes) for one in logs)
        if self.weights is not None:
            said = (one * self.weights >> BITS for one in said)
        return np.stack([_sums(self.votes.item, one, self.votes.items) for one in said])

    def by_worker(self, numbers: Whole) -> Whole:
        """(workers,): sums of (G,)."""
        return _sums(self.worker, numbers, self.votes.workers)

    def record(self, counts: Whole) -> Record:
        right = counts[self.label, np.arange(len(self.label))]
        return Record(self.by_worker(right), self.by_worker(counts.sum(axis=0)))


def _sums(index: Whole, numbers: Whole, length: int) -> Whole:
    return np.bincount(index, numbers, length).astype(np.int64)


def _settle(share: Whole, known: Whole | None) -> Whole:
    if known is not None:
        settled = known != UNKNOWN
        classes = np.arange(len(share))[:, None]
        share[:, settled] = (classes == known[settled]).astype(np.int64) << BITS
    return share


def _carried(before: Record | None, workers: int) -> Record:
    if before is None:
        return Record(np.zeros(workers, np.int64), np.zeros(workers, np.int64))
    weight = np.minimum(before.all, CARRIED << BITS)
    return Record(before.right * weight // np.maximum(1, before.all), weight)


def _logs(groups: _Groups, counts: Whole, carried: Record) -> Whole:
    """(classes, G): log2 of how likely a worker says the group's label where the class is true."""
    k = len(counts)
    pool = np.stack([_sums(groups.label, one, k) for one in counts]) + ONE // k  # (true, said)
    pool = np.maximum(1, (pool << BITS) // pool.sum(axis=1, keepdims=True))

    record = groups.record(counts)
    everybody = (int(record.right.sum()) + ONE << BITS) // (int(record.all.sum()) + k * ONE)
    right = record.right + carried.right + 2 * everybody
    coin = (right << BITS) // (record.all + carried.all + 2 * ONE)
    coins = np.stack([(ONE - coin) // max(1, k - 1), coin])  # wrong, right
    coins = np.maximum(1, coins * (ONE + carried.all) >> BITS)

    logs = np.empty_like(counts)
    for true, one in enumerate(counts):
        hit = (groups.label == true).astype(np.int64)
        said = one + pool[true, groups.label] + coins[hit, groups.worker]
        whatever = groups.by_worker(one) + pool[true].sum() + coins[1] + (k - 1) * coins[0]
        logs[true] = log2(said) - log2(whatever)[groups.worker]
    return logs


def _weighed(groups: _Groups, share: Whole, logs: Whole) -> Whole:
    """By Bayes: how common a class is, times how likely all that was said of the item is where it is true."""
    scores = groups.scores(logs) + log2(share.sum(axis=1) + ONE)[:, None]
    likely = exp2(scores - scores.max(axis=0))
    after: Whole = (likely << BITS) // likely.sum(axis=0)
    return after
