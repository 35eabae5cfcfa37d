"""Which kinds of work this machine can do, found out without loading anything heavy.

A kind is offered where all that its `work` needs is installed. What it imports at the
top of the module, and of its own modules that it imports there, is read from the source;
so an agent stays small, and no list of extras has to be kept true by hand.
"""

import ast
import os
from collections.abc import Collection, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path

from msgspec import Struct

import optimai
from optimai.core.errors import DamagedKind, NotFound
from optimai.kinds import catalog
from optimai.kinds.catalog import Loaded
from optimai.node.home import HandsName


class Kinds(Struct, frozen=True):
    able: Mapping[str, Loaded]
    broken: Mapping[str, str]  # what is the matter with those whose sources are damaged


def kinds_here(allowed: Collection[str] | None, hands: HandsName) -> Kinds:
    """Those that such hands do, this machine can, and its operator allows (None: all).

    Raises NotFound where the operator names one that is not there or can't be done.
    """
    able = {}
    broken = dict(catalog.there().damaged) if allowed is None else {}
    for name in catalog.names() if allowed is None else allowed:
        try:
            loaded = catalog.load(name)
            lacks = missing(loaded)
        except NotFound:
            raise
        except DamagedKind as fault:
            broken[name] = str(fault)
            continue
        except Exception as fault:  # one kind that somebody is working on does not stop the others
            broken[name] = catalog.told(fault)
            continue
        if hands not in loaded.kind.hands:
            if allowed is not None:
                raise NotFound(f"work for a {hands} in the kind", name, "Leave it out of the node's kinds.")
            continue
        if hands == "machine" and lacks:
            if allowed is not None:
                fix = f"The kind {name} needs it: install it beside this, or leave the kind out."
                raise NotFound("package", ", ".join(sorted(lacks)), fix)
            continue
        able[name] = loaded
    return Kinds(able, broken)


def missing(loaded: Loaded) -> set[str]:
    """Top-level modules that the work of a kind needs and that are not installed."""
    module = f"optimai.kinds.{loaded.kind.name.replace('.', '_')}.work"
    needed = set(_needs(module, set()))
    if loaded.kind.reads != "nothing":
        needed.add("pyarrow")
    return {name for name in needed if find_spec(name) is None}


def has_engine() -> bool:
    return find_spec("daft") is not None


def cores() -> int:
    """That this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)  # macOS has none
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def memory_mb() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20


def _needs(module: str, seen: set[str]) -> Iterator[str]:
    """Packages outside of ours, through all of our modules below `kinds`."""
    path = _source(module)
    if module in seen or path is None:
        return
    seen.add(module)
    for imported in _imports(path):
        top = imported.partition(".")[0]
        if top == "optimai":
            if imported.startswith("optimai.kinds."):
                yield from _needs(imported, seen)
        else:
            yield top


def _imports(path: Path) -> Iterator[str]:
    for statement in ast.parse(path.read_bytes(), str(path)).body:
        if isinstance(statement, ast.Import):
            yield from (alias.name for alias in statement.names)
        elif isinstance(statement, ast.ImportFrom) and statement.module:
            yield statement.module
            yield from (f"{statement.module}.{alias.name}" for alias in statement.names)


def _source(module: str) -> Path | None:
    home = Path(optimai.__path__[0]).parent.joinpath(*module.split("."))
    return next((path for path in (home.with_suffix(".py"), home / "__init__.py") if path.is_file()), None)
