"""What a node must not forget, it does not forget: whatever happens, and wherever it is cut off."""

import copy
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from msgspec import Raw

from optimai.core.assignment import Role
from optimai.core.clock import instant
from optimai.core.ids import AssignmentId
from optimai.node import outbox as module
from optimai.node.outbox import MOST_BYTES, Came, Outbox, Pending
from optimai.wire.exchange import MOST_RESULTS, Done, Met, Offer, Refusal, Reply


def offer(number: int) -> Offer:
    return Offer(
        assignment=AssignmentId(number),
        kind="word_count",
        step="c/s",
        task=Raw(b'{"column":"text"}'),
        role=Role.ANSWER,
        units=1,
        price=1,
        quality=1_000_000,
        rate=0,
        protocol="",
        lease_until=instant(2026, 1, 1),
        token="t",
    )


def done(number: int, result: bytes = b'{"rows":"x"}') -> Done:
    return Done(AssignmentId(number), Raw(result))


def plain(results: Sequence[Done]) -> list[tuple[int, bytes, str]]:
    return [(one.assignment, bytes(one.result), one.declined) for one in results]


def sign(serial: int, results: Sequence[Done], answers: Sequence[Met]) -> bytes:
    return msgspec.json.encode((serial, results, answers))


def carried(pending: Pending) -> list[int]:
    """The assignments whose results are in it."""
    return [one["assignment"] for one in msgspec.json.decode(pending.request)[1]]


def reply(
    serial: int, taken: Sequence[int] = (), offers: Sequence[int] = (), refused: Sequence[int] = ()
) -> Reply:
    return Reply(
        serial=serial,
        taken=tuple(AssignmentId(one) for one in taken),
        refused=tuple(Refusal(AssignmentId(one), "lease_over", "Too late.") for one in refused),
        offers=tuple(offer(one) for one in offers),
    )


def with_offers(outbox: Outbox, *numbers: int) -> None:
    outbox.answer(reply(outbox.envelope(sign).serial, offers=numbers))


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    made = Outbox(tmp_path / "outbox.db")
    yield made
    made.close()


def test_an_envelope_stays_the_same_to_the_byte_until_it_is_answered(outbox: Outbox):
    with_offers(outbox, 1, 2)
    outbox.finish(done(1))
    first = outbox.envelope(sign)
    outbox.finish(done(2))
    assert outbox.envelope(sign) == first
    assert outbox.answer(reply(first.serial, taken=[1])) == Came(reply(first.serial, taken=[1]), more=True)
    second = outbox.envelope(sign)
    assert second.serial == first.serial + 1
    assert carried(second) == [2]


def test_an_offer_that_comes_twice_is_taken_on_once(outbox: Outbox):
    with_offers(outbox, 1)
    came = outbox.answer(reply(outbox.envelope(sign).serial, offers=[1, 2]))
    assert [one.assignment for one in came.offers] == [2]
    outbox.finish(done(2))
    assert outbox.answer(reply(outbox.envelope(sign).serial, offers=[2])).offers == ()


def test_only_the_first_result_of_an_assignment_counts(outbox: Outbox):
    with_offers(outbox, 1)
    assert outbox.finish(done(1, b"1"))
    assert not outbox.finish(done(1, b"2"))
    assert not outbox.finish(done(7))
    assert msgspec.json.decode(outbox.envelope(sign).request)[1][0]["result"] == 1


def test_what_an_answer_does_not_mention_goes_out_again_but_is_nothing_new(outbox: Outbox):
    with_offers(outbox, 1, 2)
    outbox.finish(done(1))
    outbox.finish(done(2))
    came = outbox.answer(reply(outbox.envelope(sign).serial, taken=[1]))
    assert not came.more
    assert carried(outbox.envelope(sign)) == [2]


def test_a_refused_result_is_gone_and_counted(outbox: Outbox):
    with_offers(outbox, 1)
    outbox.finish(done(1))
    outbox.answer(reply(outbox.envelope(sign).serial, refused=[1]))
    assert (outbox.counts().refused, outbox.counts().unsent) == (1, 0)


def test_which_results_were_taken_is_remembered_but_not_what_was_handed_back_undone(outbox: Outbox):
    with_offers(outbox, 1, 2, 3)
    outbox.finish(done(1))
    outbox.finish(Done(AssignmentId(2), declined="no"))
    outbox.finish(done(3))
    outbox.answer(reply(outbox.envelope(sign).serial, taken=[3, 2, 1]))
    assert outbox.taken() == [3, 1]
    assert outbox.counts().taken == 2


def test_of_very_many_that_were_taken_the_last_ones_are_remembered(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "MOST_TAKEN", 2)
    for number in range(5):
        with_offers(outbox, number)
        outbox.finish(done(number))
        outbox.answer(reply(outbox.envelope(sign).serial, taken=[number]))
    assert outbox.taken() == [3, 4]
    assert outbox.counts().taken == 5


