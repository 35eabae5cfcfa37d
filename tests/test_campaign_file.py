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


COUNT = {"kind": "word_count", "from": "texts"}


def from_file(folder: Path, name: str, text: str | bytes) -> Written:
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return written(folder, COUNT, inputs={"texts": name})


@pytest.mark.parametrize(
    ("name", "text", "rows"),
    [
        ("a.jsonl", '{"text": "one", "n": 1}\n\n{"text": "t\\u2028wo"}\n', [("one", 1), ("t\u2028wo", None)]),
        ("a.csv", 'text,n\none,1\n"two, and\nmore",2\n', [("one", "1"), ("two, and\nmore", "2")]),
        ("a.csv", "\ufefftext,n\r\n\r\no\u2028ne,\r\n", [("o\u2028ne", "")]),
    ],
)
def test_inputs_may_be_a_file_whose_rows_are_sent_in_its_place(
    tmp_path: Path, name: str, text: str, rows: list[tuple[str, Any]]
):
    found = from_file(tmp_path, name, text)
    assert [(row["text"], row.get("n")) for row in found.campaign.inputs["texts"]] == rows
    assert found.raw["inputs"]["texts"] == list(map(dict, found.campaign.inputs["texts"]))
    assert found.files == {}


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("a.jsonl", '{"text": "one"}\n{"text": 1.5}\n', r"a.jsonl, line 2: Expected `bool \| int \| str`"),
        ("a.jsonl", '{"text": "one"}\n\n{"text"\n', "a.jsonl, line 3: "),
        ("a.jsonl", '["text"]\n', "a.jsonl, line 1: Expected `object`, got `array`"),
        ("a.jsonl", "\n", "a.jsonl has no rows"),
        ("a.csv", "text,n\n", "a.csv has no rows"),
        ("a.csv", "text,n\none,1\ntwo\n", "a.csv, line 3: it has 1 values for 2 columns"),
        ("a.csv", "text,text\none,1\n", "a.csv, line 1: a column has no name, or stands there twice"),
        ("a.csv", 'text\n"one\n', "a.csv, line 2: unexpected end of data"),
        ("a.csv", b"text\n\xff\n", "a.csv is not UTF-8"),
        ("a.txt", "one\n", r"a.txt is no .jsonl and no .csv"),
        ("a.jsonl", " " * ((8 << 20) + 1), "/a.jsonl is larger than 8,388,608 bytes"),
    ],
)
def test_a_file_of_rows_that_cannot_be_read_says_in_which_line(
    tmp_path: Path, name: str, text: str | bytes, why: str
):
    with pytest.raises(BadCampaign, match=rf"^inputs.texts: .*{why}") as refused:
        from_file(tmp_path, name, text)
    assert ". " in str(refused.value)


def test_a_file_of_rows_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(BadCampaign, match=r"^inputs.texts: there is no file .*/none.csv"):
        written(tmp_path, COUNT, inputs={"texts": "none.csv"})
