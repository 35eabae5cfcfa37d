"""A dishonest coordinator has the network's key and makes chunks and head of an epoch anew: it is found out."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest
from msgspec import Raw
from msgspec.structs import replace

from optimai.core import conduct, ledger
from optimai.core.assignment import Role
from optimai.core.chance import Ppm, Seed, happens
from optimai.core.earning import State
from optimai.core.ledger import Account, Transfer
from optimai.core.money import OPI, Nano
from optimai.kinds import bundle, lines
from optimai.kinds.bundle import Report, verify
from optimai.kinds.lines import Balance, Evidence, Head, Judged, Line, Link, Paid, Stands, Stood
from optimai.network.store.sql import Database
from optimai.wire import envelope
from optimai.wire.envelope import Envelope
from tests.closing import a_day, closing, epochs, key
from tests.road import ANYBODY, MINUTE, Road, done, stand

pytestmark = pytest.mark.usefixtures("trial")


@pytest.fixture
def road(database: Database) -> Road:
    return Road(database)


Forgery = Callable[[list[Line]], None]


def change(some: list[Line], sort: type[Any], pick: Callable[[Any], bool], **fields: Any) -> None:
    """The first line of a sort that fits, with other fields."""
    place = next(number for number, line in enumerate(some) if isinstance(line, sort) and pick(line))
    some[place] = replace(some[place], **fields)


def anything(line: object) -> bool:
    return True


def judged_true(some: Sequence[Line]) -> Judged:
    return next(
        line
        for line in some
        if isinstance(line, Judged) and any(one.units for one in line.record.ruled.found)
    )


def pay_a_lie(some: list[Line]) -> None:
    def lied(line: Judged) -> bool:
        return any(not one.units for one in line.record.ruled.found)

    line = next(one for one in some if isinstance(one, Judged) and lied(one))
    ruled = line.record.ruled
    found = tuple(replace(one, units=2, faults=0) for one in ruled.found)
    change(some, Judged, lied, record=replace(line.record, ruled=replace(ruled, found=found)))


def believe_something_else(some: list[Line]) -> None:
    record = judged_true(some).record
    lie = replace(record, ruled=replace(record.ruled, believed=Raw(b'{"value":13,"rows":null}')))
    change(some, Judged, lambda line: line.record is record, record=lie)


def change_a_result(some: list[Line]) -> None:
    one = next(line for line in some if isinstance(line, Evidence) and b'"value":7' in line.envelope.payload)
    payload = one.envelope.payload.replace(b'"value":7', b'"value":8')
    some.remove(one)
    some.append(Evidence(replace(one.envelope, payload=payload)))


def leave_a_result_out(some: list[Line]) -> None:
    record = judged_true(some).record
    asked = replace(record.asked, given=record.asked.given[:1])
    change(some, Judged, lambda line: line.record is record, record=replace(record, asked=asked))


def say_it_was_anothers(some: list[Line]) -> None:
    record = judged_true(some).record
    first, *rest = record.asked.given
    thief = next(line for line in some if isinstance(line, lines.Node) and line.owner != first.owner)
    given = (replace(first, owner=thief.owner), *rest)
    lie = replace(record, asked=replace(record.asked, given=given))
    change(some, Judged, lambda line: line.record is record, record=lie)


def trust_who_is_suspended(some: list[Line]) -> None:
    record = judged_true(some).record
    given = tuple(replace(one, trusted=not one.trusted) for one in record.asked.given)
    lie = replace(record, asked=replace(record.asked, given=given))
    change(some, Judged, lambda line: line.record is record, record=lie)


def ask_for_another_price(some: list[Line]) -> None:
    record = judged_true(some).record
    given = tuple(replace(one, price=one.price * 2) for one in record.asked.given)
    lie = replace(record, asked=replace(record.asked, given=given))
    change(some, Judged, lambda line: line.record is record, record=lie)


def pay_more(some: list[Line]) -> None:
    change(some, Paid, lambda line: line.state is State.PENDING, amount=9 * OPI)


def pay_twice(some: list[Line]) -> None:
    line = next(line for line in some if isinstance(line, Paid) and line.state is State.PENDING)
    some.append(replace(line, id=line.id + 1_000))


def pay_for_nothing(some: list[Line]) -> None:
    """A friend earns what nobody judged, and the accounts are made to fit."""
    friend = "f" * 32
    some.append(
        Paid(9_999, 9_999, 1, friend, OPI, State.PENDING, "because", "trial", Role.ANSWER, OPI, 0, 0, None)
    )
    move(some, "earn", "reserved:1", f"pending:{friend}", OPI)


def pay_nobody(some: list[Line]) -> None:
    change(some, Paid, lambda line: line.state is State.PENDING, state=State.VOID, amount=0)


def forget_a_fault(some: list[Line]) -> None:
    fell = next(line for line in some if isinstance(line, Stands) and line.conduct.faults)
    change(some, Stands, lambda line: line is fell, conduct=replace(fell.conduct, faults=0))


def lift_a_suspension(some: list[Line]) -> None:
    gone = next(line for line in some if isinstance(line, Stands) and line.conduct.state == "suspended")
    change(
        some, Stands, lambda line: line is gone, conduct=replace(gone.conduct, state=conduct.State.STANDING)
    )


def begin_with_another_conduct(some: list[Line]) -> None:
    one = next(line for line in some if isinstance(line, Stands))
    some.insert(0, Stood(one.owner, one.kind, one.role, replace(one.conduct, checked=50)))


def keep_less_in_the_bond(some: list[Line]) -> None:
    change(some, Paid, lambda line: line.kept > 0, kept=1)


def fine_nobody(some: list[Line]) -> None:
    change(some, Paid, lambda line: line.fined > 0, fined=0)


def judge_by_other_rules(some: list[Line]) -> None:
    change(some, lines.Kind, anything, hash="0" * 64)


def change_a_transfer(some: list[Line]) -> None:
    link = next(line for line in some if isinstance(line, Link))
    first, *rest = link.transfers
    account, amount = next(iter(first.entries.items()))
    other = Transfer(first.event, first.about, {account: Nano(amount * 2), Account("x"): Nano(-amount * 2)})
    change(some, Link, anything, transfers=(other, *rest))


def change_a_transfer_and_its_links(some: list[Line]) -> None:
    change_a_transfer(some)
    relink(some)


def leave_a_link_out(some: list[Line]) -> None:
    some.remove(next(line for line in some if isinstance(line, Link)))
    relink(some)


def release_to_another(some: list[Line]) -> None:
    """What was pending for one becomes another's, and every account is made to fit."""
    line = next(line for line in some if isinstance(line, Paid) and line.state is State.PENDING)
    some[some.index(line)] = replace(line, state=State.AVAILABLE)
    move(some, "release", f"pending:{line.owner}", "available:" + "f" * 32, line.amount)


