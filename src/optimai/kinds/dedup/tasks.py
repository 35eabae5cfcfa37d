"""What passes between the plan and the nodes: a task and a result for each phase.

Whatever is long travels as a blob. Two of its forms are binary, for there are many and
nobody reads them: signatures (see signatures.py) and similarities, 4 bytes a pair.
"""

from msgspec import Struct

from optimai.core.chance import Ppm
from optimai.core.ids import BlobId
from optimai.kinds.contract import Shard
from optimai.kinds.dedup.bands import Bands


class Sign(Struct, frozen=True, forbid_unknown_fields=True, tag="sign"):
    shard: Shard
    column: str
    ngram: int
    bands: Bands


class Signed(Struct, frozen=True, forbid_unknown_fields=True, tag="signed"):
    signatures: BlobId  # a record for each row, see signatures.py


class Join(Struct, frozen=True, forbid_unknown_fields=True, tag="join"):
    shards: tuple[Shard, ...]
    signatures: tuple[BlobId, ...]  # of each shard
    bands: int


class Chunk(Struct, frozen=True, forbid_unknown_fields=True):
    """Pairs that may be alike."""

    pairs: BlobId  # rows, see candidates.Pair
    count: int
    shards: tuple[int, ...]  # places of the shards that have them


class Joined(Struct, frozen=True, forbid_unknown_fields=True, tag="joined"):
    chunks: tuple[Chunk, ...]
    unreadable: tuple[int, ...]  # places of shards whose signatures were none: their rows pass as unique


class Verify(Struct, frozen=True, forbid_unknown_fields=True, tag="verify"):
    pairs: BlobId
    count: int
    shards: tuple[Shard, ...]
    column: str
    ngram: int


class Verified(Struct, frozen=True, forbid_unknown_fields=True, tag="verified"):
    similarities: BlobId  # ppm of each pair in the order of its `_row`, 4 bytes each, least first


class Checked(Struct, frozen=True, forbid_unknown_fields=True):
    pairs: BlobId
    count: int
    similarities: BlobId


class Group(Struct, frozen=True, forbid_unknown_fields=True, tag="group"):
    checked: tuple[Checked, ...]
    threshold: Ppm
    shards: int


class Grouped(Struct, frozen=True, forbid_unknown_fields=True, tag="grouped"):
    fates: tuple[BlobId | None, ...]  # of each shard: rows {"_row", "kept", "duplicates"}; None: all unique
    unreadable: int  # chunks whose similarities were none: their pairs pass as different


class Keep(Struct, frozen=True, forbid_unknown_fields=True, tag="keep"):
    shard: Shard
    fates: BlobId | None


class Kept(Struct, frozen=True, forbid_unknown_fields=True, tag="kept"):
    rows: BlobId  # {"_row", "_from", "duplicates"}; publish adds the columns of the parent


Task = Sign | Join | Verify | Group | Keep
Result = Signed | Joined | Verified | Grouped | Kept

ANSWERS: dict[type[Task], type[Result]] = {
    Sign: Signed,
    Join: Joined,
    Verify: Verified,
    Group: Grouped,
    Keep: Kept,
}
