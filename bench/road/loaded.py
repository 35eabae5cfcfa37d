"""What it costs to start a worker: `python -m bench.road.loaded KIND MODULE…` loads what a worker loads, and prints
its processor seconds since it began. MODULEs are those that a worker loads only when a task needs them.
"""

import importlib
import sys
import time

from optimai.kinds import catalog
from optimai.node import worker

if __name__ == "__main__":
    assert worker
    catalog.load(sys.argv[1])
    catalog.work(sys.argv[1])
    for module in sys.argv[2:]:
        importlib.import_module(module)
    print(time.process_time())