def take_from_escrow(some: list[Line]) -> None:
    move(some, "tip", "escrow:1", "available:" + "f" * 32, OPI)


def change_a_balance(some: list[Line]) -> None:
    change(some, Balance, lambda line: line.closed > 0, closed=1)


def change_a_whole_account(some: list[Line]) -> None:
    line = next(line for line in some if isinstance(line, Balance) and line.closed > 0)
    change(some, Balance, lambda one: one is line, opened=line.opened + 5, closed=line.closed + 5)


FORGERIES: list[Forgery] = [
    pay_a_lie,
    believe_something_else,
    change_a_result,
    leave_a_result_out,
    say_it_was_anothers,
    trust_who_is_suspended,
    ask_for_another_price,
    pay_more,
    pay_twice,
    pay_for_nothing,
    pay_nobody,
    forget_a_fault,
    lift_a_suspension,
    begin_with_another_conduct,
    judge_by_other_rules,
    change_a_transfer,
    change_a_transfer_and_its_links,
    leave_a_link_out,
    release_to_another,
    take_from_escrow,
    change_a_balance,
    change_a_whole_account,
]


def move(some: list[Line], event: str, source: str, target: str, amount: int) -> None:
    """One more transfer, with balances and links that fit it."""
    place = next(number for number, line in enumerate(some) if isinstance(line, Link))
    link = some[place]
    assert isinstance(link, Link)
    one = ledger.move(event, "a forgery", Account(source), Account(target), Nano(amount))
    some[place] = replace(link, transfers=(*link.transfers, one))
    for account, change_of in ((source, -amount), (target, amount)):
        there = next((line for line in some if isinstance(line, Balance) and line.account == account), None)
        if there is None:
            some.append(Balance(Account(account), 0, change_of))
        else:
            some[some.index(there)] = replace(there, closed=there.closed + change_of)
    relink(some)


def relink(some: list[Line]) -> None:
    last = None
    for place, line in enumerate(some):
        if isinstance(line, Link):
            before = line.before if last is None else last
            last = ledger.link(before, line.transfers)
            some[place] = replace(line, before=before, hash=last)


async def forged(road: Road, forge: Forgery, number: int = 0) -> tuple[Envelope, bytes]:
    """An epoch as a dishonest coordinator would show it: signed, with all hashes made anew."""
    head, data = (await epochs(road))[number]
    some = lines.read(data)
    forge(some)
    top = msgspec.json.decode(head.payload, type=Head)
    last = [line.hash for line in some if isinstance(line, Link)]
    other = lines.write(some)
    top = replace(top, chunks=lines.chunks(other), link=last[-1] if last else top.link)
    return envelope.sign(lines.HEAD, msgspec.json.encode(top), road.database.network.key), other


async def test_making_hashes_anew_is_no_forgery_by_itself(road: Road):
    await a_day(road)
    await closing(road)
    assert verify(*await forged(road, relink), key(road)).ok


async def test_every_forgery_that_is_signed_by_the_network_itself_is_found_by_recomputation(road: Road):
    await a_day(road)
    await closing(road)
    found: dict[str, Report] = {}
    for forge in FORGERIES:
        found[forge.__name__] = verify(*await forged(road, forge), key(road))
    assert [name for name, report in found.items() if report.ok] == []
    assert len(found) == len(FORGERIES)


