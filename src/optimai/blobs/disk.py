"""Blobs in a folder: `ab/abcd…`, the hash in full, fanned out by its first byte.

A file is a header (one byte: how the body is stored; eight: how many plain bytes it
has) and the body. The body is zstd where that saves a quarter or more: JSON lines and
pages are, Parquet, pictures and archives stay as they are and give any range without
being unpacked. Below 4 KiB, one block of most disks, nothing would be saved.

`put` writes to `incoming/`, syncs, renames, and syncs the folder, in this order: a
crash leaves at most a file in `incoming/`, which nobody reads. While no process puts
blobs, that folder may be emptied. All folders are made and synced at the start, so that
a blob costs two syncs and not two more for each new folder.
"""

import asyncio
import os
import re
import struct
import tempfile
from pathlib import Path
from typing import BinaryIO

import zstandard

from optimai.blobs.port import not_found, part
from optimai.core.errors import NotFound, WrongBytes
from optimai.core.ids import BlobId, blob_id

PLAIN, ZSTD = 0, 1
HEADER = struct.Struct(">BQ")
SMALL = 4096

_HASH = re.compile(r"[0-9a-f]{64}")


class DiskBlobs:
    """Any number of processes may share the folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._incoming = folder / "incoming"
        self._incoming.mkdir(parents=True, exist_ok=True)
        for first in range(256):
            (folder / f"{first:02x}").mkdir(exist_ok=True)
        _sync_folder(folder)
        _sync_folder(folder.parent)

    async def put(self, data: bytes) -> BlobId:
        return await asyncio.to_thread(self._put, data)

    async def get(self, blob: BlobId, start: int = 0, length: int | None = None) -> bytes:
        return await asyncio.to_thread(self._get, blob, part(start, length))

    async def size(self, blob: BlobId) -> int | None:
        return await asyncio.to_thread(self._size, blob)

    def _put(self, data: bytes) -> BlobId:
        blob = blob_id(data)
        path = self._path(blob)
        try:
            self._get(blob, slice(None))
        except (NotFound, WrongBytes):
            self._write(path, data)
        _sync_folder(path.parent)  # of an older copy too: whoever renamed it may not have come that far
        return blob

    def _write(self, path: Path, data: bytes) -> None:
        number, name = tempfile.mkstemp(dir=self._incoming)
        try:
            with os.fdopen(number, "wb") as file:
                file.write(_pack(data))
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, path)
        except BaseException:
            os.unlink(name)
            raise

    def _get(self, blob: BlobId, wanted: slice) -> bytes:
        try:
            with self._path(blob).open("rb") as file:
                how, size = _header(file, blob)
                start, stop, _ = wanted.indices(size)
                if how == PLAIN and stop - start < size:
                    file.seek(start, os.SEEK_CUR)
                    return _exactly(file, max(0, stop - start), blob)
                return _unpack(how, size, file.read(), blob)[wanted]
        except FileNotFoundError:
            raise not_found(blob) from None

    def _size(self, blob: BlobId) -> int | None:
        try:
            with self._path(blob).open("rb") as file:
                return _header(file, blob)[1]
        except (FileNotFoundError, NotFound):
            return None

    def _path(self, blob: BlobId) -> Path:
        """Raises NotFound for what is no hash: names come from strangers, and this one becomes a path."""
        if not _HASH.fullmatch(blob):
            raise not_found(blob)
        return self._folder / blob[:2] / blob


def _pack(data: bytes) -> bytes:
    if len(data) > SMALL:
        packed = zstandard.compress(data)
        if len(packed) * 4 <= len(data) * 3:
            return HEADER.pack(ZSTD, len(data)) + packed
    return HEADER.pack(PLAIN, len(data)) + data


def _header(file: BinaryIO, blob: BlobId) -> tuple[int, int]:
    try:
        how, size = HEADER.unpack(file.read(HEADER.size))
    except struct.error:
        raise WrongBytes(blob) from None
    if how not in (PLAIN, ZSTD):
        raise WrongBytes(blob)
    return how, size


def _exactly(file: BinaryIO, length: int, blob: BlobId) -> bytes:
    data = file.read(length)
    if len(data) < length:
        raise WrongBytes(blob)
    return data


def _unpack(how: int, size: int, body: bytes, blob: BlobId) -> bytes:
    if how == ZSTD:
        try:
            if zstandard.frame_content_size(body) != size:  # damaged: it may claim more than there is memory
                raise WrongBytes(blob)
            body = zstandard.decompress(body)
        except zstandard.ZstdError:
            raise WrongBytes(blob) from None
    if len(body) != size or blob_id(body) != blob:
        raise WrongBytes(blob)
    return body


def _sync_folder(folder: Path) -> None:
    """So that names in it survive, too. Windows can't open a folder; NTFS keeps a journal of names."""
    if os.name != "nt":
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)
