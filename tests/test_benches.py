"""A bench that can't be imported measures nothing; and what it imports moves."""

import importlib
import sys
from pathlib import Path

import pytest

from optimai import kinds

BENCHES = sorted((Path(__file__).parents[1] / "bench").glob("*/*.py"))
THEIRS = {"truth.peer"}  # runs in the peer's own environment


@pytest.mark.parametrize("file", BENCHES, ids=lambda file: f"{file.parent.name}.{file.stem}")
def test_a_bench_can_be_imported(file: Path, monkeypatch: pytest.MonkeyPatch):
    name = f"{file.parent.name}.{file.stem}"
    if name in THEIRS:
        pytest.skip("it runs in its peer's own environment")
    monkeypatch.setattr(sys, "argv", [name])
    monkeypatch.setattr(
        kinds, "__path__", [*kinds.__path__]
    )  # a bench has a kind of its own, which no other test knows
    importlib.import_module(f"bench.{name}")
