"""Every example is a campaign that a network takes."""

from pathlib import Path

import pytest

from optimai.client.campaign_file import read
from optimai.kinds import columns, hands

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.yaml"))


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_an_example_is_taken(file: Path):
    campaign = read(file).campaign
    columns.check(campaign)
    hands.check(campaign)
    assert f"optimai run examples/{file.name}" in file.read_text("utf-8")


def test_there_are_examples():
    assert {"docs", "site", "words"} <= {file.stem for file in EXAMPLES}
