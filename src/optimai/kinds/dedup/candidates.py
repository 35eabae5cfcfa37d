"""From rows that meet in a bucket to pairs that a node can verify.

Of a small bucket all pairs are looked at. A large one, the pages of one template, would
bring their square: there each row is compared with the first and with its neighbour.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations, pairwise

from msgspec import Struct, convert

from optimai.core import rows
from optimai.core.ids import RowId

MOST_TOGETHER = 12  # rows of a bucket: at most 66 pairs
MOST_PAIRS = 2_000  # of a chunk: what one task verifies,
MOST_SHARDS = 64  # reading at most so many


class Pair(Struct, frozen=True, rename={"row": "_row"}):
    row: RowId  # of the pair itself
    left: RowId
    right: RowId
    left_in: int  # places of their shards in the join
    right_in: int


def read(data: bytes, count: int) -> list[Pair]:
    """Raises BadRows or msgspec.ValidationError for what is not so many pairs."""
    return convert(rows.read(data, most=count), list[Pair])


def pairs_of(bucket: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Of rows in ascending order."""
    if len(bucket) <= MOST_TOGETHER:
        yield from combinations(bucket, 2)
    else:
        yield from ((bucket[0], row) for row in bucket[1:])
        yield from pairwise(bucket[1:])


def chunks(pairs: Iterable[Pair]) -> Iterator[list[Pair]]:
    """Taken square by square, so that pairs spread over all shards are many in the few that a task reads."""
    side = MOST_SHARDS // 2

    def square(pair: Pair) -> tuple[int | str, ...]:
        return pair.left_in // side, pair.right_in // side, pair.left, pair.right

    chunk: list[Pair] = []
    shards: set[int] = set()
    for pair in sorted(pairs, key=square):
        both = {pair.left_in, pair.right_in}
        if len(chunk) == MOST_PAIRS or len(shards | both) > MOST_SHARDS:
            yield chunk
            chunk, shards = [], set()
        chunk.append(pair)
        shards |= both
    if chunk:
        yield chunk
