"""How long a machine takes from nothing to a node: a virtual environment, the base install, `optimai join`.

The package registry is part of it. Beside it, in the same run: the same machine joining when all is installed.
"""

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

ROOT = Path(__file__).parents[2]
GOAL = 60.0  # seconds
TIMES = 3


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="optimai-bench-"))
    up = [sys.executable, "-m", "optimai", "up", "--home", str(folder / "network"), "--port", "0"]
    network = subprocess.Popen(up, stdout=subprocess.PIPE, text=True)
    try:
        invite = _said(network, "optimai join ").rpartition(" ")[2]
        python = folder / "venv" / "bin" / "python"
        install = _seconds(lambda: _install(folder, python))
        joins = [_seconds(lambda home=home: _join(python, invite, folder / home)) for home in "abc"[:TIMES]]
    finally:
        network.terminate()
        network.wait()
        shutil.rmtree(folder, ignore_errors=True)
    whole = install + joins[0]
    print(f"environment and install  {install:6.1f} s")
    print(f"join, the first time     {joins[0]:6.1f} s")
    print(f"join, median of {TIMES}        {statistics.median(joins):6.1f} s")
    said = {
        "bench": "join",
        "figures": {"install_s": round(install, 1), "join_s": round(joins[0], 2), "whole_s": round(whole, 1)},
        "peer": {"join_s_when_installed": round(statistics.median(joins), 2)},
        "ratio": round(whole / statistics.median(joins), 1),
        "goal": GOAL,
        "met": whole < GOAL,
    }
    print(json.dumps(said))


def _install(folder: Path, python: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
    subprocess.run([str(python), "-m", "pip", "install", "--quiet", str(ROOT)], check=True)


def _join(python: Path, invite: str, home: Path) -> None:
    node = subprocess.Popen(
        [str(python), "-P", "-m", "optimai", "join", invite, "--home", str(home)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        _said(node, "works for")
    finally:
        node.terminate()
        node.wait()


def _said(process: "subprocess.Popen[str]", words: str) -> str:
    """The line of its output that has these words."""
    assert process.stdout
    for line in process.stdout:
        if words in line:
            return line.strip()
    raise RuntimeError(f"it ended with status {process.wait()}")


def _seconds(work: Callable[[], None]) -> float:
    began = perf_counter()
    work()
    return perf_counter() - began


if __name__ == "__main__":
    main()
