"""A text as a few numbers that agree where texts are alike (MinHash, Broder 1997).

Every run of words is hashed; of each of `count * depth` hash functions the smallest value
over all runs is kept, and the values of a band are folded into one number. Rows are
compared only where such a number is equal. A shard's signatures are records of

    row     16 bytes: `_row`
    words    8 bytes: hash of all words, equal for texts without any difference
    bands    8 bytes for each band, little-endian

in the order of its rows. All is arithmetic modulo 2**64: the same on every machine.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from optimai.core.ids import RowId
from optimai.kinds.dedup.bands import MOST_HASHES, Bands
from optimai.kinds.words import words

Hashes = NDArray[np.uint64]

_AT_ONCE = 4_096  # runs of words
_seed = np.frombuffer(blake3(b"optimai dedup").digest(length=16 * MOST_HASHES), "<u8").astype(np.uint64)
_factors, _offsets = _seed[:MOST_HASHES, None] | np.uint64(1), _seed[MOST_HASHES:, None]
_BASE = np.uint64(0x9E3779B97F4A7C15)


def sign(texts: Iterable[tuple[RowId, str]], ngram: int, bands: Bands) -> Iterator[bytes]:
    """A record for each text."""
    known: dict[str, int] = {}
    for row, text in texts:
        listed = words(text)
        one = np.zeros((), _record(bands.count))
        one["row"] = np.frombuffer(bytes.fromhex(row), np.uint8)
        one["words"] = _hash(" ".join(listed))
        for word in listed:
            if word not in known:
                known[word] = _hash(word)
        hashes = np.fromiter((known[word] for word in listed), np.uint64, len(listed))
        one["bands"] = _bands(_runs(hashes, ngram), bands)
        yield one.tobytes()


def read(data: bytes, rows: int, bands: int) -> NDArray[Any] | None:
    """None where this is not the signatures of so many rows."""
    shape = _record(bands)
    return np.frombuffer(data, shape) if len(data) == rows * shape.itemsize else None


def _record(bands: int) -> np.dtype[Any]:
    return np.dtype([("row", "u1", 16), ("words", "<u8"), ("bands", "<u8", (bands,))])


def _hash(text: str) -> int:
    return int.from_bytes(blake3(text.encode()).digest(8), "little")


def _runs(hashes: Hashes, ngram: int) -> Hashes:
    """A hash of each run of `ngram` words; of fewer words their only run; of none an empty array."""
    size = min(ngram, len(hashes))
    runs = np.zeros(len(hashes) - size + 1 if size else 0, np.uint64)
    for at in range(size):
        runs = runs * _BASE + hashes[at : at + len(runs)]
    return _mix(runs)


def _bands(runs: Hashes, bands: Bands) -> Hashes:
    count = bands.count * bands.depth
    smallest = np.full(count, np.iinfo(np.uint64).max, np.uint64)
    for start in range(0, len(runs), _AT_ONCE):
        values = _factors[:count] * runs[start : start + _AT_ONCE] + _offsets[:count]
        smallest = np.minimum(smallest, values.min(axis=1))
    folded = np.arange(bands.count, dtype=np.uint64)  # so that the same values in two bands are no meeting
    for values in smallest.reshape(bands.count, bands.depth).T:
        folded = _mix(folded * _BASE + values)
    return folded


def _mix(values: Hashes) -> Hashes:
    """The finalizer of splitmix64 (Steele, Lea, Flood 2014): each bit depends on each."""
    values = (values ^ values >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ values >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    return values ^ values >> np.uint64(31)
