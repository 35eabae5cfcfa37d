"""Blobs on a node's disk: nothing passes for what it is not, and there is an end to it."""

import os
from pathlib import Path

import pytest

from optimai.core.errors import BadValue
from optimai.core.ids import BlobId, blob_id
from optimai.node.cache import SLACK, Cache


def put(cache: Cache, data: bytes) -> BlobId:
    cache.put(blob_id(data), data)
    return blob_id(data)


def kept(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_a_blob_is_there_with_all_its_bytes_or_not_at_all(tmp_path: Path):
    cache = Cache(tmp_path, 1_000_000)
    blob = put(cache, b"bytes")
    assert cache.get(blob) == b"bytes"
    assert cache.get(blob_id(b"others")) is None


def test_a_copy_that_has_rotted_is_thrown_away(tmp_path: Path):
    cache = Cache(tmp_path, 1_000_000)
    blob = put(cache, b"bytes")
    (copy,) = [path for path in tmp_path.rglob("*") if path.is_file()]
    copy.write_bytes(b"bytez")
    assert cache.get(blob) is None
    assert not copy.exists()


def test_what_was_used_longest_ago_goes_first(tmp_path: Path):
    cache = Cache(tmp_path, 40_000)
    blobs = [put(cache, bytes([n]) * 2_000) for n in range(20)]
    for age, blob in enumerate(reversed(blobs)):
        os.utime(next(tmp_path.rglob(blob)), (10_000 - age, 10_000 - age))
    assert cache.get(blobs[0])
    put(cache, b"x" * 2_000)
    put(cache, b"y" * 2_000)
    assert cache.get(blobs[0])
    assert cache.get(blobs[1]) is None


def test_it_keeps_about_as_much_as_it_may_however_many_share_it(tmp_path: Path):
    caches = [Cache(tmp_path, 100_000) for _ in range(2)]
    for n in range(200):
        put(caches[n % 2], n.to_bytes(2) * 1_000)
    assert 80_000 < kept(tmp_path) <= 100_000 + 2 * 100_000 // SLACK


def test_one_blob_can_not_push_out_all_others(tmp_path: Path):
    cache = Cache(tmp_path, 100_000)
    small = put(cache, b"small")
    assert cache.get(put(cache, b"x" * 90_000)) is None
    assert cache.get(small) == b"small"


@pytest.mark.parametrize("name", ["../../etc/passwd", "", "a" * 63, "A" * 64, "a" * 64 + "\n"])
def test_a_name_that_is_no_hash_never_becomes_a_path(tmp_path: Path, name: str):
    with pytest.raises(BadValue):
        Cache(tmp_path, 1_000).get(BlobId(name))
