"""A campaign's file is strict: whatever is wrong in it is told with its place and a way out."""

from collections.abc import Mapping
from contextlib import suppress
from copy import deepcopy
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimai.core.campaign import MOST_STEPS, parse
from optimai.core.errors import BadCampaign
from optimai.core.money import OPI, Price

GOOD: Mapping[str, Any] = {
    "campaign": "plant-care",
    "budget": "500 OPI",
    "until": "14d",
    "terms": {"license": "CC-BY-4.0"},
    "inputs": {
        "seeds": ["https://plants.example/", {"url": "https://moss.example/", "weight": 3, "kept": True}]
    },
    "steps": {
        "pages": {
            "kind": "crawl",
            "from": "seeds",
            "max": 20,
            "price": "0.002/page",
            "validate": {"audit": "5%"},
        },
        "text": {"kind": "clean.text", "from": "pages", "language": "en", "validate": {"appeal": "1h"}},
    },
    "dataset": {"from": "text", "split": {"train": "90%", "test": "10%", "by": "site"}},
}


def changed(where: str, value: Any) -> dict[str, Any]:
    """The good one, with something else at `steps.pages.price`, or without it where the value is Ellipsis."""
    raw: dict[str, Any] = deepcopy(dict(GOOD))
    *path, last = where.split(".")
    here = raw
    for name in path:
        here = here[name]
    if value is ...:
        del here[last]
    else:
        here[last] = value
    return raw


