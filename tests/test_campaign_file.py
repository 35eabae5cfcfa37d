"""A campaign's file as it is read beside the files that it names."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from optimai.client.campaign_file import Written, read
from optimai.core.errors import BadCampaign

TOPIC = {"kind": "label", "from": "texts", "question": "Which?", "choices": ["a", "b"]}


def written(folder: Path, step: dict[str, Any] = TOPIC, **more: Any) -> Written:
    raw = {
        "campaign": "texts",
        "budget": "1 OPI",
        "inputs": {"texts": [{"url": "http://a.example/", "text": "one"}]},
        "steps": {"topic": step},
        "dataset": {"from": "topic"},
        "people": "simulated",
    } | more
    path = folder / "texts.yaml"
    path.write_text(yaml.safe_dump({word: value for word, value in raw.items() if value is not None}))
    return read(path)


@pytest.mark.parametrize("people", [None, "real"])
def test_a_step_that_asks_real_people_is_refused_with_what_to_write(tmp_path: Path, people: str | None):
    with pytest.raises(BadCampaign) as refused:
        written(tmp_path, people=people)
    assert str(refused.value) == (
        "steps.topic: label asks people, and there is no page yet on which real ones could answer. "
        "Write `people: simulated` beside `steps`, or take the step out"
    )


def test_simulated_people_may_be_asked_and_machines_always(tmp_path: Path):
    assert written(tmp_path).campaign.people == "simulated"
    assert written(tmp_path, {"kind": "word_count", "from": "texts"}, people="real").campaign.steps


def test_a_choice_that_yaml_takes_for_yes_or_no_is_refused_with_the_word_to_quote_it(tmp_path: Path):
    with pytest.raises(
        BadCampaign, match=r"^steps.topic.choices\[0\]: .*Put it in quotes, for YAML makes"
    ) as at:
        written(tmp_path, TOPIC | {"choices": [True, False]})
    assert "yes, no" in str(at.value)
