"""Money is a whole number of nano-OPI (1 OPI = 1,000,000,000 nano-OPI). There is no other.

People write and read OPI with a decimal point; nothing computes with it.
"""

import re
from typing import NewType

from msgspec import Struct

from optimai.core.errors import BadValue

Nano = NewType("Nano", int)

OPI = 1_000_000_000
_OPI = re.compile(r"([0-9]{1,9})(?:\.([0-9]{1,9}))?")


class Price(Struct, frozen=True):
    """What one unit costs: `0.002/page` is Price(2_000_000, "page")."""

    nano: Nano
    unit: str

    def __str__(self) -> str:
        return f"{opi(self.nano)}/{self.unit}"


def parse_opi(text: str) -> Nano:
    """`"12.5 OPI"` or `"12.5"` in nano-OPI. Raises BadValue on anything else, negative amounts too."""
    found = _OPI.fullmatch(text.strip().removesuffix("OPI").strip())
    if not found:
        raise BadValue("an amount of OPI", text, "12.5 OPI")
    whole, part = found.groups()
    return Nano(int(whole) * OPI + int((part or "").ljust(9, "0")))


def parse_price(text: str) -> Price:
    amount, slash, unit = text.partition("/")
    if not slash or not re.fullmatch(r"[a-z][a-z-]{0,30}", unit.strip()):
        raise BadValue("a price", text, "0.002/page")
    return Price(parse_opi(amount.strip()), unit.strip())


def opi(nano: int, least: int = 3) -> str:
    """For people: at least `least` decimals, more only where they are needed to be exact. `"41.204"`."""
    sign, nano = ("-" if nano < 0 else ""), abs(nano)
    decimals = f"{nano % OPI:09d}".rstrip("0").ljust(least, "0")
    return f"{sign}{nano // OPI:,}" + (f".{decimals}" if decimals else "")
