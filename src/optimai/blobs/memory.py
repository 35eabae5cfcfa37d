"""Blobs for tests and for the simulator. Durable as long as the process is."""

from optimai.blobs.port import not_found, part
from optimai.core.ids import BlobId, blob_id


class MemoryBlobs:
    def __init__(self) -> None:
        self._bytes: dict[BlobId, bytes] = {}

    async def put(self, data: bytes) -> BlobId:
        blob = blob_id(data)
        self._bytes[blob] = bytes(data)
        return blob

    async def get(self, blob: BlobId, start: int = 0, length: int | None = None) -> bytes:
        wanted = part(start, length)
        if blob not in self._bytes:
            raise not_found(blob)
        return self._bytes[blob][wanted]

    async def size(self, blob: BlobId) -> int | None:
        return len(self._bytes[blob]) if blob in self._bytes else None
