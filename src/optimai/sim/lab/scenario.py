"""A scenario: one file that says who attacks what. `optimai sim` and the bench run the same ones."""

import importlib.util
import tomllib
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from optimai.core.errors import BadValue, NotFound
from optimai.sim.lab.players import Machines
from optimai.sim.lab.strategies import BY_NAME, Strategy

MOST_BYTES = 1 << 20
Share = Annotated[float, Meta(ge=0, le=1)]
EXAMPLE = "examples/attacks/lazy.toml"


class Scenario(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    strategy: str
    share: Share = 1.0
    attackers: Annotated[float, Meta(ge=0, lt=1)] = 0.3  # of the owners; one at least is honest
    seeds: Annotated[int, Meta(ge=1, le=10_000)] = 20
    network: Machines = Machines()

    @property
    def who(self) -> range:
        return range(min(round(self.attackers * self.network.owners), self.network.owners - 1))


def read(path: Path) -> Scenario:
    """Raises NotFound, and BadValue for what is not one."""
    if not path.is_file():
        raise NotFound("scenario", str(path), f"One that is there is {EXAMPLE}.")
    if path.stat().st_size > MOST_BYTES:
        raise BadValue(f"a scenario of at most {MOST_BYTES} bytes", str(path), EXAMPLE)
    try:
        return msgspec.convert(tomllib.loads(path.read_text("utf-8")), Scenario)
    except (ValueError, RecursionError, msgspec.ValidationError) as fault:
        raise BadValue(f"a scenario ({fault})", str(path), EXAMPLE) from None


def strategy(name: str, share: float, beside: Path = Path()) -> Strategy:
    """One of ours, or `FILE.py:Class`, of a file beside the scenario. Raises BadValue."""
    file, colon, inside = name.rpartition(":")
    if not colon:
        if name not in BY_NAME:
            raise BadValue(f"one of {', '.join(BY_NAME)}, or FILE.py:Class", name, "lazy")
        return BY_NAME[name](share)
    spec = importlib.util.spec_from_file_location(Path(file).stem, beside / file)
    if spec is None or spec.loader is None or not (beside / file).is_file():
        raise BadValue("a Python file with a strategy", str(beside / file), "mine.py:Mine")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        found = getattr(module, inside)(share)
    except Exception as fault:  # whatever its author wrote
        why = f"{type(fault).__name__}: {fault}"
        raise BadValue(f"a strategy that can be made ({why})", name, "mine.py:Mine") from None
    if not isinstance(found, Strategy):
        raise BadValue("a class that inherits from optimai.sim.lab.strategies.Strategy", name, "mine.py:Mine")
    return found