def test_an_answer_to_another_envelope_changes_nothing(outbox: Outbox):
    with_offers(outbox, 1)
    outbox.finish(done(1))
    pending = outbox.envelope(sign)
    for serial in (pending.serial - 1, pending.serial + 1):
        assert outbox.answer(reply(serial, taken=[1], offers=[5])).offers == ()
    assert outbox.envelope(sign) == pending
    assert outbox.in_hand() == []


def test_an_envelope_carries_no_more_results_than_the_wire_takes():
    outbox = Outbox(":memory:")
    with_offers(outbox, *range(MOST_RESULTS + 5))
    for number in range(MOST_RESULTS + 5):
        outbox.finish(done(number))
    first = outbox.envelope(sign)
    assert len(carried(first)) == MOST_RESULTS
    assert outbox.answer(reply(first.serial, taken=carried(first))).more
    assert len(carried(outbox.envelope(sign))) == 5
    outbox.close()


def test_large_results_go_out_one_by_one(outbox: Outbox):
    with_offers(outbox, 1, 2)
    for number in (1, 2):
        outbox.finish(done(number, b'"' + b"x" * (MOST_BYTES - 100) + b'"'))
    assert carried(outbox.envelope(sign)) == [1]


def test_an_envelope_that_nobody_can_read_is_halved_until_the_one_result_is_found_and_handed_back(
    outbox: Outbox,
):
    with_offers(outbox, 1, 2, 3, 4)
    for number in (1, 2, 3, 4):
        outbox.finish(done(number))
    for carries in ([1, 2, 3, 4], [1, 2]):
        pending = outbox.envelope(sign)
        assert carried(pending) == carries
        if 3 in carries:
            assert outbox.withdraw(pending.serial, halve=True) == len(carries)
    outbox.answer(reply(pending.serial, taken=[1, 2]))
    for carries in ([3, 4], [3]):
        pending = outbox.envelope(sign)
        assert carried(pending) == carries
        assert outbox.withdraw(pending.serial, halve=True) == len(carries)
    outbox.give_up_first("unreadable")
    sent = msgspec.json.decode(outbox.envelope(sign).request)[1]
    assert [(one["assignment"], one["declined"]) for one in sent] == [(3, "unreadable")]
    assert outbox.counts().declined == 1


def test_after_a_withdrawal_the_next_serial_is_above_what_the_coordinator_saw(outbox: Outbox):
    outbox.envelope(sign)
    outbox.withdraw(41)
    assert outbox.envelope(sign).serial == 42


def test_an_envelope_that_can_not_be_made_was_never_begun(outbox: Outbox):
    def fail(*about: object) -> bytes:
        raise OSError

    with_offers(outbox, 1)
    outbox.finish(done(1))
    with pytest.raises(OSError):  # noqa: PT011
        outbox.envelope(fail)
    assert carried(outbox.envelope(sign)) == [1]
    assert outbox.envelope(sign).serial == 2


def test_an_answer_to_a_challenge_is_kept_until_it_is_acknowledged(outbox: Outbox):
    outbox.met(Met(7, "aa"))
    outbox.met(Met(7, "bb"))
    pending = outbox.envelope(sign)
    assert msgspec.json.decode(pending.request)[2] == [{"challenge": 7, "digest": "aa"}]
    assert outbox.answered() == {7}
    outbox.answer(reply(pending.serial))
    assert outbox.answered() == set()


# Whatever happens, wherever it is cut off


class Crash(Exception): ...


class Fragile(sqlite3.Connection):
    """Dies before its n-th statement. What it had not committed is as lost as after a kill -9."""

    left = 1_000_000

    def execute(self, *args: Any) -> sqlite3.Cursor:
        if Fragile.left == 0:
            raise Crash
        Fragile.left -= 1
        return super().execute(*args)


class Model:
    """The outbox in the fewest words."""

    def __init__(self) -> None:
        self.hand: set[int] = set()
        self.ready: list[Done] = []  # in order; those that `under` names are under way
        self.under: set[int] = set()
        self.answers: dict[int, str] = {}
        self.answers_under: set[int] = set()
        self.serial = 0
        self.request: bytes | None = None
        self.taken: list[int] = []
        self.signed: dict[int, bytes] = {}

    def finish(self, one: Done) -> None:
        if one.assignment in self.hand:
            self.hand.remove(one.assignment)
            self.ready.append(one)

    def met(self, met: Met) -> None:
        self.answers.setdefault(met.challenge, met.digest)

    def envelope(self) -> None:
        if self.request is None:
            self.serial += 1
            self.under = {one.assignment for one in self.ready}
            self.answers_under = set(self.answers)
            self.request = sign(self.serial, self.ready, [Met(*one) for one in sorted(self.answers.items())])

    def open_again(self) -> None:
        self.request, self.under, self.answers_under = None, set(), set()

    def answer(self, came: Reply) -> None:
        if self.request is None or came.serial != self.serial:
            return
        gone = self.under & {*came.taken, *(one.assignment for one in came.refused)}
        results = {one.assignment for one in self.ready if not one.declined}
        self.taken += [one for one in came.taken if one in self.under & results]
        self.ready = [one for one in self.ready if one.assignment not in gone]
        for challenge in self.answers_under:
            del self.answers[challenge]
        known = self.hand | {one.assignment for one in self.ready}
        self.hand |= {one.assignment for one in came.offers} - known
        self.open_again()

    def withdraw(self, serial: int) -> None:
        self.serial = max(self.serial, serial)
        self.open_again()


