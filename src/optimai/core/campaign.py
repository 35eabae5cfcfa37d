"""What a requester asks for: a small graph of steps over named datasets.

The file is strict: an unknown word, a step that reads nothing there is, a circle, a
price that does not parse is an error with its place and a way out. No expressions,
no templates. What a kind understands under its step (`options`) is checked by the
kind; everything else is checked here.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Literal

import msgspec
from msgspec import Struct

from optimai.core.chance import MILLION, Ppm
from optimai.core.errors import BadCampaign, BadValue
from optimai.core.money import Nano, Price, opi, parse_opi, parse_price
from optimai.core.period import parse_period, parse_share
from optimai.core.rows import Int64

MOST_STEPS = 40
PRIVATE = "private"
SHARED = "shared"
NETWORKS = ("apart", SHARED)  # what `terms.networks` may say
VISIBLE = ("public", PRIVATE)  # what `terms.visibility` may say
NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")

Value = str | Int64 | bool  # of a column of an input


class Step(Struct, frozen=True, kw_only=True):
    name: str
    kind: str
    source: str  # `from`: an input or another step
    options: Mapping[str, Any]
    price: Price | None  # None: nobody is paid for it
    audit: Ppm | None  # None: the kind's own
    appeal: timedelta


class Dataset(Struct, frozen=True, kw_only=True):
    source: str
    split: Mapping[str, Ppm] = {}
    by: str = "_row"  # the column whose values stay together


class Private(Struct, frozen=True, kw_only=True):
    """What `optimai run` starts beside the campaign; a network of others never looks at it."""

    epoch: timedelta = timedelta(hours=1)
    site: str | None = None  # folder of an example's pages, served under its hosts' names
    hosts: int = 1
    people: str | None = None  # JSON lines of what the simulated people know


class Campaign(Struct, frozen=True, kw_only=True):
    name: str
    budget: Nano
    until: timedelta
    terms: Mapping[str, str]
    inputs: Mapping[str, tuple[Mapping[str, Any], ...]]
    steps: tuple[Step, ...]  # each after the one it reads
    dataset: Dataset
    people: Literal["real", "simulated"]
    private: Private

    @property
    def rows_private(self) -> bool:
        """By its terms: rows, tasks and results are for its requester, admins, and who works on it."""
        return self.terms.get("visibility") == PRIVATE

    @property
    def networks_shared(self) -> bool:
        """By its terms, which stand on the card: several owners of one network may answer about the same."""
        return self.terms.get("networks") == SHARED


class _Validate(Struct, forbid_unknown_fields=True):
    audit: str | None = None
    appeal: str | None = None


class _Dataset(Struct, forbid_unknown_fields=True):
    source: str = msgspec.field(name="from")
    split: dict[str, str] = {}


class _Private(Struct, forbid_unknown_fields=True):
    epoch: str = "1h"
    site: str | None = None
    hosts: int = 1
    people: str | None = None


class _File(Struct, forbid_unknown_fields=True):
    """The file as it is written. `core` types the values; a kind types its options."""

    campaign: str
    budget: str
    steps: dict[str, dict[str, Any]]
    dataset: _Dataset
    until: str = "14d"
    terms: dict[str, str] = {}
    inputs: dict[str, list[Any]] = {}
    appeal: str = "48h"
    people: Literal["real", "simulated"] = "real"
    private: _Private | None = None


def parse(raw: Mapping[str, Any]) -> Campaign:
    """From the file's plain values (or the same as JSON). Raises BadCampaign with the place."""
    if type(raw.get("budget")) in (int, float):
        raise BadCampaign("budget", "it has no unit", f"Write {raw['budget']} OPI")
    if raw.get("people", "real") not in ("real", "simulated"):
        raise BadCampaign("people", f"{raw['people']!r} is neither of the two", "Write real or simulated")
    try:
        file = msgspec.convert(raw, _File, strict=True)
    except msgspec.ValidationError as fault:
        raise _misshapen("", fault, "docs/campaign.md lists every word that may stand there") from None
    with _at("campaign"):
        _named(file.campaign)
    with _at("budget"):
        budget = parse_opi(file.budget)
    with _at("until"):
        until = parse_period(file.until)
    with _at("appeal"):
        appeal = parse_period(file.appeal)
    inputs = {name: tuple(_input(name, one) for one in given) for name, given in file.inputs.items()}
    steps = _in_order([_step(name, given, appeal) for name, given in file.steps.items()], set(inputs))
    if (said := file.terms.get("visibility", "public")) not in VISIBLE:
        raise BadCampaign("terms.visibility", f"it is {said!r}", f"Write one of {', '.join(VISIBLE)}")
    if (said := file.terms.get("networks", "apart")) not in NETWORKS:
        raise BadCampaign("terms.networks", f"it is {said!r}", f"Write one of {', '.join(NETWORKS)}")
    if budget <= 0:
        raise BadCampaign("budget", "it is zero", "Give at least what `optimai estimate` says")
    for step in steps:
        if step.price and step.price.nano > budget:
            raise BadCampaign(
                f"steps.{step.name}.price",
                f"one {step.price.unit} costs {opi(step.price.nano)} OPI, and the whole budget is {opi(budget)} OPI",
                "Write a lower price or a larger budget",
            )
    return Campaign(
        name=file.campaign,
        budget=budget,
        until=until,
        terms=file.terms,
        inputs=inputs,
        steps=steps,
        dataset=_dataset(file.dataset, {step.name for step in steps}),
        people=file.people,
        private=_private(file.private or _Private()),
    )