@pytest.mark.parametrize("forge", [keep_less_in_the_bond, fine_nobody])
async def test_a_bond_or_a_fine_that_does_not_follow_is_found(road: Road, forge: Forgery):
    """`ann` errs once, and is paid again later: her fine comes first, then her bond."""
    road.database.network = replace(road.database.network, protocol=ANYBODY)
    await road.begin(step={"tasks": 6, "units": 2})
    ann, bob, cid = [await road.join(name) for name in ("ann", "bob", "cid")]
    offers = await road.offered(ann, room=6)
    for node in (bob, cid):
        await road.offered(node, room=0)
    await road.exchange(ann, *(done(offer, 6 if offer is offers[1] else 7) for offer in offers))
    for _ in range(3):
        await road.stage("judge", "settle")
        for node in (bob, cid):
            await road.exchange(node, *(done(offer) for offer in await road.offered(node, room=6)))
    road.later(11 * MINUTE)
    await road.stage("release")
    await closing(road)
    [line] = await road.rows(
        "select sum(fined) as fined, sum(kept) as kept from earning where owner = $1", ann.owner
    )
    assert (line["fined"], line["kept"]) == (3 * OPI, 7 * OPI)
    assert verify(*(await epochs(road))[0], key(road)).ok
    wrong = verify(*await forged(road, forge), key(road)).wrong
    assert any("says the rule" in one for one in wrong)
    assert await road.in_order()


async def test_an_audit_that_the_seed_did_not_draw_is_found(road: Road):
    await road.begin(step={"tasks": 12, "validate": {"audit": "30%"}})
    ann, bob = await road.join("ann"), await road.join("bob")
    await stand(road.database, ann, bob)
    await road.offered(bob, room=0)
    await road.exchange(ann, *(done(offer) for offer in await road.offered(ann, room=12)))
    for _ in range(3):
        await road.stage("judge", "settle")
        await road.exchange(bob, *(done(offer) for offer in await road.offered(bob, room=12)))
    await closing(road)
    [(head, data)] = await epochs(road)
    # The conduct above was never earned, so only it is wrong.
    assert verify(head, data, key(road)).wrong == (
        "The owners' conduct does not follow from the verdicts, and from what was paid out.",
    )

    def spare(some: list[Line]) -> None:
        line = next(one for one in some if isinstance(one, Judged) and not one.record.draw.audit)
        lie = replace(line.record, draw=replace(line.record.draw, audit=True))
        change(some, Judged, lambda one: one is line, record=lie)

    seed = Seed(msgspec.json.decode(head.payload, type=Head).seed)
    drawn = [happens(seed, Ppm(300_000), "audit", number) for number in range(1, 13)]
    assert any(drawn)
    assert not all(drawn)
    wrong = verify(*await forged(road, spare), key(road)).wrong
    assert any("was not drawn by the epoch's seed" in one for one in wrong)


async def test_an_epoch_that_does_not_go_on_where_the_last_one_ended_is_found_by_whoever_has_both(road: Road):
    await a_day(road)
    await closing(road)
    await closing(road)
    before = (await epochs(road))[0]

    def shift(some: list[Line]) -> None:
        for place, line in enumerate(some):
            if isinstance(line, Balance) and line.account.startswith("available:requester"):
                some[place] = replace(line, opened=line.opened + 5, closed=line.closed + 5)
            if isinstance(line, Balance) and line.account == "outside":
                some[place] = replace(line, opened=line.opened - 5, closed=line.closed - 5)

    lie = await forged(road, shift, 1)
    assert verify(*lie, key(road)).ok  # alone, it adds up
    assert verify(*lie, key(road), before).wrong == (
        "Its accounts do not begin as those of the epoch before ended.",
    )

    head, data = (await epochs(road))[1]
    top = replace(msgspec.json.decode(head.payload, type=Head), seed=b"s" * 32)
    other = envelope.sign(lines.HEAD, msgspec.json.encode(top), road.database.network.key)
    assert (
        "Its seed is not the one that was fixed before it began."
        in verify(other, data, key(road), before).wrong
    )


async def test_a_bundle_that_makes_no_sense_is_no_crash(road: Road):
    await a_day(road)
    await closing(road)

    def nonsense(some: list[Line]) -> None:
        record = judged_true(some).record
        asked = replace(record.asked, kind="nothing.there")
        change(some, Judged, lambda line: line.record is record, record=replace(record, asked=asked))

    def no_node(some: list[Line]) -> None:
        some[:] = [line for line in some if not isinstance(line, lines.Node)]

    def no_index(some: list[Line]) -> None:
        record = judged_true(some).record
        given = tuple(replace(one, result="".join((one.result, "x"))) for one in record.asked.given)
        lie = replace(record, asked=replace(record.asked, given=given))
        change(some, Judged, lambda line: line.record is record, record=lie)

    for forge in (nonsense, no_node, no_index):
        assert not verify(*await forged(road, forge), key(road)).ok
    assert bundle.verify is verify