class CutOffAnywhere(RuleBasedStateMachine):
    """After a crash the outbox is as before what was cut off, or as it should be after it. Never between."""

    def __init__(self) -> None:
        super().__init__()
        memory = Path(
            "/dev/shm"
        )  # where there is one: this is about crashes of a process, and syncing is slow
        self.folder = Path(tempfile.mkdtemp(prefix="outbox-", dir=memory if memory.is_dir() else None))
        self.real = sqlite3.connect
        module.sqlite3.connect = lambda *a, **k: self.real(*a, **k, factory=Fragile)  # type: ignore[assignment,call-overload]
        self.outbox = self.open()
        self.model = Model()
        self.next = 0

    def teardown(self) -> None:
        self.outbox.close()
        module.sqlite3.connect = self.real
        shutil.rmtree(self.folder)

    def open(self) -> Outbox:
        Fragile.left = 1_000_000
        return Outbox(self.folder / "outbox.db")

    def do(self, crash: int, real: Callable[[], Any], model: Callable[[Model], Any]) -> Any:
        """`crash` statements are let through; what happens after that happens after a restart."""
        after = copy.deepcopy(self.model)
        model(after)
        Fragile.left = crash
        try:
            answer = real()
        except Crash:
            Fragile.left = 1_000_000
            self.outbox.close()
            self.outbox = self.open()
            return None
        Fragile.left = 1_000_000
        self.model = after
        if crash < 1_000:
            self.outbox.close()
            self.outbox = self.open()
        return answer

    crashes = st.one_of(st.just(1_000_000), st.integers(0, 25))
    numbers = st.integers(0, 12)

    @rule(crash=crashes, number=numbers, declined=st.booleans())
    def finish(self, crash: int, number: int, declined: bool) -> None:
        one = Done(AssignmentId(number), declined="no") if declined else done(number)
        self.do(crash, lambda: self.outbox.finish(one), lambda model: model.finish(one))

    @rule(crash=crashes, challenge=st.integers(0, 3), digest=st.sampled_from("ab"))
    def met(self, crash: int, challenge: int, digest: str) -> None:
        one = Met(challenge, digest)
        self.do(crash, lambda: self.outbox.met(one), lambda model: model.met(one))

    @rule(crash=crashes)
    def send(self, crash: int) -> None:
        pending = self.do(crash, lambda: self.outbox.envelope(sign), Model.envelope)
        if pending is not None:
            assert pending == Pending(self.model.serial, self.model.request or b"")
            assert self.model.signed.setdefault(pending.serial, pending.request) == pending.request

    @precondition(lambda self: self.model.request is not None)
    @rule(
        crash=crashes,
        taken=st.sets(numbers),
        refused=st.sets(numbers),
        offers=st.sets(numbers),
        off=st.integers(0, 5),
    )
    def be_answered(self, crash: int, taken: set[int], refused: set[int], offers: set[int], off: int) -> None:
        """Now and then, by an answer to another envelope."""
        came = reply(self.model.serial + (off == 5), sorted(taken), sorted(offers), sorted(refused - taken))
        self.do(crash, lambda: self.outbox.answer(came), lambda model: model.answer(came))

    @rule(crash=crashes, ahead=st.integers(-2, 3))
    def withdraw(self, crash: int, ahead: int) -> None:
        serial = self.model.serial + ahead
        self.do(crash, lambda: self.outbox.withdraw(serial), lambda model: model.withdraw(serial))

    @invariant()
    def it_is_as_it_should_be(self) -> None:
        assert {one.assignment for one in self.outbox.in_hand()} == self.model.hand
        assert self.outbox.answered() == set(self.model.answers)
        assert self.outbox.taken() == self.model.taken
        db = self.outbox._db
        rows = db.execute(
            "select done, under from assignment where place is not null order by place"
        ).fetchall()
        assert plain([msgspec.json.decode(row[0], type=Done) for row in rows]) == plain(self.model.ready)
        under = {
            one.assignment for one, row in zip(self.model.ready, rows, strict=True) if row[1] is not None
        }
        assert under == self.model.under
        assert db.execute("select serial, request from node").fetchone() == (
            self.model.serial,
            self.model.request,
        )


TestCutOffAnywhere = CutOffAnywhere.TestCase
TestCutOffAnywhere.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