@contextmanager
def _at(where: str) -> Iterator[None]:
    """Says where in the file a value stands that could not be read."""
    try:
        yield
    except BadValue as fault:
        why, _, fix = str(fault).partition(". ")
        raise BadCampaign(where, why, fix) from None


def _named(name: str) -> None:
    if not NAME.fullmatch(name):
        raise BadValue("a name", name, "plant-care (lower-case letters, digits, -)")


def quote(why: str) -> str:
    """What to do where a text was asked for and YAML took what stands there for something else; else ""."""
    looks = {"bool": "yes, no, on, off, true and false", "int": "a number", "float": "a number"}
    asked, _, got = why.replace("`", "").partition(", got ")
    if asked != "Expected str" or got not in looks:
        return ""
    return f"Put it in quotes, for YAML makes another thing of {looks[got]}"


def _misshapen(where: str, fault: msgspec.ValidationError, fix: str) -> BadCampaign:
    """With the place that msgspec names, `$.steps[...]` seen from `where`."""
    why, _, place = str(fault).partition(" - at `$")
    return BadCampaign((where + place.rstrip("`")).lstrip(".") or "campaign", why, quote(why) or fix)


def _input(name: str, given: object) -> Mapping[str, Any]:
    with _at(f"inputs.{name}"):
        _named(name)
    try:
        one = msgspec.convert(given, str | dict[str, Value], strict=True)
    except msgspec.ValidationError as fault:
        raise _misshapen(
            f"inputs.{name}", fault, "Write a URL, or columns with texts, numbers, yes, no"
        ) from None
    row = {"url": one} if isinstance(one, str) else one
    if ours := [column for column in row if column.startswith("_")]:
        raise BadCampaign(
            f"inputs.{name}", f"{ours[0]!r} begins with _", "Such columns are the network's own"
        )
    return row


def _step(name: str, given: Mapping[str, Any], appeal: timedelta) -> Step:
    rest = dict(given)
    where = f"steps.{name}"
    with _at(where):
        _named(name)
    kind, source, price = (rest.pop(word, None) for word in ("kind", "from", "price"))
    if not isinstance(kind, str) or not isinstance(source, str):
        raise BadCampaign(
            where, "`kind` or `from` is missing", f"Write {name}: {{kind: clean.text, from: pages}}"
        )
    if price is not None and not isinstance(price, str):
        raise BadCampaign(f"{where}.price", "it has no unit", "Write it like this: 0.002/page")
    try:
        validate = msgspec.convert(rest.pop("validate", {}), _Validate, strict=True)
    except msgspec.ValidationError as fault:
        raise _misshapen(f"{where}.validate", fault, "It may say audit: 5% and appeal: 48h") from None
    with _at(f"{where}.price"):
        cost = parse_price(price) if price else None
    with _at(f"{where}.validate.audit"):
        audit = parse_share(validate.audit) if validate.audit is not None else None
    with _at(f"{where}.validate.appeal"):
        allowed = parse_period(validate.appeal) if validate.appeal is not None else appeal
    return Step(name=name, kind=kind, source=source, options=rest, price=cost, audit=audit, appeal=allowed)


def _in_order(steps: list[Step], known: set[str]) -> tuple[Step, ...]:
    """Each step after its source. Raises BadCampaign for a name used twice, a missing source, a circle."""
    if not 0 < len(steps) <= MOST_STEPS:
        raise BadCampaign("steps", f"there are {len(steps)}", f"Write 1 to {MOST_STEPS}")
    names = {step.name for step in steps}
    for step in steps:
        if step.name in known:
            raise BadCampaign(f"steps.{step.name}", "an input has that name", "Give one of them another")
        if step.source not in names | known:
            there = ", ".join(sorted((names | known) - {step.name}))
            raise BadCampaign(f"steps.{step.name}.from", f"there is no {step.source!r}", f"There are {there}")
    ordered: list[Step] = []
    known = set(known)
    while len(ordered) < len(steps):
        ready = [step for step in steps if step.source in known and step.name not in known]
        if not ready:
            stuck = ", ".join(step.name for step in steps if step.name not in known)
            raise BadCampaign(
                "steps", f"{stuck} read each other in a circle", "Let one of them read an input"
            )
        ordered += ready
        known |= {step.name for step in ready}
    return tuple(ordered)


def _dataset(given: _Dataset, steps: set[str]) -> Dataset:
    if given.source not in steps:
        raise BadCampaign("dataset.from", f"there is no step {given.source!r}", "Name the step to publish")
    split = dict(given.split)
    by = split.pop("by", "_row")
    with _at("dataset.split"):
        for name in split:
            _named(name)
        shares = {name: parse_share(share) for name, share in split.items()}
    if shares and sum(shares.values()) != MILLION:
        raise BadCampaign(
            "dataset.split", "the shares do not add up to 100 %", "Write {train: 90%, test: 10%}"
        )
    return Dataset(source=given.source, split=shares, by=by)


def _private(given: _Private) -> Private:
    with _at("private.epoch"):
        epoch = parse_period(given.epoch)
    if not 1 <= given.hosts <= 64:
        raise BadCampaign("private.hosts", f"{given.hosts} is not between 1 and 64", "Write hosts: 8")
    return Private(epoch=epoch, site=given.site, hosts=given.hosts, people=given.people)
