"""Truth inference: how often it is right on five real crowds, and how many votes a second.

Beside crowd-kit's Dawid-Skene (ten iterations, as many as ours), in an environment of its own under out/ because
it needs an older scikit-learn; both are given the same votes, ready in memory, in turn. The crowds are in the shared
folder beside the checkout, and accuracy is counted as its README says. The million votes are simulated.
"""

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import numpy as np

from bench.truth.crowds import CROWDS, SETS, accuracy, crowd, simulated
from optimai.measures import truth

GOAL = 0.883
GOAL_RATE = 2.0  # M votes/s at two classes
PEER = ("crowd-kit==1.4.2", "scikit-learn<1.6")
ROOT = Path(__file__).parents[2]
HOME = ROOT / "out" / "crowd-kit"


def prepare() -> Path:
    """The peer's own Python."""
    python = HOME / "bin" / "python"
    if not (HOME / "installed").exists():
        uv = Path(sys.executable).with_name("uv")
        subprocess.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, HOME], check=True)
        subprocess.run([uv, "pip", "install", "--quiet", "--python", python, *PEER], check=True)
        (HOME / "installed").touch()
    return python


def ours(name: str, seed: int) -> dict[str, float]:
    if name in SETS:
        item, worker, label, known = crowd(name)
    else:
        item, worker, label, known = simulated(int(name), seed)
    began = perf_counter()
    counts = (int(one.max()) + 1 for one in (item, worker, label))
    share = truth.infer(truth.collect(item, worker, label, *counts)).share
    took = perf_counter() - began
    return {"seconds": took, "votes": len(item), "right": accuracy(share.T, known)}


def majority(name: str) -> float:
    item, _, label, known = crowd(name)
    said = np.zeros((int(item.max()) + 1, int(label.max()) + 1))
    np.add.at(said, (item, label), 1)
    return accuracy(said, known)


def theirs(python: Path) -> Callable[[str, int], dict[str, float]]:
    def run(name: str, seed: int) -> dict[str, float]:
        said = subprocess.run(
            [python, "-m", "bench.truth.peer", name, str(seed)], cwd=ROOT, check=True, capture_output=True
        ).stdout
        found: dict[str, float] = json.loads(said)
        return found

    return run


def main() -> None:
    words = argparse.ArgumentParser(prog="make bench NAME=truth")
    words.add_argument("--times", type=int, default=5)
    asked = words.parse_args()
    if not CROWDS.exists():
        sys.exit(f"skipped: the real crowds are not in {CROWDS}")
    rows = {"ours": ours, "crowd-kit": theirs(prepare())}

    right = {who: {name: run(name, 0)["right"] for name in SETS} for who, run in rows.items()}
    right["majority"] = {name: majority(name) for name in SETS}
    print(f"{'right':12}" + "".join(f"{name:>10}" for name in SETS) + f"{'mean':>10}")
    for who, by_set in right.items():
        mean = statistics.mean(by_set.values())
        print(f"{who:12}" + "".join(f"{one:10.4f}" for one in by_set.values()) + f"{mean:10.4f}")

    rates: dict[str, dict[int, float]] = {who: {} for who in rows}
    for classes in (2, 5):
        took: dict[str, list[float]] = {who: [] for who in rows}
        for turn in range(asked.times):
            for who, run in rows.items():
                if who == "ours" or not turn:  # theirs takes so long that once is enough
                    one = run(str(classes), turn)
                    took[who].append(one["votes"] / one["seconds"] / 1e6)
        for who, all_of in took.items():
            rates[who][classes] = statistics.median(all_of)
    print(f"\n{'M votes/s':12}{'2 classes':>10}{'5 classes':>10}")
    for who, by_classes in rates.items():
        print(f"{who:12}" + "".join(f"{one:10.2f}" for one in by_classes.values()))

    mean = statistics.mean(right["ours"].values())
    print(
        json.dumps(
            {
                "bench": "truth",
                "figures": {
                    "accuracy": round(mean, 4),
                    "m_votes_per_s_2": round(rates["ours"][2], 2),
                    "m_votes_per_s_5": round(rates["ours"][5], 2),
                    "rate_goal": GOAL_RATE,
                },
                "peer": {
                    "majority_accuracy": round(statistics.mean(right["majority"].values()), 4),
                    "crowd_kit_accuracy": round(statistics.mean(right["crowd-kit"].values()), 4),
                    "crowd_kit_m_votes_per_s_2": round(rates["crowd-kit"][2], 3),
                },
                "ratio": round(rates["ours"][2] / rates["crowd-kit"][2], 1),
                "goal": GOAL,
                "met": bool(mean >= GOAL and rates["ours"][2] >= GOAL_RATE),
            }
        )
    )


if __name__ == "__main__":
    main()
