"""crowd-kit's Dawid-Skene on one of the crowds, in its own environment: one JSON object with what came of it."""

import json
import sys
from time import perf_counter

import numpy as np
import pandas as pd
from crowdkit.aggregation import DawidSkene

from bench.truth.crowds import SETS, accuracy, crowd, simulated


def main(name: str, seed: int) -> None:
    item, worker, label, known = crowd(name) if name in SETS else simulated(int(name), seed)
    votes = pd.DataFrame({"task": item, "worker": worker, "label": label})
    began = perf_counter()
    found = DawidSkene(n_iter=10).fit_predict_proba(votes)
    took = perf_counter() - began
    share = np.zeros((int(item.max()) + 1, int(label.max()) + 1))
    share[np.ix_(found.index, found.columns)] = found.to_numpy()
    print(json.dumps({"seconds": took, "votes": len(item), "right": accuracy(share, known)}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
