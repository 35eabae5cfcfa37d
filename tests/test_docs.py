"""The pages that are made from the code are those that the code makes."""

from pathlib import Path
from runpy import run_path

import pytest

DOCS = Path(__file__).parent.parent / "docs"
MADE = run_path(str(DOCS / "make.py"))["pages"]()


@pytest.mark.parametrize("name", MADE)
def test_a_made_page_is_not_stale(name: str):
    assert (DOCS / name).read_text("utf-8") == MADE[name], "run `make docs`"
