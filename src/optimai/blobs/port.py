"""Bytes by the hash of their content: what every store of them promises.

    durable      when `put` returns, the bytes survive a crash of the process and of the machine
    whole        a blob is there with all its bytes or not at all, whatever happens during `put`
    idempotent   putting the same bytes again changes nothing, and mends a copy that has rotted
    honest       bytes read whole have the hash that names them, or WrongBytes is raised

Nothing can be overwritten, because a name fits one content only; and so far nothing
is deleted. `tests/test_blobs.py` holds every implementation to this page.
"""

from typing import Protocol

from optimai.core.errors import NotFound
from optimai.core.ids import BlobId


class Blobs(Protocol):
    async def put(self, data: bytes) -> BlobId: ...

    async def get(self, blob: BlobId, start: int = 0, length: int | None = None) -> bytes:
        """All of it, or at most `length` bytes from `start`: what lies beyond the end is left out.

        Raises NotFound, and WrongBytes where the stored copy is damaged. Damage to bytes may
        stay unseen while only ranges of a blob are read; missing ones are always noticed.
        """
        ...

    async def size(self, blob: BlobId) -> int | None:
        """Of the plain bytes; None where there is no such blob."""
        ...


def part(start: int, length: int | None) -> slice:
    """The range that `get` was asked for. Raises ValueError for one that no bytes can have."""
    if start < 0 or (length is not None and length < 0):
        raise ValueError(f"a range starts at 0 or later and has no negative length, not {start}, {length}")
    return slice(start, None if length is None else start + length)


def not_found(blob: BlobId) -> NotFound:
    return NotFound("blob", blob, "Put its bytes before you name it.")
