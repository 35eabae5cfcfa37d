"""Finds kinds by name and puts their parts together.

A kind lives in the folder of its name (`clean.text` in `clean_text/`). The network
loads spec, judge and store; only a node's worker loads `work`, with all that it
drags in. The hash of a kind's sources is pinned in each task, so that a verdict
can be recomputed with the very rules that made it.
"""

import importlib
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol, cast

import msgspec
from blake3 import blake3
from msgspec import Struct
from msgspec.structs import replace

from optimai import kinds
from optimai.blobs.port import Blobs
from optimai.core.campaign import Step
from optimai.core.chance import Seed
from optimai.core.errors import BadCampaign, NotFound
from optimai.core.ids import BlobId, StepId
from optimai.core.rows import Row
from optimai.kinds.contract import Case, Kind, More, News, Plan, Tx, Verdict


class Store(Protocol):
    """Of a kind that keeps state at the coordinator."""

    async def load(self, tx: Tx, blobs: Blobs, step: StepId, options: Any, news: Any, now: Any) -> Any: ...
    async def save(self, tx: Tx, step: StepId, plan: Plan[Any], now: Any) -> None: ...


class Loaded(Struct, frozen=True, kw_only=True):
    """A kind without its work."""

    kind: Kind
    hash: str
    options: Any  # the types, for strict decoding
    task: Any
    result: Any
    plan: Callable[[Any, Any, News[Any, Any]], Plan[Any]]
    agree: Callable[[Case[Any, Any, Any]], Verdict[Any] | More]
    rows: Callable[[str, Any, Any], BlobId | Sequence[Row] | None]
    audit: Callable[[Any, Any, Any, Seed], Any]
    check: Callable[[Any, Any, Any, Sequence[Row]], str]
    needs: Callable[[Any], tuple[str, ...]]
    looks: Callable[[Any], tuple[str, ...]]
    bound: Callable[[Any, int], tuple[int, int]]
    store: Store | None
    tables: str  # SQL of its own schema, or ""


def _same_again(options: Any, task: Any, result: Any, seed: Seed) -> Any:
    return task


def _plausible(options: Any, task: Any, result: Any, rows: Sequence[Row]) -> str:
    return ""


def _no_columns(options: Any) -> tuple[str, ...]:
    return ()


def _a_unit_a_row(options: Any, rows: int) -> tuple[int, int]:
    return rows, rows


def _folder(name: str) -> str:
    return name.replace(".", "_")


def _folders() -> set[str]:
    """Wherever the package `optimai.kinds` is looked for; whoever has kinds elsewhere adds to its path."""
    return {spec.parent.name for home in kinds.__path__ for spec in Path(home).glob("*/spec.py")}


@cache
def names() -> tuple[str, ...]:
    """Of all kinds there are."""
    return tuple(sorted(_import(folder, "spec").KIND.name for folder in _folders()))


@cache
def load(name: str) -> Loaded:
    """Raises NotFound, with the names there are."""
    folder = _folder(name)
    if folder not in _folders():
        raise NotFound("kind", name, f"There are {', '.join(names())}.")
    spec, judge = _import(folder, "spec"), _import(folder, "judge")
    home = Path(str(spec.__file__)).parent
    tables = home / "tables.sql"
    return Loaded(
        kind=spec.KIND,
        hash=_hash(home),
        options=spec.Options,
        task=spec.Task,
        result=spec.Result,
        plan=spec.plan,
        agree=judge.agree,
        rows=judge.rows,
        audit=getattr(judge, "audit", _same_again),
        check=getattr(judge, "check", _plausible),
        needs=getattr(spec, "needs", _no_columns),
        looks=getattr(spec, "looks", _no_columns),
        bound=getattr(spec, "bound", _a_unit_a_row),
        store=cast(Store, _import(folder, "store")) if (home / "store.py").is_file() else None,
        tables=tables.read_text() if tables.is_file() else "",
    )


def of_step(step: Step) -> Loaded:
    """Raises BadCampaign with the place, for the unit of its price too."""
    try:
        kind = load(step.kind)
    except NotFound:
        where, there = f"steps.{step.name}.kind", ", ".join(names())
        raise BadCampaign(where, f"there is no kind {step.kind!r}", f"There are {there}") from None
    unit = kind.kind.unit
    if step.price and step.price.unit != unit:
        raise BadCampaign(
            f"steps.{step.name}.price",
            f"{step.kind} is paid by the {unit}, not by the {step.price.unit}",
            f"Write price: {replace(step.price, unit=unit)}",
        )
    return kind


def tables() -> list[tuple[str, str]]:
    """(kind, SQL) of those that keep state at the coordinator."""
    return [(name, load(name).tables) for name in names() if load(name).tables]


def work(name: str) -> Callable[[Any, Any], Any]:
    """The work of a kind: what a node's worker calls."""
    return cast(Callable[[Any, Any], Any], _import(_folder(name), "work").work)


def options_of(step: str, kind: Loaded, given: Mapping[str, Any]) -> Any:
    """A step's options as its kind's struct. Raises BadCampaign with the place and what is allowed there."""
    try:
        return msgspec.convert(given, kind.options, strict=True)
    except msgspec.ValidationError as fault:
        fields = ", ".join(field.encode_name for field in msgspec.structs.fields(kind.options))
        why, _, place = str(fault).partition(" - at `$")
        raise BadCampaign(
            f"steps.{step}{place.rstrip('`')}", why, f"The kind {kind.kind.name} has these options: {fields}."
        ) from None


def _import(folder: str, part: str) -> ModuleType:
    return importlib.import_module(f"optimai.kinds.{folder}.{part}")


def _hash(home: Path) -> str:
    """Of all Python sources of the kind, and of what kinds share, 64 hex digits."""
    digest = blake3()
    for path in (*sorted(home.parent.glob("*.py")), *sorted(home.glob("*.py"))):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()
