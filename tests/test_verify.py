"""`optimai verify` on files: whatever is changed in any of them, it is not green."""

import re
from pathlib import Path

import pytest

from optimai.cli import verify
from optimai.core.errors import BadValue, OptimaiError
from optimai.core.ids import fingerprint
from optimai.kinds.bundle import Report
from optimai.network.store.sql import Database
from tests.closing import a_day, closing, epochs, key
from tests.road import Road

pytestmark = pytest.mark.usefixtures("trial")


@pytest.fixture
async def saved(database: Database, tmp_path: Path) -> Path:
    """The second epoch of a road, with the one before it."""
    road = Road(database)
    await a_day(road)
    await closing(road)
    await closing(road)
    first, second = (await epochs(road))[:2]
    verify.save(tmp_path, second, first, key(road))
    return tmp_path


def green(folder: Path) -> bool:
    try:
        return verify.recompute(*verify.read(folder)).ok
    except OptimaiError:
        return False


async def test_what_was_saved_is_green(saved: Path):
    assert green(saved)


@pytest.mark.parametrize("name", ["head.json", "network.key.hex"])
async def test_no_bit_of_a_head_or_a_key_can_be_changed(saved: Path, name: str):
    """Not even where base64 or hex digits would mean the same."""
    before = (saved / name).read_bytes()
    for bit in range(8 * len(before)):
        changed = bytearray(before)
        changed[bit // 8] ^= 1 << bit % 8
        (saved / name).write_bytes(changed)
        assert not green(saved), f"bit {bit}"


@pytest.mark.parametrize("name", ["head.json", "bundle.jsonl", "network.key.hex"])
@pytest.mark.parametrize("more", [b"\n", b" ", b"\0"])
async def test_nothing_can_be_added(saved: Path, name: str, more: bytes):
    (saved / name).write_bytes((saved / name).read_bytes() + more)
    assert not green(saved)


async def test_the_epoch_before_is_held_against_it(saved: Path):
    """Without it nobody could tell that a seed was chosen afterwards."""
    head = saved / "before" / "head.json"
    other = (saved / "head.json").read_bytes()
    (saved / "before" / "bundle.jsonl").write_bytes((saved / "bundle.jsonl").read_bytes())
    head.write_bytes(other)
    report: Report = verify.recompute(*verify.read(saved))
    assert "It does not follow the epoch before." in report.wrong


async def test_a_file_that_is_not_there_is_named(saved: Path):
    (saved / "head.json").unlink()
    with pytest.raises(OptimaiError, match=r"head\.json"):
        verify.read(saved)


async def test_what_was_checked_is_told_with_the_network_whose_key_it_was(
    saved: Path, capsys: pytest.CaptureFixture[str]
):
    head, data, key, before = verify.read(saved)
    verify.show(verify.recompute(head, data, key, before), 2, fingerprint(key))
    said = " ".join(capsys.readouterr().out.split())
    assert f"the key of network {fingerprint(key)}: what stands after # in its invite" in said
    assert "Epoch 2 holds." in said
    assert not re.search(r"\b1 \w+s\b", said), said


def test_what_only_the_network_says_is_told_in_plain_words(capsys: pytest.CaptureFixture[str]):
    verify.show(Report(epoch=2, verdicts=1, waived=1, refused=2, wrong=()), 2, "f" * 32)
    said = " ".join(capsys.readouterr().out.split())
    assert "Recomputed: 1 verdict on 0 signed results" in said
    assert "only the network's word, is for 1 verdict: that nobody else was there to check." in said
    assert "only the network's word, is for 2 results: that the rows could not be taken." in said


async def test_who_checks_is_not_told_how_to_sign(saved: Path):
    (saved / "network.key.hex").write_text("ab" * 32 + "\n")
    [wrong] = verify.recompute(*verify.read(saved)[:3]).wrong
    assert wrong.startswith("The head is not this network's: The signature does not belong to key")
    assert "Sign" not in wrong


def test_an_epoch_below_nothing_is_refused():
    with pytest.raises(BadValue, match="-1 is not the number of an epoch"):
        verify.verify(-1)


async def test_a_key_in_capitals_is_no_key(saved: Path):
    written = saved / "network.key.hex"
    written.write_text(written.read_text().upper())
    with pytest.raises(BadValue):
        verify.read(saved)
