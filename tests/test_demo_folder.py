"""The folder of a demo: it is emptied by the next one, and by nobody while a demo is up in it."""

from pathlib import Path

import pytest

from optimai.cli import demo
from optimai.core.errors import InUse


def test_a_second_demo_is_refused_and_takes_nothing_from_the_first(tmp_path: Path):
    folder = tmp_path / "out" / "demo"
    with demo.alone(folder):
        database = folder / "network" / "postgres"
        database.mkdir(parents=True)
        with pytest.raises(InUse, match=r"in use by process \d+\. That is another demo\. .* --into"):
            demo.demo(into=folder)
        assert database.exists()


def test_a_demo_that_has_ended_leaves_its_folder_to_the_next(tmp_path: Path):
    for _ in range(2):
        with demo.alone(tmp_path / "demo"):
            pass
