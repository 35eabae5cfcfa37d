"""The demo recomputes all epochs, and sees where a copy with one bit changed would pass."""

from collections.abc import Sequence

import pytest

from optimai.cli import demo_evidence
from optimai.core.errors import NotFound
from optimai.kinds import bundle
from optimai.network.store.sql import Database
from optimai.wire import envelope
from optimai.wire.envelope import Envelope
from tests.closing import a_day, closing, epochs, key
from tests.road import Road

pytestmark = pytest.mark.usefixtures("trial")

Epoch = tuple[Envelope, bytes]


class Network:
    """What of a client is needed."""

    def __init__(self, closed: Sequence[Epoch]) -> None:
        self.closed = closed

    async def epoch(self, number: int) -> Epoch:
        if not self.closed:
            raise NotFound("epoch", number, "Wait for it.")
        return self.closed[number - 1]


@pytest.fixture
async def road(database: Database) -> Road:
    """An epoch full of verdicts, then two in which nothing is judged."""
    road = Road(database)
    await a_day(road)
    for _ in range(3):
        await closing(road)
    return road


async def verified(road: Road, closed: Sequence[Epoch] | None = None) -> demo_evidence.Verified:
    network = Network(await epochs(road) if closed is None else closed)
    return await demo_evidence.epochs(network, key(road))  # type: ignore[arg-type]  # all that is asked of it


async def test_all_epochs_are_recomputed_and_the_fullest_is_tampered_with(road: Road):
    found = await verified(road)
    assert (found.epoch, found.ok, found.tampered_detected, found.fullest) == (3, True, True, 1)
    assert found.verdicts == await road.value("select count(*) from verdict") > 0


async def test_without_a_closed_epoch_nothing_is_proved(road: Road):
    found = await verified(road, [])
    assert (found.epoch, found.ok, found.tampered_detected, found.verdicts) == (0, False, False, 0)


async def test_one_bad_epoch_among_good_ones_is_enough(road: Road):
    first, (head, data), third = await epochs(road)
    changed = bytes([data[0] ^ 1]) + data[1:]
    assert not (await verified(road, [first, (head, changed), third])).ok


async def test_an_epoch_that_does_not_follow_the_one_before_does_not_hold(road: Road):
    first, _, third = await epochs(road)
    assert not (await verified(road, [first, third, third])).ok


async def test_where_even_the_true_copy_is_refused_nothing_is_detected(
    road: Road, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(demo_evidence, "_green", lambda place: False)
    assert not (await verified(road)).tampered_detected


@pytest.mark.parametrize("blind", ["head.json", "bundle.jsonl", "the last byte", "network.key.hex"])
async def test_a_verifier_that_is_blind_anywhere_is_found_out(
    road: Road, monkeypatch: pytest.MonkeyPatch, blind: str
):
    (head, data), *_ = await epochs(road)
    real, its = bundle.verify, key(road)

    def looks(found: Envelope, its_data: bytes, its_key: bytes, before: object = None) -> bundle.Report:
        if blind == "head.json":
            found = head
        elif blind == "bundle.jsonl":
            its_data = data
        elif blind == "the last byte":
            its_data = its_data[:-1] + data[-1:]
        else:
            its_key = its
        return real(found, its_data, its_key, None)

    network = Network([(head, data)])
    monkeypatch.setattr(bundle, "verify", looks)
    found = await demo_evidence.epochs(network, its)  # type: ignore[arg-type]
    assert found.ok
    assert not found.tampered_detected


async def test_a_copy_is_changed_in_each_of_its_files_from_the_first_byte_to_the_last(
    road: Road, monkeypatch: pytest.MonkeyPatch
):
    (head, data), *_ = await epochs(road)
    whole = {
        "head.json": envelope.write(head),
        "bundle.jsonl": data,
        "network.key.hex": key(road).hex().encode() + b"\n",
    }
    changed: set[tuple[str, int]] = set()

    def look(place: demo_evidence.Path) -> bool:
        differs = {
            (name, at)
            for name, was in whole.items()
            for at, (one, other) in enumerate(zip(was, (place / name).read_bytes(), strict=True))
            if one != other
        }
        assert len(differs) <= 1
        changed.update(differs)
        return not differs

    monkeypatch.setattr(demo_evidence, "_green", look)
    assert (await verified(road, [(head, data)])).tampered_detected
    for name, was in whole.items():
        places = sorted(at for file, at in changed if file == name)
        assert len(places) >= 60
        assert (places[0], places[-1]) == (0, len(was) - 1)
