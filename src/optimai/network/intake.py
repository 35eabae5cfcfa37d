"""Can a result be taken at all? Looked at before its kind judges it.

The blobs that it names must have been brought to its campaign. Rows must be canonical,
within limits, and follow from the task: named by their key, made of rows that the task
was given, with the columns of their kind and no other. What does not is refused, so
that no judge and no dataset ever sees it.
"""

from collections.abc import Iterable, Set
from typing import Any

import msgspec
from msgspec import Raw

from optimai.core import rows
from optimai.core.assignment import Role
from optimai.core.errors import BadRows, NotFound, WrongBytes
from optimai.core.ids import BlobId
from optimai.core.rows import Row, row_id
from optimai.kinds import named, ruling
from optimai.kinds.catalog import Loaded
from optimai.network import shards
from optimai.network.store import tokens
from optimai.network.store.judging import Answered, Try
from optimai.network.store.sql import Tx

MOST_ROWS = 100_000  # of one result
MOST_BYTES = 64 << 20


async def flaw(tx: Tx, kind: Loaded, case: Answered, one: Try) -> str:
    """Why this result can't be taken, in a sentence; "" where it can."""
    if not one.name:
        return ""
    if unreadable := ruling.unreadable(kind, one.result):
        return unreadable
    asked = case.audit if one.role is Role.AUDIT and case.audit else case.body
    task = msgspec.json.decode(asked, type=kind.task)
    result = msgspec.json.decode(one.result, type=kind.result)
    if lacking := await tokens.lacking(tx, case.campaign, list(named.blobs(result, kind.result))):
        return str(NotFound("blob", lacking, "Upload what a result names before the result."))
    try:
        taken = await _rows_that_follow(tx, kind, case, task, result)
    except (BadRows, NotFound, WrongBytes) as fault:
        return str(fault)
    return kind.check(msgspec.json.decode(case.options, type=kind.options), task, result, taken)


async def believable(tx: Tx, kind: Loaded, case: Answered, believed: Raw, sound: Iterable[Try]) -> None:
    """What a judge believes of several results is looked at like a result. Raises BadRows, NotFound, WrongBytes."""
    plain = bytes(believed)  # a Raw is equal to no bytes
    if plain == b"null" or any(_plain(kind, one.result) == plain for one in sound):
        return
    task = msgspec.json.decode(case.body, type=kind.task)
    await _rows_that_follow(tx, kind, case, task, msgspec.json.decode(plain, type=kind.result))


def _plain(kind: Loaded, result: Raw) -> bytes:
    """A result in the form in which a verdict keeps what it believes."""
    return msgspec.json.encode(msgspec.json.decode(result, type=kind.result | None), order="sorted")


async def _rows_that_follow(
    tx: Tx, kind: Loaded, case: Answered, task: Any, result: Any
) -> list[dict[str, Any]]:
    """The rows of a result, if they follow from its task. Raises BadRows, NotFound, WrongBytes."""
    taken = await rows_of(tx, kind, case.step, task, result)
    given = await shards.row_ids(tx, case.reads) if taken else frozenset()
    for number, row in enumerate(taken, 1):
        if why := amiss(kind, case.step, row, given):
            raise BadRows(number, why)
    return taken


async def rows_of(tx: Tx, kind: Loaded, step: str, task: Any, result: Any) -> list[dict[str, Any]]:
    """The rows that a result would publish, in canonical form. Raises BadRows, NotFound, WrongBytes."""
    given = kind.rows(step, task, result)
    if given is None:
        return []
    if not isinstance(given, str):
        return rows.read(rows.write(given), most=MOST_ROWS)
    blob = BlobId(given)
    size = await tx.blobs.size(blob)
    if size is None:
        raise NotFound("blob", blob, "Upload the rows before the result that names them.")
    if size > MOST_BYTES:
        raise BadRows(1, f"all of them are larger than {MOST_BYTES:,} bytes")
    return rows.read(await tx.blobs.get(blob), most=MOST_ROWS)


def amiss(kind: Loaded, step: str, row: Row, given: Set[str]) -> str:
    """Why this row does not follow from its task, or ""."""
    own = {"_row"} if kind.kind.reads == "nothing" else {"_row", "_from"}
    if strange := set(row).difference(own, kind.kind.gives):
        return f"the column {min(strange)} is none that {kind.kind.name} gives"
    if lacking := own.union(kind.kind.gives).difference(row):
        return f"it has no column {min(lacking)}"
    if kind.kind.reads == "nothing":
        key = [str(row.get(column)) for column in kind.kind.key]
    else:
        key = row["_from"]
        if not key or (kind.kind.reads == "row" and len(key) != 1):
            return "it is not made of exactly one row" if kind.kind.reads == "row" else "it is made of no row"
        if not given >= set(key):
            return "it is made of a row that the task was not given"
    return "" if row["_row"] == row_id(step, *key) else "it is not named by its key"
