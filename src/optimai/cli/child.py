"""Runs a module as `python -m` does, and ends with its parent, however that ends: by then its standard input does.

    python -P child.py MODULE ARGUMENT…

Run by its path: it loads nothing of ours before the module itself.
"""

import os
import runpy
import signal
import sys
import threading


def _orphaned() -> None:
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    threading.Thread(target=_orphaned, daemon=True).start()
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
