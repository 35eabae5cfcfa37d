"""What survives `kill -9` of a real coordinator and real nodes, at 25 random schedules in one network."""

import shutil
import tempfile
from pathlib import Path

import pytest

from tests.crashes import NODES, ROWS, run, schedule

pytestmark = pytest.mark.slow
SEEDS = range(25)


def test_a_schedule_follows_from_its_seed_and_the_seeds_kill_everybody():
    assert schedule(3) == schedule(3)
    assert {kill.victim for seed in SEEDS for kill in schedule(seed)} == {"coordinator", *NODES}


async def test_after_kills_at_random_points_all_is_done_nothing_is_lost_and_nothing_is_paid_twice():
    folder = Path(tempfile.mkdtemp(prefix="optimai-crashes-"))  # short: a socket's path has 107 bytes
    outcome = await run(SEEDS, folder)

    assert outcome.unfinished == []
    assert outcome.rows == {f"crash-{seed}": ROWS for seed in SEEDS}
    assert outcome.lost == 0
    assert outcome.detached == 0
    assert set(outcome.sums.values()) == {0}
    assert outcome.wrong == []
    assert outcome.epochs > 0
    assert outcome.left == []
    assert outcome.killed["coordinator"] > 3
    shutil.rmtree(folder)  # kept, with its logs, where anything above failed
