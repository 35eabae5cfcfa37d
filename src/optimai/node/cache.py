"""Blobs on a node's disk, by their hash, as far as there is room. All its workers share it.

Files appear whole (written beside, then renamed) and are hashed again before they are
used, so neither a crash nor a failing disk nor another program can pass anything off.
What was used longest ago goes first.
"""

import os
import re
from pathlib import Path

from optimai.core.errors import BadValue
from optimai.core.ids import BlobId, blob_id

_HASH = re.compile(r"[0-9a-f]{64}")
SLACK = 20  # the room is measured again after a twentieth of it has been written


class Cache:
    def __init__(self, folder: Path, most: int) -> None:
        """At most about `most` bytes."""
        self._folder = folder
        self._most = most
        self._written = most  # since the room was measured; at first it is not known

    def get(self, blob: BlobId) -> bytes | None:
        path = self._path(blob)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return None
        if blob_id(data) != blob:
            path.unlink(missing_ok=True)
            return None
        os.utime(path)
        return data

    def put(self, blob: BlobId, data: bytes) -> None:
        if len(data) * SLACK > self._most:
            return
        path = self._path(blob)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{blob}.{os.getpid()}")
        part.write_bytes(data)
        part.replace(path)
        self._written += len(data)
        if self._written * SLACK > self._most:
            self._written = 0
            self._make_room()

    def link(self, blob: BlobId, path: Path) -> bool:
        """Give it a second name, which outlives it here. False where it is not here, or can't have two."""
        try:
            os.link(self._path(blob), path)
        except FileExistsError:
            return True
        except OSError:  # not every file system has second names
            return False
        return True

    def _path(self, blob: BlobId) -> Path:
        return self._folder / blob[:2] / file_name(blob)

    def _make_room(self) -> None:
        used = 0
        by_use = []
        for path in self._folder.glob("*/*"):
            try:
                stat = path.stat()
            except FileNotFoundError:  # another worker was here
                continue
            used += stat.st_size
            by_use.append((stat.st_mtime_ns, stat.st_size, path))
        for _, size, path in sorted(by_use):
            if used <= self._most:
                return
            path.unlink(missing_ok=True)
            used -= size


def file_name(blob: BlobId) -> str:
    """Raises BadValue for what is no hash: a task comes from elsewhere, and this becomes part of a path."""
    if not _HASH.fullmatch(blob):
        raise BadValue("the hash of a blob", blob[:80], blob_id(b""))
    return blob
