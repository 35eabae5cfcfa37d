"""What every store of blobs must do. An implementation joins by one line in STORES."""

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from optimai.blobs.disk import HEADER, ZSTD, DiskBlobs
from optimai.blobs.memory import MemoryBlobs
from optimai.blobs.port import Blobs
from optimai.core.errors import NotFound, WrongBytes
from optimai.core.ids import BlobId, blob_id

STORES: dict[str, Callable[[Path], Blobs]] = {
    "memory": lambda _: MemoryBlobs(),
    "disk": DiskBlobs,
}

# Content decides everything, so that one store may serve all examples of a test.
examples = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])

short = st.binary(max_size=300)
long = st.builds(
    lambda part, times: part * times, st.binary(min_size=1, max_size=40), st.integers(200, 2_000)
)
contents = short | long
PACKED = b"the same words again and again " * 1_000
PLAIN = bytes(range(256)) * 8


@pytest.fixture(params=STORES)
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    return STORES[request.param](tmp_path)


@examples
@given(contents)
async def test_what_was_put_is_there_under_the_hash_of_its_plain_bytes(blobs: Blobs, data: bytes) -> None:
    blob = await blobs.put(data)
    assert blob == blob_id(data)
    assert await blobs.get(blob) == data
    assert await blobs.size(blob) == len(data)


@examples
@given(contents, st.integers(0, 2_000), st.none() | st.integers(0, 90_000))
async def test_a_range_is_of_the_plain_bytes_and_ends_where_they_end(
    blobs: Blobs, data: bytes, start: int, length: int | None
) -> None:
    end = None if length is None else start + length
    assert await blobs.get(await blobs.put(data), start, length) == data[start:end]


@examples
@given(contents)
async def test_putting_again_changes_nothing(blobs: Blobs, data: bytes) -> None:
    assert await blobs.put(data) == await blobs.put(data)
    assert await blobs.get(blob_id(data)) == data


async def test_what_was_never_put_is_not_there(blobs: Blobs) -> None:
    await blobs.put(b"something else")
    with pytest.raises(NotFound, match="There is no blob"):
        await blobs.get(blob_id(b"never"))
    assert await blobs.size(blob_id(b"never")) is None


@pytest.mark.parametrize("name", ["", "a", "..", "../../etc/passwd", "A" * 64, "incoming", "0" * 63 + "\n"])
async def test_a_name_that_is_no_hash_is_a_blob_that_is_not_there(blobs: Blobs, name: str) -> None:
    with pytest.raises(NotFound):
        await blobs.get(BlobId(name))
    assert await blobs.size(BlobId(name)) is None


@pytest.mark.parametrize(("start", "length"), [(-1, None), (0, -1)])
async def test_a_range_that_no_bytes_can_have_is_a_mistake(
    blobs: Blobs, start: int, length: int | None
) -> None:
    blob = await blobs.put(b"abc")
    with pytest.raises(ValueError, match="range"):
        await blobs.get(blob, start, length)


async def test_bytes_that_change_after_the_put_do_not_change_the_blob(blobs: Blobs) -> None:
    data = bytearray(b"abc")
    blob = await blobs.put(bytes(data))
    data[0] = 0
    assert await blobs.get(blob) == b"abc"


# What only a disk can suffer


@pytest.fixture
def disk(tmp_path: Path) -> DiskBlobs:
    return DiskBlobs(tmp_path)


def file_of(folder: Path, blob: BlobId) -> Path:
    return folder / blob[:2] / blob


async def test_blobs_survive_the_process_that_put_them(tmp_path: Path) -> None:
    blob = await DiskBlobs(tmp_path).put(PACKED)
    assert await DiskBlobs(tmp_path).get(blob) == PACKED


