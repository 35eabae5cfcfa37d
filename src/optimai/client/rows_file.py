"""Rows to begin with, from a file beside the campaign's: JSON lines, or CSV with a header line, whose values are texts.

They are put in place of the file's name, and sent; the network never sees a file.
"""

import csv
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import msgspec

from optimai.core.campaign import Value
from optimai.core.errors import BadCampaign

MOST_BYTES = 8 << 20  # as much as a whole campaign may have

_ROW = msgspec.json.Decoder(dict[str, Value])


class _Bad(Exception):
    """A line that is no row, and what to write."""

    def __init__(self, line: int, why: str, fix: str) -> None:
        super().__init__(f"line {line}: {why}")
        self.fix = fix


def read(where: str, file: Path) -> list[dict[str, Any]]:
    """Raises BadCampaign, with the file's line where it is one that is wrong."""
    readers = {".jsonl": _json_lines, ".csv": _csv}
    if file.suffix not in readers:
        raise BadCampaign(
            where, f"{file.name} is no .jsonl and no .csv", "Name such a file, or write the rows"
        )
    if not file.is_file():
        raise BadCampaign(where, f"there is no file {file}", "Name one beside the campaign's file")
    if file.stat().st_size > MOST_BYTES:
        raise BadCampaign(where, f"{file} is larger than {MOST_BYTES:,} bytes", "Give fewer rows")
    try:
        rows = list(readers[file.suffix](file.read_text("utf-8-sig")))
    except UnicodeDecodeError as fault:
        raise BadCampaign(where, f"{file.name} is not UTF-8: {fault}", "Save it as UTF-8") from None
    except _Bad as fault:
        raise BadCampaign(where, f"{file.name}, {fault}", fault.fix) from None
    if not rows:
        raise BadCampaign(where, f"{file.name} has no rows", "Write one a line")
    return rows


def _json_lines(text: str) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                yield _ROW.decode(line)
            except msgspec.DecodeError as fault:
                fix = 'Write {"column": "text"} a line; values are texts, whole numbers, true, false'
                raise _Bad(number, str(fault), fix) from None


def _csv(text: str) -> Iterator[dict[str, Any]]:
    lines = csv.reader(StringIO(text, newline=""), strict=True)
    columns: list[str] = []
    try:
        for values in lines:
            if not columns:
                columns = values
                if not all(columns) or len(set(columns)) < len(columns):
                    fix = "Begin with a line of columns, each named once"
                    raise _Bad(lines.line_num, "a column has no name, or stands there twice", fix)
            elif values and len(values) != len(columns):
                why = f"it has {len(values)} values for {len(columns)} columns"
                raise _Bad(lines.line_num, why, "Put values with commas or line breaks in quotes")
            elif values:
                yield dict(zip(columns, values, strict=True))
    except csv.Error as fault:
        raise _Bad(lines.line_num, str(fault), "Write CSV, or JSON lines") from None
