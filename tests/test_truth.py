"""Truth inference: better than the majority, and the same bits whoever computes it."""

import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optimai.measures.binary import ONE, Whole
from optimai.measures.truth import CARRIED, UNKNOWN, Beliefs, Record, Votes, collect, infer

CROWD = Path(__file__).parents[2] / "shared" / "data" / "crowd"
SETS = {"bluebird": 2, "dog": 4, "product": 2, "rte": 2, "web": 5}


@st.composite
def some_votes(draw: st.DrawFn) -> list[tuple[int, int, int]]:
    """(item, worker, label) of up to 6 items, 5 workers, 3 classes."""
    one = st.tuples(st.integers(0, 5), st.integers(0, 4), st.integers(0, 2))
    return draw(st.lists(one, max_size=40))


def of(said: list[tuple[int, int, int]], items: int = 6, workers: int = 5, classes: int = 3) -> Votes:
    item, worker, label = np.array(said, np.int64).reshape(-1, 3).T
    return collect(item, worker, label, items, workers, classes)


def drawn(
    seed: int, accuracy: list[float], items: int = 400, each: int = 5, classes: int = 2
) -> tuple[Votes, Whole]:
    """Simulated workers of these accuracies, `each` of them on an item; and the truth."""
    dice = np.random.default_rng(seed)
    truth = dice.integers(0, classes, items)
    said = []
    for item in range(items):
        for worker in dice.permutation(len(accuracy))[:each]:
            wrong = (truth[item] + dice.integers(1, classes)) % classes
            said.append((item, worker, truth[item] if dice.random() < accuracy[worker] else wrong))
    return of(said, items, len(accuracy), classes), truth


def right(beliefs: Beliefs, truth: Whole) -> float:
    return float((beliefs.share.argmax(axis=0) == truth).mean())


def same(one: Beliefs, other: Beliefs) -> bool:
    return bool(
        (one.share == other.share).all()
        and (one.record.right == other.record.right).all()
        and (one.record.all == other.record.all).all()
    )


# The same for everybody