async def test_a_crash_before_the_rename_leaves_no_blob_and_the_next_put_does_it(
    tmp_path: Path, disk: DiskBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as crash:
        crash.setattr(os, "replace", _power_cut)
        crash.setattr(os, "unlink", lambda name: None)
        with pytest.raises(PowerCutError):
            await disk.put(PLAIN)
    assert len(list((tmp_path / "incoming").iterdir())) == 1
    with pytest.raises(NotFound):
        await disk.get(blob_id(PLAIN))
    assert await disk.size(blob_id(PLAIN)) is None
    assert await disk.get(await disk.put(PLAIN)) == PLAIN


async def test_a_put_that_fails_takes_its_file_away(
    tmp_path: Path, disk: DiskBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "replace", _power_cut)
    with pytest.raises(PowerCutError):
        await disk.put(PLAIN)
    assert not list((tmp_path / "incoming").iterdir())


async def test_bytes_are_on_the_disk_before_their_name_and_the_name_before_put_returns(
    tmp_path: Path, disk: DiskBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    happened: list[str] = []
    fsync, replace = os.fsync, os.replace

    def syncs(number: int) -> None:
        happened.append("folder" if os.path.isdir(f"/dev/fd/{number}") else "bytes")
        fsync(number)

    def renames(source: str, target: Path) -> None:
        happened.append("rename")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", syncs)
    monkeypatch.setattr(os, "replace", renames)
    blob = await disk.put(PLAIN)
    assert happened == ["bytes", "rename", "folder"]

    happened.clear()
    await disk.put(PLAIN)
    assert happened == ["folder"], "another process may have renamed it and not synced yet"
    assert file_of(tmp_path, blob).is_file()


@pytest.mark.parametrize("data", [PACKED, PLAIN, b"x"], ids=["packed", "plain", "short"])
async def test_a_truncated_file_is_noticed_wherever_it_was_cut_and_mended_by_the_next_put(
    tmp_path: Path, disk: DiskBlobs, data: bytes
) -> None:
    blob = await disk.put(data)
    whole = file_of(tmp_path, blob).read_bytes()
    for length in {0, 1, HEADER.size - 1, HEADER.size, len(whole) // 2, len(whole) - 1}:
        file_of(tmp_path, blob).write_bytes(whole[:length])
        with pytest.raises(WrongBytes):
            await disk.get(blob)
        with pytest.raises(WrongBytes):
            await disk.get(blob, len(data) - 1, 1)
    await disk.put(data)
    assert await disk.get(blob) == data


@examples
@given(st.data())
@pytest.mark.parametrize("data", [PACKED, PLAIN], ids=["packed", "plain"])
async def test_a_rotten_bit_never_reaches_whoever_reads_the_whole_and_the_next_put_mends_it(
    tmp_path: Path, disk: DiskBlobs, data: bytes, draws: st.DataObject
) -> None:
    blob = await disk.put(data)
    file = file_of(tmp_path, blob)
    rotten = bytearray(whole := file.read_bytes())
    rotten[draws.draw(st.integers(0, len(rotten) - 1))] ^= 1 << draws.draw(st.integers(0, 7))
    file.write_bytes(rotten)
    with suppress(WrongBytes):  # zstd has bits that mean nothing
        assert await disk.get(blob) == data
    await disk.put(data)
    assert await disk.get(blob) == data
    file.write_bytes(whole)


async def test_a_damaged_file_that_claims_more_than_there_is_memory_is_only_damaged(
    tmp_path: Path, disk: DiskBlobs
) -> None:
    blob = await disk.put(PACKED)
    magic, eight_bytes_of_size = b"\x28\xb5\x2f\xfd", b"\xe0"
    frame = magic + eight_bytes_of_size + (1 << 60).to_bytes(8, "little") + bytes(100)
    file_of(tmp_path, blob).write_bytes(HEADER.pack(ZSTD, len(PACKED)) + frame)
    with pytest.raises(WrongBytes):
        await disk.get(blob)


async def test_what_zstd_makes_smaller_by_a_quarter_lies_packed_and_all_else_plain(
    tmp_path: Path, disk: DiskBlobs
) -> None:
    random = b"".join(bytes.fromhex(blob_id(bytes([number]))) for number in range(256))
    sizes = {}
    for data in (PACKED, random, b"same " * 100):
        sizes[data] = file_of(tmp_path, await disk.put(data)).stat().st_size
    assert sizes[PACKED] < len(PACKED) // 4
    assert sizes[random] == HEADER.size + len(random)
    assert sizes[b"same " * 100] == HEADER.size + 500


async def test_many_may_put_and_get_the_same_blob_at_once(tmp_path: Path) -> None:
    async with asyncio.TaskGroup() as group:
        puts = [group.create_task(DiskBlobs(tmp_path).put(PACKED)) for _ in range(16)]
    assert {put.result() for put in puts} == {blob_id(PACKED)}
    assert await DiskBlobs(tmp_path).get(blob_id(PACKED)) == PACKED


class PowerCutError(Exception):
    pass


def _power_cut(*_: object) -> None:
    raise PowerCutError
