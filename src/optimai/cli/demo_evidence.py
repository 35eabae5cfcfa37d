"""All closed epochs recomputed as a stranger would, and copies that were tampered with held up to the same eyes."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from optimai.cli import verify
from optimai.cli.demo_report import Verified
from optimai.client.network import Client
from optimai.core.errors import NotFound, OptimaiError
from optimai.kinds import bundle
from optimai.kinds.lines import Head

TAMPERED = ("head.json", "bundle.jsonl", "network.key.hex")
PLACES = 64  # in each of these files, spread from its first byte to its last


async def newest_epoch(network: Client) -> int:
    """Of those that are closed; 0 where none is."""
    try:
        head, _ = await network.epoch(0)
    except NotFound:
        return 0
    return msgspec.json.decode(head.payload, type=Head).epoch


async def epochs(network: Client, key: bytes) -> Verified:
    """Each is held against the one before it; copies of the one with the most verdicts are tampered with."""
    last = await newest_epoch(network)
    ok, verdicts, most, fullest = last > 0, 0, -1, 0
    noticed = False
    before = None
    for number in range(1, last + 1):
        this = await network.epoch(number)
        found = bundle.verify(*this, key, before)
        ok &= found.ok and found.epoch == number
        verdicts += found.verdicts
        if found.verdicts > most:
            most, fullest = found.verdicts, number
            noticed = _noticed(this, before, key)
        before = this
    return Verified(last, ok, noticed, fullest, verdicts)


def _noticed(this: verify.Epoch, before: verify.Epoch | None, key: bytes) -> bool:
    """Is a copy in files green as it was saved, and never again with one byte of it changed?"""
    with TemporaryDirectory() as folder:
        place = Path(folder)
        verify.save(place, this, before, key)
        return _green(place) and not any(_green(place) for _ in _changes(place))


def _changes(place: Path) -> Iterator[None]:
    """While it stands at a place, one bit is changed in one file."""
    for name in TAMPERED:
        whole = (place / name).read_bytes()
        for at in sorted({number * (len(whole) - 1) // (PLACES - 1) for number in range(PLACES)}):
            changed = bytearray(whole)
            changed[at] ^= 1 << at % 8
            (place / name).write_bytes(changed)
            yield
        (place / name).write_bytes(whole)


def _green(place: Path) -> bool:
    """What `optimai verify --bundle` says of it."""
    try:
        return bundle.verify(*verify.read(place)).ok
    except OptimaiError:
        return False
