"""The file in which an operator changes the numbers of the protocol: TOML, with what differs from the defaults.

    away = 3600

    [again]
    probation = 50
    bond = 100

They take effect with the next epoch, and stand in the signed head of each.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from optimai.core.errors import BadValue, NotFound
from optimai.core.protocol import OPEN, PRIVATE, Protocol

MOST_BYTES = 1 << 16
EXAMPLE = "[again] probation = 50"


def read(path: Path, private: bool) -> Protocol:
    """Raises NotFound, and BadValue for what is none."""
    if not path.is_file():
        raise NotFound("file", path, f"It holds what differs from the defaults: {EXAMPLE}.")
    if path.stat().st_size > MOST_BYTES:
        raise BadValue(f"a protocol of at most {MOST_BYTES} bytes", str(path), EXAMPLE)
    try:
        asked = tomllib.loads(path.read_text("utf-8"))
        whole = _over(msgspec.to_builtins(PRIVATE if private else OPEN), asked)
        return msgspec.convert(whole, Protocol)
    except (ValueError, RecursionError, msgspec.ValidationError) as fault:
        raise BadValue(f"a protocol ({fault})", str(path), EXAMPLE) from None


def _over(defaults: Mapping[str, Any], asked: Mapping[str, Any]) -> dict[str, Any]:
    both = dict(defaults)
    for name, value in asked.items():
        there = both.get(name)
        both[name] = _over(there, value) if isinstance(there, dict) and isinstance(value, dict) else value
    return both
