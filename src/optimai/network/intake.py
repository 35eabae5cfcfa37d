"""Can a result's rows be taken at all? Looked at before its kind judges it.

Rows must be canonical, within limits, and follow from the task: named by their key,
made of rows that the task was given, of the campaign's step and no other. What does
not is refused, so that no judge and no dataset ever sees it.
"""

from collections.abc import Sequence, Set
from typing import Any

from optimai.core import rows
from optimai.core.errors import BadRows, NotFound, WrongBytes
from optimai.core.ids import BlobId
from optimai.core.rows import Row, row_id
from optimai.kinds.catalog import Loaded
from optimai.kinds.contract import Shard
from optimai.network import shards
from optimai.network.store.sql import Tx

MOST_ROWS = 100_000  # of one result
MOST_BYTES = 64 << 20
OURS = {"_result", "_verdict", "_lineage"}  # columns that only publish writes


async def flaw(
    tx: Tx, kind: Loaded, step: str, options: Any, task: Any, result: Any, reads: Sequence[Shard]
) -> str:
    """Why this result can't be taken, in a sentence; "" where it can."""
    try:
        taken = await rows_of(tx, kind, step, task, result)
    except (BadRows, NotFound, WrongBytes) as fault:
        return str(fault)
    if taken:
        if wrong := _names(kind, step, taken, await shards.row_ids(tx, reads)):
            return wrong
        if strange := OURS & set(taken[0]):
            return f"The column {min(strange)} is the network's own."
    return kind.check(options, task, result, taken)


async def rows_of(tx: Tx, kind: Loaded, step: str, task: Any, result: Any) -> list[Row]:
    """The rows that a result would publish. Raises BadRows, NotFound, WrongBytes."""
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
        raise BadRows(0, f"they are larger than {MOST_BYTES:,} bytes")
    return rows.read(await tx.blobs.get(blob), most=MOST_ROWS)


def _names(kind: Loaded, step: str, taken: Sequence[Row], given: Set[str]) -> str:
    for number, row in enumerate(taken, 1):
        if kind.kind.reads == "nothing":
            key = [str(row.get(column)) for column in kind.kind.key]
        else:
            key = row.get("_from") or []
            if kind.kind.reads == "row" and len(key) != 1:
                return f"Row {number} is not made of exactly one row."
            if not given.issuperset(key):
                return f"Row {number} is made of a row that the task was not given."
        if row["_row"] != row_id(step, *key):
            return f"Row {number} is not named by its key."
    return ""
