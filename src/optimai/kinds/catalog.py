"""Finds kinds by name and puts their parts together.

A kind lives in the folder of its name (`clean.text` in `clean_text/`). The network
loads spec, judge and store; only a node's worker loads `work`, with all that it
drags in. The hash of a kind's sources is pinned in each step, so that a verdict
can be recomputed with the very rules that made it.

Each folder is looked at once in the life of a process. One that is damaged is left out,
and whoever asks for it hears why; the others go on.
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
from optimai.core.campaign import Step, quote
from optimai.core.chance import Ppm, Seed
from optimai.core.errors import BadCampaign, DamagedKind, NotFound
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
    chance: Callable[[Any], Ppm]
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


def _never_by_chance(options: Any) -> Ppm:
    return Ppm(0)


def _folder(name: str) -> str:
    return name.replace(".", "_")


def _folders() -> set[str]:
    """Wherever the package `optimai.kinds` is looked for; whoever has kinds elsewhere adds to its path."""
    return {spec.parent.name for home in kinds.__path__ for spec in Path(home).glob("*/spec.py")}


class There(Struct, frozen=True):
    """What stands in the folders of kinds."""

    whole: Mapping[str, Loaded]  # by name
    damaged: Mapping[str, str]  # by folder: what is the matter with it
    hashes: tuple[str, ...]  # of all that are whole


@cache
def there() -> There:
    found = {folder: _look(folder) for folder in sorted(_folders())}
    whole = {one.kind.name: one for one in found.values() if isinstance(one, Loaded)}
    damaged = {folder: why for folder, why in found.items() if isinstance(why, str)}
    return There(whole, damaged, tuple(one.hash for one in whole.values()))


def names() -> tuple[str, ...]:
    """Of all kinds that are whole."""
    return tuple(sorted(there().whole))


@cache
def load(name: str) -> Loaded:
    """Raises NotFound, with the names there are, and DamagedKind."""
    folder = _folder(name)
    if folder not in _folders():
        raise NotFound("kind", name, f"There are {', '.join(names())}.")
    found = _look(folder)
    if isinstance(found, str):
        raise DamagedKind(name, found)
    return found


@cache
def _look(folder: str) -> Loaded | str:
    """The kind in a folder, or what is the matter with it: whatever a stranger's sources may raise."""
    try:
        return _put_together(folder)
    except Exception as fault:
        return told(fault)


def _put_together(folder: str) -> Loaded:
    spec, judge = _import(folder, "spec"), _import(folder, "judge")
    if _folder(spec.KIND.name) != folder:
        raise ValueError(
            f"its KIND is called {spec.KIND.name}, so its folder has to be {_folder(spec.KIND.name)}"
        )
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
        chance=getattr(spec, "chance", _never_by_chance),
        store=cast(Store, _import(folder, "store")) if (home / "store.py").is_file() else None,
        tables=tables.read_text() if tables.is_file() else "",
    )


class Stalled(Struct, frozen=True):
    """Why a step does not go on: its kind is here no more as it was when the step began."""

    how: str
    why: str


def stalled(name: str, code: str) -> Stalled | None:
    """None where the kind is here with that very code."""
    if why := there().damaged.get(_folder(name)):
        return Stalled("is damaged", why)
    kind = there().whole.get(name)
    if kind is None:
        return Stalled("is not here any more", f"There are {', '.join(names())}")
    if kind.hash != code:
        return Stalled(
            "has changed since this campaign began", f"It was {code[:12]}, and here is {kind.hash[:12]}"
        )
    return None


def told(fault: Exception) -> str:
    """What is the matter with a source, and where."""
    where = f" ({fault.filename}, line {fault.lineno})" if isinstance(fault, SyntaxError) else ""
    return f"{type(fault).__name__}: {getattr(fault, 'msg', fault)}{where}"


def of_step(step: Step) -> Loaded:
    """Raises BadCampaign with the place, for the unit of its price too; and DamagedKind."""
    try:
        kind = load(step.kind)
    except NotFound:
        where, others = f"steps.{step.name}.kind", ", ".join(names())
        raise BadCampaign(where, f"there is no kind {step.kind!r}", f"There are {others}") from None
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
    return [(name, kind.tables) for name, kind in sorted(there().whole.items()) if kind.tables]


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
        has = f"The kind {kind.kind.name} has these options: {fields}."
        raise BadCampaign(f"steps.{step}{place.rstrip('`')}", why, quote(why) or has) from None


def _import(folder: str, part: str) -> ModuleType:
    return importlib.import_module(f"optimai.kinds.{folder}.{part}")


def _hash(home: Path) -> str:
    """Of all Python sources of the kind, and of what kinds share, 64 hex digits."""
    digest = blake3()
    for path in (*sorted(home.parent.glob("*.py")), *sorted(home.glob("*.py"))):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()
