"""Blocs are found by their agreement, told from honest workers by audits, and heard once."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimai.measures.binary import ONE
from optimai.measures.blocs import ABOVE, MOST_WORKERS, Bloc, collapse, excess, find
from optimai.measures.truth import Record, Votes, collect, infer
from tests.crowd import Crowd, crowd


def found(here: Crowd) -> Bloc:
    return find(here.votes, infer(here.votes, here.known), here.audits)


def right(here: Crowd, votes: Votes, weights: np.ndarray | None = None, target: bool = False) -> float:
    """Of the items that no audit looked at."""
    share = infer(votes, here.known, weights=weights).share
    asked = (here.known < 0) & (here.target > 0) if target else here.known < 0
    return float((share.argmax(axis=0) == here.truth)[asked].mean())


@pytest.mark.parametrize(("habit", "least"), [("copy", 0.9), ("target", 0.8)])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_bloc_of_two_in_five_is_found_and_no_longer_outvotes_the_others(
    habit: str, least: float, seed: int
):
    here = crowd(habit, 0.4, seed)
    bloc = found(here)
    assert bloc.ratio >= ABOVE
    assert (bloc.members == here.bad).mean() > 0.95
    as_one, weights = collapse(here.votes, bloc.members)
    target = habit == "target"
    assert right(here, here.votes, target=target) < 0.8
    assert right(here, as_one, weights, target) > least


@pytest.mark.parametrize(("habit", "share"), [("honest", 0), ("flip", 0.3), ("random", 0.3)])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_where_nobody_has_agreed_beforehand_there_is_no_bloc(habit: str, share: float, seed: int):
    bloc = found(crowd(habit, share, seed))
    assert bloc.ratio < ABOVE
    assert not bloc.members.any()


def test_a_bloc_is_the_side_that_audits_find_less_often_right_however_large_it_is():
    here = crowd("copy", 0.6, seed=4)
    assert (found(here).members == here.bad).mean() > 0.95


def test_a_bloc_that_collapsed_says_of_an_item_what_each_of_its_members_said_and_counts_once():
    votes = collect(*np.array([(0, 0, 1), (0, 1, 1), (0, 2, 0), (0, 3, 0), (1, 3, 1)]).T, 2, 4, 2)
    as_one, weights = collapse(votes, np.array([1, 1, 1, 0]))
    lines = list(
        zip(*(one.tolist() for one in (as_one.item, as_one.worker, as_one.label, weights)), strict=True)
    )
    assert sorted(lines) == [(0, 3, 0, ONE), (0, 4, 0, ONE // 3), (0, 4, 1, ONE * 2 // 3), (1, 3, 1, ONE)]


def test_without_a_bloc_nothing_changes():
    here = crowd("honest", 0, items=300)
    as_one, weights = collapse(here.votes, np.zeros(here.votes.workers, np.int64))
    assert (infer(as_one, weights=weights).share == infer(here.votes).share).all()


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 4), st.integers(0, 2)), max_size=60))
def test_agreement_is_mutual_and_nobody_agrees_with_himself(said: list[tuple[int, int, int]]):
    votes = collect(*np.array(said, np.int64).reshape(-1, 3).T, 6, 5, 3)
    apart = excess(votes, infer(votes))
    assert (apart == apart.T).all()
    assert (np.diag(apart) == 0).all()
    assert (apart == np.trunc(apart)).all()


_PRINT = """
from hashlib import sha256
from tests.crowd import crowd
from tests.test_blocs import found
bloc = found(crowd("copy", .4, items=600))
print(bloc.ratio.hex(), sha256(bloc.members.tobytes()).hexdigest())
"""


@pytest.mark.parametrize("kernel", ["Prescott", "Haswell"])
def test_another_kernel_of_blas_gives_the_same_bits(kernel: str):
    env = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    run = [sys.executable, "-c", _PRINT]
    prints = [
        subprocess.run(run, env=one, check=True, capture_output=True).stdout
        for one in (env, env | {"OPENBLAS_CORETYPE": kernel, "OPENBLAS_NUM_THREADS": "1"})
    ]
    assert prints[0] == prints[1]


def test_more_workers_than_a_matrix_holds_are_refused():
    votes = collect(*np.array([(0, MOST_WORKERS, 0)]).T, 1, MOST_WORKERS + 1, 2)
    nobody = np.zeros(MOST_WORKERS + 1, np.int64)
    with pytest.raises(ValueError, match="at most"):
        find(votes, infer(votes), Record(nobody, nobody))