@given(some_votes(), st.randoms())
def test_votes_in_any_order_and_said_twice_give_the_same_bits(said: list[tuple[int, int, int]], chance):
    mixed = said + said[: len(said) // 2]
    chance.shuffle(mixed)
    assert same(infer(of(said)), infer(of(mixed)))


@given(some_votes(), st.permutations(range(6)), st.permutations(range(5)), st.permutations(range(3)))
def test_it_does_not_matter_how_items_workers_and_classes_are_numbered(
    said: list[tuple[int, int, int]], items: list[int], workers: list[int], classes: list[int]
):
    plain = infer(of(said))
    named = infer(of([(items[i], workers[w], classes[k]) for i, w, k in said]))
    assert (named.share[np.ix_(classes, items)] == plain.share).all()
    assert (named.record.right[workers] == plain.record.right).all()


_DIGEST = """
from tests.test_truth import drawn, infer
from hashlib import sha256
for classes in (2, 5):
    print(sha256(infer(drawn(7, [.9, .8, .7, .6, .55, .95] * 5, 500, 5, classes)[0]).share.tobytes()).hexdigest())
"""


def test_two_kinds_of_processor_give_the_same_bits():
    """numpy without the wider instructions of this machine."""
    import numpy._core._multiarray_umath as core

    wide = [name for name, has in core.__cpu_features__.items() if has and name in core.__cpu_dispatch__]
    if not wide:
        pytest.skip("numpy has but one set of instructions on this processor")
    plain = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    narrow = plain | {"NPY_DISABLE_CPU_FEATURES": " ".join(wide)}
    prints = [
        subprocess.run([sys.executable, "-c", _DIGEST], env=env, check=True, capture_output=True).stdout
        for env in (plain, narrow)
    ]
    assert prints[0] == prints[1]
    assert len(prints[0].split()) == 2


def test_these_votes_have_had_these_bits_ever_since():
    """On any machine, however much later: a bundle has to be recomputed."""
    share = infer(drawn(1, [0.9, 0.8, 0.7, 0.6, 0.5], 60, 3, 3)[0]).share
    assert sha256(share.astype("<i8").tobytes()).hexdigest()[:16] == "792d0995167286e5"


# What it believes


@given(some_votes())
def test_shares_of_an_item_sum_to_one_less_what_was_rounded_down(said: list[tuple[int, int, int]]):
    share = infer(of(said)).share
    assert (share >= 0).all()
    assert (share.sum(axis=0) <= ONE).all()
    assert (share.sum(axis=0) >= ONE - 3).all()


@given(some_votes())
def test_a_record_counts_each_vote_once_and_no_more_right_than_there_are(said: list[tuple[int, int, int]]):
    its = of(said)
    record = infer(its).record
    counted = np.bincount(its.worker, minlength=5)
    assert (record.all <= counted * ONE).all()
    assert (record.all >= counted * (ONE - 3)).all()
    assert (record.right <= record.all).all()


def test_an_item_without_a_vote_is_as_likely_as_classes_are_common():
    share = infer(of([(0, 0, 0), (1, 0, 0), (2, 0, 1)], items=4, workers=1, classes=2)).share
    assert share[0, 3] > share[1, 3] > 0


def test_no_vote_at_all_is_no_knowledge():
    assert infer(of([])).share.tolist() == [[ONE // 3] * 6] * 3


def test_a_good_worker_outweighs_two_who_guess():
    its, truth = drawn(3, [0.98, 0.98, 0.5, 0.5, 0.5, 0.5], items=300, each=5)
    said = np.zeros((2, its.items), np.int64)
    np.add.at(said, (its.label, its.item), 1)
    assert right(infer(its), truth) > 0.95 > (said.argmax(axis=0) == truth).mean()


def test_who_always_says_the_opposite_is_as_good_as_who_says_the_truth():
    its, truth = drawn(4, [0.9, 0.9, 0.9, 0.9, 0.1, 0.1])
    assert right(infer(its), truth) > 0.97


def test_who_says_one_class_whatever_he_sees_is_found_out():
    its, truth = drawn(5, [0.85] * 6, items=600)
    lazy = [(item, 6, 0) for item in range(600)]
    both = np.concatenate([np.stack([its.item, its.worker, its.label], axis=1), np.array(lazy)])
    assert right(infer(of(both.tolist(), 600, 7, 2)), truth) >= right(infer(its), truth) - 0.005


def test_what_is_settled_stays_so_and_teaches_who_can_be_believed():
    its, truth = drawn(6, [0.3, 0.3, 0.3, 0.9, 0.9], items=200)
    known = np.where(np.arange(200) < 50, truth, UNKNOWN)
    beliefs = infer(its, known)
    assert (beliefs.share[truth[:50], np.arange(50)] == ONE).all()
    assert right(beliefs, truth) > right(infer(its), truth)


def test_a_record_from_before_decides_where_votes_stand_against_each_other():
    its = of([(0, 0, 0), (0, 1, 1)], items=1, workers=2, classes=2)
    known = Record(np.array([18 * ONE, 10 * ONE]), np.array([20 * ONE, 20 * ONE]))
    assert infer(its).share[0, 0] == infer(its).share[1, 0]
    assert infer(its, before=known).share[0, 0] > ONE * 3 // 4


def test_a_record_from_before_weighs_twenty_votes_at_most():
    its, _ = drawn(8, [0.8, 0.7, 0.6, 0.9, 0.8])
    few = Record(np.full(5, CARRIED * ONE * 3 // 4), np.full(5, CARRIED * ONE))
    many = Record(few.right * 1000, few.all * 1000)
    assert same(infer(its, before=few), infer(its, before=many))


@pytest.mark.parametrize("vote", [(6, 0, 0), (0, 5, 0), (0, 0, 3), (-1, 0, 0)])
def test_a_number_outside_of_its_range_is_refused(vote: tuple[int, int, int]):
    with pytest.raises(ValueError, match="numbered from 0"):
        of([vote])


# On real people


@pytest.mark.skipif(not CROWD.exists(), reason="the shared folder with real crowd votes is not here")
def test_on_five_real_crowds_it_beats_the_majority_and_the_best_published_ibcc():
    found = [_accuracy(name, classes) for name, classes in SETS.items()]
    assert sum(found) / 5 >= 0.883


def _accuracy(name: str, classes: int) -> float:
    """As the folder's README says: of k classes that tie for the first place, the true one counts 1/k."""
    item, worker, label = np.loadtxt(CROWD / name / "votes.csv", np.int64, delimiter=",", skiprows=1).T
    truth = np.loadtxt(CROWD / name / "truth.csv", np.int64, delimiter=",", skiprows=1)
    share = infer(collect(item, worker, label, int(item.max()) + 1, int(worker.max()) + 1, classes)).share[
        :, truth[:, 0]
    ]
    first = share == share.max(axis=0)
    return float((first[truth[:, 1], np.arange(len(truth))] / first.sum(axis=0)).mean())


@settings(max_examples=20)
@given(st.integers(0, 10**6))
def test_of_workers_who_know_something_it_is_seldom_worse_than_the_majority(seed: int):
    its, truth = drawn(seed, [0.95, 0.9, 0.8, 0.7, 0.6, 0.55], items=300)
    said = np.zeros((2, its.items), np.int64)
    np.add.at(said, (its.label, its.item), 1)
    assert right(infer(its), truth) >= (said.argmax(axis=0) == truth).mean() - 0.02