def test_a_good_one_says_what_it_says():
    campaign = parse(GOOD)
    assert (campaign.name, campaign.budget, campaign.until) == ("plant-care", 500 * OPI, timedelta(days=14))
    assert campaign.inputs["seeds"][0] == {"url": "https://plants.example/"}
    pages, text = campaign.steps
    assert (pages.kind, pages.source, pages.options) == ("crawl", "seeds", {"max": 20})
    assert pages.price == Price(OPI // 500, "page")
    assert (pages.audit, text.audit) == (50_000, None)
    assert (pages.appeal, text.appeal) == (timedelta(hours=48), timedelta(hours=1))
    assert text.price is None
    assert (campaign.dataset.split, campaign.dataset.by) == ({"train": 900_000, "test": 100_000}, "site")


@pytest.mark.parametrize(
    ("where", "value", "told"),
    [
        ("campaign", ..., "campaign: Object missing required field"),
        ("campaign", "Plant Care", "campaign: 'Plant Care' is not a name"),
        ("campaign", "-x", "campaign: '-x' is not a name"),
        ("budget", "much", "budget: 'much' is not an amount of OPI"),
        ("budget", "0", "budget: it is zero"),
        ("budget", "-3 OPI", "budget: '-3 OPI' is not an amount of OPI"),
        ("until", "soon", "until: 'soon' is not a span of time"),
        ("until", "0d", "until: '0d' is not a span of time"),
        ("appeal", "2 weeks", "appeal: '2 weeks' is not a span of time"),
        ("unheard", "of", "campaign: Object contains unknown field `unheard`"),
        ("people", "robots", "people: 'robots' is neither of the two. Write real or simulated"),
        ("people", True, "people: True is neither of the two. Write real or simulated"),
        (
            "terms",
            {"visibility": "Private"},
            "terms.visibility: it is 'Private'. Write one of public, private",
        ),
        ("terms", {"license": 3}, "terms[...]: Expected `str`, got `int`. Put it in quotes, for YAML"),
        ("inputs", {"Seeds": ["x"]}, "inputs.Seeds: 'Seeds' is not a name"),
        ("inputs", {"seeds": [{"_row": "x"}]}, "inputs.seeds: '_row' begins with _"),
        ("inputs", {"seeds": [{"x": 1 << 63}]}, "inputs.seeds[...]: Expected `int` <= 9223372036854775807"),
        ("inputs", {"seeds": [{"x": [1]}]}, "inputs.seeds[...]: Expected `bool | int | str`, got `array`"),
        ("steps", {}, "steps: there are 0"),
        ("steps.pages", {"from": "seeds"}, "steps.pages: `kind` or `from` is missing"),
        ("steps.pages", {"kind": "crawl"}, "steps.pages: `kind` or `from` is missing"),
        ("steps.pages.from", "nowhere", "steps.pages.from: there is no 'nowhere'"),
        ("steps.pages.from", "text", "steps: pages, text read each other in a circle"),
        ("steps.pages.from", "pages", "steps: pages, text read each other in a circle"),
        ("steps.seeds", {"kind": "crawl", "from": "seeds"}, "steps.seeds: an input has that name"),
        ("steps.pages.price", 3, "steps.pages.price: it has no unit"),
        ("steps.pages.price", "3", "steps.pages.price: '3' is not a price"),
        ("steps.pages.price", "3/Page", "steps.pages.price: '3/Page' is not a price"),
        ("steps.pages.validate.audit", "lots", "steps.pages.validate.audit: 'lots' is not a share"),
        ("steps.pages.validate.audit", "101%", "steps.pages.validate.audit: '101%' is not a share"),
        ("steps.pages.validate.appeal", "x", "steps.pages.validate.appeal: 'x' is not a span of time"),
        (
            "steps.pages.validate",
            {"trust": "me"},
            "steps.pages.validate: Object contains unknown field `trust`",
        ),
        ("dataset.from", "seeds", "dataset.from: there is no step 'seeds'"),
        ("dataset.split", {"train": "90%"}, "dataset.split: the shares do not add up to 100 %"),
        ("dataset.split", {"train": "most"}, "dataset.split: 'most' is not a share"),
        ("dataset.split", {"Train!": "100%"}, "dataset.split: 'Train!' is not a name"),
        ("private", {"epoch": "1y"}, "private.epoch: '1y' is not a span of time"),
        ("private", {"hosts": 0}, "private.hosts: 0 is not between 1 and 64"),
    ],
)
def test_what_is_wrong_is_told_with_its_place_and_what_to_write(where: str, value: Any, told: str):
    with pytest.raises(BadCampaign) as fault:
        parse(changed(where, value))
    assert str(fault.value).startswith(told)
    assert str(fault.value).count(". ") >= 1
    assert fault.value.__cause__ is None


def test_a_budget_pays_for_one_unit_of_each_step_at_least():
    parse(changed("steps.pages.price", "500/page") | {"budget": "500 OPI"})
    with pytest.raises(BadCampaign) as fault:
        parse(changed("steps.pages.price", "2/page") | {"budget": "1.5 OPI"})
    assert str(fault.value) == (
        "steps.pages.price: one page costs 2.000 OPI, and the whole budget is 1.500 OPI. "
        "Write a lower price or a larger budget"
    )


def test_there_may_be_many_steps_but_not_any_number():
    steps = {f"s{number}": {"kind": "x", "from": "seeds"} for number in range(MOST_STEPS)}
    assert len(parse(changed("steps", steps) | {"dataset": {"from": "s0"}}).steps) == MOST_STEPS
    steps["more"] = {"kind": "x", "from": "seeds"}
    with pytest.raises(BadCampaign, match=r"^steps: there are 41"):
        parse(changed("steps", steps) | {"dataset": {"from": "s0"}})


@given(st.data())
def test_steps_stand_after_what_they_read_in_whatever_order_they_are_written(data: st.DataObject):
    names = [f"s{number}" for number in range(data.draw(st.integers(1, 9)))]
    graph = {
        name: data.draw(st.sampled_from(["seeds", *names[:number]])) for number, name in enumerate(names)
    }
    written = data.draw(st.permutations(names))
    raw = changed("steps", {name: {"kind": "x", "from": graph[name]} for name in written})
    steps = parse(raw | {"dataset": {"from": names[0]}}).steps
    assert sorted(step.name for step in steps) == sorted(names)
    seen = {"seeds"}
    for step in steps:
        assert step.source in seen
        seen.add(step.name)


@given(st.data())
def test_a_circle_is_found_wherever_it_is(data: st.DataObject):
    size = data.draw(st.integers(1, 6))
    circle = {f"c{number}": {"kind": "x", "from": f"c{(number + 1) % size}"} for number in range(size)}
    others = {"good": {"kind": "x", "from": "seeds"}, "behind": {"kind": "x", "from": "c0"}}
    written = data.draw(st.permutations([*circle.items(), *others.items()]))
    with pytest.raises(BadCampaign, match="read each other in a circle"):
        parse(changed("steps", dict(written)) | {"dataset": {"from": "good"}})


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(
    st.sampled_from([*GOOD, "private", "people", "steps.pages", "dataset.split", "steps.pages.validate"]),
    json,
)
def test_whatever_stands_anywhere_is_taken_or_told(where: str, value: Any):
    with suppress(BadCampaign):
        parse(changed(where, value))
