"""A step that needs a column which its input has not is refused before anybody works."""

from typing import Any

import pytest

from optimai.core.campaign import parse
from optimai.core.errors import BadCampaign
from optimai.kinds import catalog
from optimai.kinds.columns import check
from optimai.sim.proof.drive import drive
from optimai.sim.proof.kit import MemoryKit


def checked(dataset: dict[str, Any] | None = None, **steps: dict[str, Any]) -> None:
    raw = {
        "campaign": "texts",
        "budget": "1 OPI",
        "inputs": {"texts": [{"url": "http://a.example/", "text": "one"}, {"title": "two"}], "none": []},
        "steps": steps,
        "dataset": dataset or {"from": next(reversed(steps))},
    }
    check(parse(raw))


LABEL = {"kind": "label", "question": "Which?", "choices": ["a", "b"]}


@pytest.mark.parametrize(
    ("step", "column"),
    [
        ({"kind": "word_count", "from": "texts", "column": "txt"}, "txt"),
        ({"kind": "dedup", "from": "texts", "column": "txt"}, "txt"),
        ({"kind": "link.check", "from": "texts", "column": "link"}, "link"),
        ({"kind": "clean.text", "from": "texts"}, "body"),
        (LABEL | {"from": "texts", "column": "txt"}, "txt"),
        (LABEL | {"from": "texts", "by": "path", "known": [{"path": "x", "answer": "a"}]}, "path"),
    ],
)
def test_a_column_that_the_input_has_not_is_refused_with_those_that_it_has(step: dict[str, Any], column: str):
    with pytest.raises(
        BadCampaign, match=rf"^steps.it: texts has no column '{column}'. It has url, text, title$"
    ):
        checked(it=step)


def test_a_crawl_needs_its_seeds_in_url():
    with pytest.raises(BadCampaign, match=r"^steps.pages: none has no column 'url'. It has none at all$"):
        checked(pages={"kind": "crawl", "from": "none", "max": 1})


def test_a_step_has_the_columns_of_its_kind_and_those_that_it_carries_on():
    unique = {"kind": "dedup", "from": "texts"}
    checked(unique=unique, topic=LABEL | {"from": "unique", "column": "title"})
    with pytest.raises(BadCampaign, match=r"^steps.count: links has no column 'text'. It has url, state, "):
        checked(links={"kind": "link.check", "from": "texts"}, count={"kind": "word_count", "from": "links"})


def test_without_known_answers_nobody_needs_the_column_that_would_find_them():
    checked(topic=LABEL | {"from": "texts", "by": "path"})


def test_a_split_by_a_column_that_there_is_not_is_refused():
    unique = {"kind": "dedup", "from": "texts"}
    checked({"from": "unique", "split": {"all": "100%", "by": "url"}}, unique=unique)
    with pytest.raises(BadCampaign, match=r"^dataset.split.by: unique has no column 'site'"):
        checked({"from": "unique", "split": {"all": "100%", "by": "site"}}, unique=unique)


@pytest.mark.parametrize("name", catalog.names())
def test_the_columns_that_a_plan_looks_at_are_columns_that_its_kind_needs(name: str):
    kind = catalog.load(name)
    options = catalog.options_of("it", kind, OPTIONS.get(name, {}))
    assert set(kind.looks(options)) <= {"_row", *kind.needs(options)}


OPTIONS: dict[str, Any] = {
    "crawl": {"max": 1},
    "hold": {"for": "1d"},
    "label": {
        "question": "Which?",
        "choices": ["a", "b"],
        "by": "path",
        "known": [{"path": "x", "answer": "a"}],
    },
}


@pytest.mark.parametrize(("kind", "column", "told"), [("word_count", "words", 1), ("dedup", "duplicates", 2)])
async def test_numbers_are_read_as_they_are_written(
    kind: str, column: str, told: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("DO_NOT_TRACK", "1")
    kit = MemoryKit()
    shard = kit.shard([{"_row": f"{number:032x}", "text": 7} for number in range(3)])
    assert {row[column] for row in await drive(kind, {}, [shard], kit)} == {told}
