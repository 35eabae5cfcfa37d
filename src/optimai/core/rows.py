"""A row, its name, and the one way to write it down.

A row is a flat JSON object. Names that begin with _ are the network's:

    _row      what it is, stable across versions: from the step and the row's natural key
    _from     the `_row`s it was made of (absent where a step reads nothing)
    _result   the signed result behind it; this and what follows is written by publish, never by a node
    _verdict  the verdict that believed it
    _lineage  the verdicts behind the rows that it was made of

Rows travel as *canonical* JSON lines: keys sorted, no spaces, UTF-8 as it is, one
line feed after each row, `_row`s strictly ascending. So two owners who did the
same work have the same bytes, and with them the same hash.
"""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import msgspec
from blake3 import blake3
from msgspec import Meta

from optimai.core.errors import BadRows
from optimai.core.ids import RowId

Row = Mapping[str, Any]

Int64 = Annotated[int, Meta(ge=-(1 << 63), le=(1 << 63) - 1)]  # what Parquet holds

_decoder = msgspec.json.Decoder(dict[str, str | Int64 | float | bool | list[str] | None])
_encoder = msgspec.json.Encoder(order="sorted")


def row_id(step: str, *key: str) -> RowId:
    """Of a step (`campaign/step`) and a natural key: 128 bits of BLAKE3 over both, unambiguously joined."""
    return RowId(blake3(msgspec.json.encode((step, *key))).hexdigest()[:32])


def write(rows: Iterable[Row]) -> bytes:
    """Canonical bytes of rows given in any order. A float that is no number is written as null."""
    ordered = sorted(rows, key=lambda row: row["_row"])
    return b"".join(_encoder.encode(row) + b"\n" for row in ordered)


def read(data: bytes, *, most: int) -> list[dict[str, Any]]:
    """Rows from bytes that nobody vouches for. Raises BadRows with the line that is wrong.

    Refused: more than `most` rows, a value that is not flat, a missing or repeated
    `_row`, a `_from` that is no list, and any byte that `write` would have written otherwise.
    """
    count = data.count(b"\n")
    if count > most:
        raise BadRows(most + 1, f"at most {most} rows were expected")
    if data and not data.endswith(b"\n"):
        raise BadRows(count + 1, "the last line does not end")
    lines = data.split(b"\n")[:-1]
    rows = []
    before = ""
    for number, line in enumerate(lines, 1):
        try:
            row = _decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as fault:
            raise BadRows(number, str(fault)) from None
        name = row.get("_row")
        if not isinstance(name, str) or name <= before:
            raise BadRows(number, "_row is missing, repeated or out of order")
        if not isinstance(row.get("_from", []), list):
            raise BadRows(number, "_from is not a list")
        if _encoder.encode(row) != line:
            raise BadRows(number, "it is not in canonical form")
        before = name
        rows.append(row)
    return rows
