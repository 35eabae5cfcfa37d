"""The node's door to chance, and the only place that reads its secret keys.

Two Ed25519 keys are made on the machine and never leave it: the owner's, on which
opinions, caps and pay hang, and the node's, which signs each exchange. To run a second
machine as the same owner, copy `owner.key` into its folder before it joins.

A key lies in a file of its own, readable by its owner alone; with wider permissions
nothing starts. The file appears whole or not at all, and is never overwritten.
"""

import os
from contextlib import suppress
from pathlib import Path

from nacl.encoding import HexEncoder
from nacl.exceptions import CryptoError
from nacl.signing import SigningKey
from nacl.utils import random

from optimai.core.errors import BadValue, Exposed

OWNER = "owner.key"
NODE = "node.key"


def private_folder(folder: Path) -> None:
    """Make a folder that only its owner can enter, or see that it is one. Raises Exposed."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _refuse_wide(folder, 0o700)


def key(folder: Path, name: str) -> SigningKey:
    """The key of that name, made at the first call. Raises Exposed, BadValue."""
    private_folder(folder)
    path = folder / name
    if not path.exists():
        _create(path, SigningKey.generate())
    _refuse_wide(path, 0o600)
    try:
        return SigningKey(path.read_bytes().strip(), encoder=HexEncoder)
    except (ValueError, CryptoError):
        raise BadValue(f"a key (in {path})", "what stands there", "64 hex digits") from None


def chance() -> float:
    """In [0, 1), for jitter: whoever waits for the same coordinator should not wait in step."""
    return int.from_bytes(random(7)) / (1 << 56)


def _create(path: Path, new: SigningKey) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.unlink(missing_ok=True)  # left by a process that had this number and died
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(new.encode(HexEncoder) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    with suppress(FileExistsError):  # another process was first: its key is the key
        os.link(part, path)
    part.unlink()
    entries = os.open(path.parent, os.O_RDONLY)
    os.fsync(entries)
    os.close(entries)


def _refuse_wide(path: Path, most: int) -> None:
    mode = path.stat().st_mode & 0o777
    if mode & ~most:
        raise Exposed(str(path), f"{mode:o}", f"{most:o}")
