"""Who leaves is offered nothing more, and has his bond back when all of his is paid out."""

from datetime import timedelta

import msgspec
import pytest
from msgspec.structs import replace
from nacl.signing import SigningKey

from optimai.core.clock import Instant
from optimai.core.errors import BadMessage, BadSignature, WrongNetwork
from optimai.core.ids import NetworkId
from optimai.core.money import OPI
from optimai.kinds.bundle import verify
from optimai.network.leaving import Leaves, leave_signed
from optimai.network.store.sql import Database
from optimai.wire import envelope
from optimai.wire.leaving import LEAVING, Leaving
from tests.closing import closing, epochs, key
from tests.road import ANYBODY, MINUTE, Node, Road, done

pytestmark = pytest.mark.usefixtures("trial")


@pytest.fixture
def road(database: Database) -> Road:
    database.network = replace(database.network, protocol=ANYBODY)
    return Road(database)


def signed(
    road: Road, node: Node, *, at: Instant | None = None, network: str = "", by: SigningKey | None = None
) -> bytes:
    said = Leaving(
        network=NetworkId(network or road.database.network.id),
        owner_key=bytes(node.owner_key.verify_key),
        at=at or road.now,
    )
    return envelope.write(envelope.sign(LEAVING, msgspec.json.encode(said), by or node.owner_key))


async def leave(road: Road, node: Node) -> Leaves:
    return await leave_signed(road.database, signed(road, node))


async def newcomer(road: Road, *values: int, units: int = 2) -> tuple[Node, Node, Node]:
    """`ann` did a task for each value, each of which was audited by others, and their time is over."""
    await road.begin(until="7d", step={"tasks": len(values), "units": units})
    ann, bob, cid = [await road.join(name) for name in ("ann", "bob", "cid")]
    offers = await road.offered(ann, room=len(values))
    for node in (bob, cid):
        await road.offered(node, room=0)
    await road.exchange(ann, *(done(offer, value) for offer, value in zip(offers, values, strict=True)))
    for _ in range(3):
        await road.stage("judge", "settle")
        for node in (bob, cid):
            audits = [offer for offer in await road.offered(node, room=9) if offer.role == "audit"]
            await road.exchange(node, *(done(offer) for offer in audits))
    road.later(11 * MINUTE)
    return ann, bob, cid


async def test_who_leaves_on_probation_has_the_bond_back_once_all_is_paid_out_and_it_recomputes(road: Road):
    ann, _, _ = await newcomer(road, 7, 7, 7)
    told = await leave(road, ann)
    assert (told.waiting, told.bond, told.owed) == (3, 0, 0)
    assert await road.offered(ann, room=9) == []
    await road.stage("release", "release")
    assert await road.balance(f"available:{ann.owner}") == 6 * OPI
    assert await road.balance(f"bond:{ann.owner}") == 0
    assert (await leave(road, ann)).waiting == 0
    await closing(road)
    report = verify(*(await epochs(road))[0], key(road))
    assert report.ok, report.wrong
    assert await road.in_order()


async def test_what_is_owed_is_kept_of_the_bond(road: Road):
    """The fine came after the bond was filled."""
    ann, bob, cid = await newcomer(road, 7, 7)
    await road.stage("release")
    assert await road.balance(f"bond:{ann.owner}") == 4 * OPI
    await road.submit_more("later", {"tasks": 1, "units": 2})
    [offer] = await road.offered(ann)
    await road.exchange(ann, done(offer, 666))
    for node in (bob, cid):
        await road.offered(node, room=0)
    for _ in range(3):
        await road.stage("judge", "settle")
        for node in (bob, cid):
            await road.exchange(node, *(done(offer) for offer in await road.offered(node, room=9)))
    told = await leave(road, ann)
    assert (told.waiting, told.bond, told.owed) == (0, 4 * OPI, 3 * OPI)
    await road.stage("release")
    assert await road.balance(f"available:{ann.owner}") == OPI
    assert await road.balance("pool") == 3 * OPI
    await closing(road)
    assert verify(*(await epochs(road))[0], key(road)).ok
    assert await road.in_order()


async def test_who_joins_again_is_a_newcomer_and_is_offered_work(road: Road):
    ann, _, _ = await newcomer(road, 7, 7, 7)
    await leave(road, ann)
    await road.stage("release", "release")
    await road.submit_more("later", {"tasks": 1})
    assert await road.offered(ann) == []
    again = await road.join("ann")
    again.serial = ann.serial
    [offer] = await road.offered(again)
    assert offer.rate == 1_000_000
    assert await road.value("select count(*) from conduct where owner = $1", ann.owner) == 0


async def test_work_that_nobody_looked_at_is_looked_at_before_its_owner_leaves(road: Road):
    ann, bob, _ = await newcomer(road, *[7] * 20, units=1)
    await road.stage("release")
    assert (
        await road.value("select state from conduct where owner = $1 and role = 'answer'", ann.owner)
        == "standing"
    )
    await road.submit_more("later", {"tasks": 9, "validate": {"audit": "0%"}})
    [offer] = await road.offered(ann)
    assert offer.rate == 0
    await road.offered(bob, room=0)
    await road.exchange(ann, done(offer))
    await road.stage("judge", "settle")
    road.later(11 * MINUTE)
    assert await road.stage("release", "closing") == 0
    assert (await leave(road, ann)).waiting == 1
    await road.offered(bob, room=0)
    await road.stage("closing", "judge")
    audits = [one for one in await road.offered(bob, room=9) if one.role == "audit"]
    await road.exchange(bob, *(done(one) for one in audits))
    await road.stage("judge", "settle", "release", "release")
    assert await road.balance(f"available:{ann.owner}") == 21 * OPI
    assert await road.in_order()


async def test_only_the_owners_key_says_so_here_and_now(road: Road):
    ann, bob, _ = await newcomer(road, 7)
    await road.submit_more("later", {"tasks": 1})
    for wrong, fault in (
        (signed(road, ann, by=bob.owner_key), BadSignature),
        (signed(road, ann, network="f" * 32), WrongNetwork),
        (signed(road, ann, at=Instant(road.now - timedelta(minutes=11))), BadMessage),
        (signed(road, ann, at=Instant(road.now + timedelta(minutes=11))), BadMessage),
        (b"{}", BadMessage),
    ):
        with pytest.raises(fault):
            await leave_signed(road.database, wrong)
    assert len(await road.offered(ann)) == 1
