"""The embedded PostgreSQL, where it can't start."""

from pathlib import Path

import pytest

from optimai.core.errors import BadValue
from optimai.network.store import postgres


def test_a_path_with_a_space_is_refused_in_a_sentence(tmp_path: Path):
    with pytest.raises(BadValue, match="without a space"):
        postgres.start(tmp_path / "my network")
    assert not (tmp_path / "my network").exists()
