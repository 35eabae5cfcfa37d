"""Who is a duplicate of whom, from pairs that are alike.

Alike is passed on: if a is like b and b like c, all three are one group, though a and c
may differ more than the campaign allows. Of each group the row with the smallest `_row`
is kept: it follows from the data alone, not from the order in which they came.
"""

from collections import Counter
from collections.abc import Iterable, Mapping

from msgspec import Struct

from optimai.core.ids import RowId


class Fate(Struct, frozen=True):
    kept: RowId  # the row of its group that stays, perhaps itself
    duplicates: int  # the others of the group


def fates(pairs: Iterable[tuple[RowId, RowId]]) -> Mapping[RowId, Fate]:
    """Of every row that has a duplicate."""
    above: dict[RowId, RowId] = {}

    def top(row: RowId) -> RowId:
        while above.setdefault(row, row) != row:
            above[row] = above[above[row]]  # halve the path, so that the next look is short
            row = above[row]
        return row

    for one, other in pairs:
        first, second = sorted((top(one), top(other)))
        above[second] = first
    kept = {row: top(row) for row in above}
    sizes = Counter(kept.values())
    return {row: Fate(stays, sizes[stays] - 1) for row, stays in kept.items() if sizes[stays] > 1}
