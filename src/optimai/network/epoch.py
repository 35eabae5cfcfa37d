"""Epoch: closes the ledger's period and shows its evidence.

First it stops the judge and lets settle finish, so that verdicts and pay are in the
same bundle; then, from one snapshot, it writes the bundle, reveals the epoch's seed,
commits to the next one and opens that. Exchanges never wait for it.
"""

from collections.abc import AsyncIterator, Sequence

import msgspec
from blake3 import blake3

from optimai.core import ledger
from optimai.core.assignment import Role
from optimai.core.chance import Seed, commitment
from optimai.core.clock import Instant
from optimai.core.earning import State
from optimai.core.ids import EnvelopeId
from optimai.kinds import lines, ruling
from optimai.kinds.lines import Head, Line
from optimai.network.identity import Identity
from optimai.network.store import conducts, epochs, money
from optimai.network.store.epochs import Closed, Epoch
from optimai.network.store.sql import Record, Tx
from optimai.wire import envelope


def seed_of(network: Identity, number: int) -> Seed:
    """An epoch's seed, from the network's key: secret, and not for anybody to choose later."""
    root = blake3(bytes(network.key), derive_key_context="optimai 2026-11-24 epoch seeds").digest()
    return Seed(blake3(str(number).encode(), key=root).digest())


def _evidence(judged: Sequence[lines.Judged]) -> list[EnvelopeId]:
    """What results were signed in, and answers to challenges: one for each of these at most."""
    given = [given for one in judged for given in one.record.asked.given]
    results = {EnvelopeId(one.result.partition(".")[0]) for one in given}
    return sorted(results | {asked.envelope for one in given for asked in one.challenges if asked.envelope})


def _earnings(before: Closed | None) -> int:
    """The highest number of an earning when this epoch opened."""
    return msgspec.json.decode(envelope.read(before.head).payload, type=Head).earnings[1] if before else 0


async def _link(tx: Tx, running: Epoch, now: Instant) -> str:
    """Chain the epoch's transfers, one link for each thousand."""
    last = await money.last_link(tx)
    while transfers := await money.unlinked(tx, 1_000):
        digest = ledger.link(last, [transfer for _, transfer in transfers])
        await money.link(tx, [number for number, _ in transfers], last, digest, running.number, now)
        last = digest
    return last


async def _ended(tx: Tx, epoch: int) -> list[Line]:
    return [
        lines.Ended(row["number"], row["owner"], row["kind"], Role(row["role"]), row["lost"], row["returned"])
        for row in await conducts.ended(tx, epoch)
    ]


async def _stands(tx: Tx) -> list[Line]:
    return [lines.Stands(*key, stands) for key, stands in await conducts.all_of_them(tx)]


def _paid(row: Record) -> lines.Paid:
    return lines.Paid(
        row["id"],
        row["assignment"],
        row["campaign"],
        row["owner"],
        row["amount"],
        State(row["state"]),
        row["reason"],
        row["kind"],
        Role(row["role"]),
        row["price"],
        row["fined"],
        row["kept"],
        row["freed"],
    )


async def _lines(tx: Tx, running: Epoch, opening: Sequence[Line], earnings: int) -> AsyncIterator[Line]:
    verdicts = await epochs.verdicts(tx, running.number)
    judged = [
        lines.Judged(row["id"], msgspec.json.decode(row["body"], type=ruling.Record)) for row in verdicts
    ]
    seeds = {one.record.draw.epoch for one in judged} | {running.number - 1}
    for by in sorted({(row["kind"], row["kind_hash"]) for row in verdicts}):
        yield lines.Kind(*by)
    for row in await epochs.seeds(tx, sorted(seeds - {running.number})):
        yield lines.SeedOf(row["number"], row["seed"])
    for one_before in opening:
        yield one_before
    for node in await epochs.nodes(
        tx, sorted({given.node for one in judged for given in one.record.asked.given})
    ):
        yield lines.Node(node["id"], node["key"], node["owner"])
    for body in await epochs.envelopes(tx, _evidence(judged)):
        yield lines.Evidence(envelope.read(body))
    for line in (*judged, *await _ended(tx, running.number), *await _stands(tx)):
        yield line
    were = [one.id for one in opening if isinstance(one, lines.Was)]
    for row in await epochs.earnings(tx, running.number, were, earnings):
        yield _paid(row)
    changed: dict[str, int] = {}
    for row in await epochs.links(tx, running.number):
        link = lines.Link(row["before"], row["hash"], await epochs.transfers(tx, row["id"]))
        for account, amount in ledger.together(link.transfers).items():
            changed[account] = changed.get(account, 0) + amount
        yield link
    for row in await epochs.accounts(tx):
        yield lines.Balance(row["name"], row["balance"] - changed.get(row["name"], 0), row["balance"])


async def _open(tx: Tx, now: Instant, number: int) -> None:
    closes = Instant(now + tx.network.epoch)
    await epochs.open_next(tx, number, seed_of(tx.network, number), now, closes)


async def _close(tx: Tx, now: Instant, running: Epoch) -> None:
    last = await _link(tx, running, now)
    before = await epochs.closed(tx)
    opening = lines.opening(lines.read(await tx.blobs.get(before.bundle))) if before else []
    earnings = _earnings(before), await money.last_earning(tx)
    data = lines.write([line async for line in _lines(tx, running, opening, earnings[0])])
    top = Head(
        network=tx.network.id,
        epoch=running.number,
        opened=running.opened,
        closed=now,
        before=blake3(envelope.read(before.head).payload).hexdigest() if before else "0" * 64,
        chunks=lines.chunks(data),
        seed=running.seed,
        next_seed=commitment(seed_of(tx.network, running.number + 1)),
        link=last,
        earnings=earnings,
        protocol=running.protocol,
    )
    head = envelope.sign(lines.HEAD, msgspec.json.encode(top), tx.network.key)
    await epochs.close(tx, running.number, envelope.write(head), await tx.blobs.put(data), now)


async def run(tx: Tx, now: Instant, limit: int) -> int:
    """Close the running epoch if it is over; open the first one if there is none."""
    running = await epochs.running(tx)
    if running is None:
        await _open(tx, now, 1)
    elif now < running.closes:
        return 0
    elif not running.closing:
        await epochs.begin_close(tx, running.number)
    elif await epochs.unsettled(tx):
        return 0
    else:
        await _close(tx, now, running)
        await _open(tx, now, running.number + 1)
    return 1
