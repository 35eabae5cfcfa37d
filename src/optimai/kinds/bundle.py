"""An epoch's public bundle: all that a stranger needs to recompute its verdicts and payouts.

The bundle is JSON lines, each tagged with what it is; its head, signed by the
network, names the bundle by hash, chunk by chunk, and the head before it. Nobody
needs the database or our word: signatures say who did what, the kinds' own judges
say what it was worth, the prices are those pinned at the offer, and the ledger
must add up.

    shown and recomputed    signatures, draws by chance, verdicts, standings, amounts, links, balances
    shown and claimed       that an owner was on probation, that nobody else could be had, that rows
                            were refused unseen, what a challenge's right answer was
"""

from collections.abc import Iterable, Mapping

import msgspec
from blake3 import blake3
from msgspec import Raw, Struct

from optimai.core import ledger
from optimai.core.chance import Ppm, Seed, happens
from optimai.core.clock import Instant
from optimai.core.earning import State
from optimai.core.errors import OptimaiError
from optimai.core.ids import EnvelopeId, NetworkId, NodeId, OwnerId, fingerprint
from optimai.core.ledger import OUTSIDE, Account, Transfer
from optimai.core.standing import Standing, after, suspended
from optimai.kinds import catalog, ruling
from optimai.kinds.contract import More
from optimai.kinds.ruling import Given, Record
from optimai.wire import envelope
from optimai.wire.envelope import Envelope
from optimai.wire.exchange import EXCHANGE, Signed

HEAD = "application/vnd.optimai.epoch+json"
CHUNK = 64 << 10


class Head(Struct, frozen=True, kw_only=True):
    network: NetworkId
    epoch: int
    opened: Instant
    closed: Instant
    before: str  # blake3 of the payload of the head before, or zeros
    chunks: tuple[str, ...]  # blake3 of each 64 KiB of the bundle
    seed: bytes  # this epoch's, secret until now
    next_seed: str  # commitment to the seed of the epoch that opens now
    link: str  # last link of the ledger's chain


class Node(Struct, frozen=True, tag="node"):
    id: NodeId
    key: bytes
    owner: OwnerId


class Kind(Struct, frozen=True, tag="kind"):
    name: str
    hash: str


class SeedOf(Struct, frozen=True, tag="seed"):
    """Of an earlier epoch, in which an audit was drawn whose verdict came in this one."""

    epoch: int
    seed: bytes


class Stood(Struct, frozen=True, tag="stood"):
    """How an owner stood when the epoch opened."""

    owner: OwnerId
    kind: str
    checked: int
    faults: int
    suspended: bool


class Stands(Struct, frozen=True, tag="stands"):
    """How an owner stood when it closed: recomputed, and where the next epoch begins."""

    owner: OwnerId
    kind: str
    checked: int
    faults: int
    suspended: bool


class Evidence(Struct, frozen=True, tag="envelope"):
    envelope: Envelope


class Judged(Struct, frozen=True, tag="verdict"):
    number: int
    rate: Ppm
    record: Record


class Paid(Struct, frozen=True, tag="earning"):
    """An earning that changed in this epoch, or is not final yet."""

    id: int
    assignment: int
    campaign: int
    owner: OwnerId
    amount: int
    state: State
    reason: str


class Balance(Struct, frozen=True, tag="balance"):
    account: Account
    opened: int
    closed: int


class Link(Struct, frozen=True, tag="link"):
    before: str
    hash: str
    transfers: tuple[Transfer, ...]


Line = Node | Kind | SeedOf | Stood | Stands | Evidence | Judged | Paid | Balance | Link
_lines = msgspec.json.Decoder(Line)


class Report(Struct, frozen=True, kw_only=True):
    """What was recomputed. It is good when `wrong` is empty."""

    epoch: int
    verdicts: int
    results: int
    earnings: int
    transfers: int
    waived: int  # verdicts without an audit because nobody else could be had
    refused: int  # results whose rows could not be taken: claimed, look at the blobs to see
    wrong: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return not self.wrong


def write(lines: Iterable[Line]) -> bytes:
    return b"".join(msgspec.json.encode(line, order="sorted") + b"\n" for line in lines)


def read(data: bytes) -> list[Line]:
    return [_lines.decode(line) for line in data.splitlines()]


def chunks(data: bytes) -> tuple[str, ...]:
    return tuple(blake3(data[start : start + CHUNK]).hexdigest() for start in range(0, len(data), CHUNK))


def verify(head: Envelope, data: bytes, key: bytes) -> Report:
    """Recompute an epoch from its signed head and its bundle. `key` is the network's, which you know from its invite."""
    try:
        envelope.verify(head, HEAD, key)
        top = msgspec.json.decode(head.payload, type=Head)
    except (OptimaiError, msgspec.DecodeError) as fault:
        return _nothing(f"The head is not this network's: {fault}")
    if top.network != fingerprint(key):
        return _nothing(f"The head is of network {top.network}.")
    found = chunks(data)
    changed = [
        f"Bytes {number * CHUNK:,} to {(number + 1) * CHUNK - 1:,} of the bundle were changed."
        for number, (theirs, ours) in enumerate(zip(top.chunks, found, strict=False))
        if theirs != ours
    ]
    if len(top.chunks) != len(found):
        changed.append("The bundle is longer or shorter than its head says.")
    if changed:
        return _nothing(*changed)
    return _Recount(top, read(data)).report()


def _nothing(*wrong: str) -> Report:
    return Report(epoch=0, verdicts=0, results=0, earnings=0, transfers=0, waived=0, refused=0, wrong=wrong)


class _Recount:
    """Goes through a bundle in the order in which things happened."""

    def __init__(self, top: Head, lines: list[Line]) -> None:
        self.top = top
        self.wrong: list[str] = []
        self.nodes = {line.id: line for line in lines if isinstance(line, Node)}
        self.seeds = {line.epoch: Seed(line.seed) for line in lines if isinstance(line, SeedOf)}
        self.seeds[top.epoch] = Seed(top.seed)
        self.verdicts = [line for line in lines if isinstance(line, Judged)]
        self.earnings = [line for line in lines if isinstance(line, Paid)]
        self.balances = [line for line in lines if isinstance(line, Balance)]
        self.links = [line for line in lines if isinstance(line, Link)]
        self.standings = {
            (line.owner, line.kind): (Standing(line.checked, line.faults), line.suspended)
            for line in lines
            if isinstance(line, Stood)
        }
        self.closing = {
            (line.owner, line.kind): (Standing(line.checked, line.faults), line.suspended)
            for line in lines
            if isinstance(line, Stands)
        }
        self.counted: dict[int, tuple[int, int]] = {}  # assignment -> checked and faults by its last verdict
        self.signed = dict(self._open(line.envelope) for line in lines if isinstance(line, Evidence))
        for line in lines:
            if isinstance(line, Kind) and catalog.load(line.name).hash != line.hash:
                self.wrong.append(f"{line.name} was judged by other rules than yours: {line.hash[:12]}.")

    def report(self) -> Report:
        for one in self.verdicts:
            self._verdict(one)
        if self.standings != self.closing:
            self.wrong.append("The owners' standings do not follow from the verdicts.")
        self._amounts()
        self._ledger()
        return Report(
            epoch=self.top.epoch,
            verdicts=len(self.verdicts),
            results=sum(len(one.record.asked.given) for one in self.verdicts),
            earnings=len(self.earnings),
            transfers=sum(len(one.transfers) for one in self.links),
            waived=sum(one.record.draw.why == "nobody else" for one in self.verdicts),
            refused=sum(bool(given.refused) for one in self.verdicts for given in one.record.asked.given),
            wrong=tuple(self.wrong),
        )

    def _open(self, one: Envelope) -> tuple[EnvelopeId, Signed | None]:
        """What it says, if the node that it names signed it."""
        try:
            signed = msgspec.json.decode(one.payload, type=Signed)
            envelope.verify(one, EXCHANGE, self.nodes[signed.node].key)
        except (OptimaiError, KeyError, msgspec.DecodeError) as fault:
            self.wrong.append(f"Envelope {one.id[:12]} was not signed by the node it names: {fault}")
            return one.id, None
        if fingerprint(self.nodes[signed.node].key) != signed.node or signed.network != self.top.network:
            self.wrong.append(f"Envelope {one.id[:12]} is of another node or network.")
        return one.id, signed

    def _verdict(self, one: Judged) -> None:
        asked = one.record.asked
        kind = catalog.load(asked.kind)
        name = f"Verdict {one.number} on task {asked.task}"
        draw = one.record.draw
        if draw.why == "chance" and draw.audit != happens(self.seeds[draw.epoch], one.rate, "audit", asked.task):
            self.wrong.append(f"{name}: its audit was not drawn by the epoch's seed.")
        results = [self._result(name, given) for given in asked.given]
        if None in results:
            return
        for given in asked.given:
            barred = self.standings.get((given.owner, asked.kind), (Standing(), False))[1]
            if given.trusted == barred:
                self.wrong.append(f"{name}: assignment {given.assignment} was trusted wrongly.")
        ruled = ruling.rule(kind, asked, [result for result in results if result is not None])
        if isinstance(ruled, More) or ruled != one.record.ruled:
            self.wrong.append(f"{name} comes out otherwise: {ruled}")
            return
        self._stand(one, kind.kind.tolerates)

    def _result(self, name: str, given: Given) -> Raw | None:
        name_of, _, index = given.result.partition(".")
        signed = self.signed.get(EnvelopeId(name_of))
        if signed is None or signed.node != given.node:
            self.wrong.append(f"{name}: the envelope of result {given.result[:16]} is missing or another's.")
            return None
        done = signed.results[int(index)] if int(index) < len(signed.results) else None
        if done is None or done.assignment != given.assignment:
            self.wrong.append(f"{name}: result {given.result[:16]} was signed for something else.")
            return None
        return done.result

    def _stand(self, one: Judged, tolerates: Ppm) -> None:
        asked = one.record.asked
        before = {given.assignment: given for given in asked.given}
        for found in one.record.ruled.found:
            given = before[found.assignment]
            if self.counted.get(given.assignment, (given.checked, given.faults)) != (given.checked, given.faults):
                self.wrong.append(f"Verdict {one.number}: what was counted of {given.assignment} before is wrong.")
            standing, barred = self.standings.get((given.owner, asked.kind), (Standing(), False))
            rest = Standing(standing.checked - given.checked, standing.faults - given.faults)
            self.counted[given.assignment] = (found.checked, found.faults)
            self.standings[given.owner, asked.kind] = (after(rest, found.checked, found.faults), barred)
        for owner in dict.fromkeys(given.owner for given in asked.given):
            standing, barred = self.standings[owner, asked.kind]
            self.standings[owner, asked.kind] = (standing, barred or suspended(standing, tolerates))

    def _amounts(self) -> None:
        """Each assignment earned what its last verdict says: units that hold times its price."""
        says: dict[int, tuple[int, OwnerId]] = {}
        for one in self.verdicts:
            prices = {given.assignment: (given.price, given.owner) for given in one.record.asked.given}
            for found in one.record.ruled.found:
                price, owner = prices[found.assignment]
                says[found.assignment] = (found.units * price, owner)
        living: dict[int, Paid] = {}
        for line in self.earnings:
            if line.state is not State.VOID:
                if line.assignment in living:
                    self.wrong.append(f"Assignment {line.assignment} is paid twice.")
                living[line.assignment] = line
        for assignment, (amount, owner) in says.items():
            paid = living.get(assignment)
            if paid is not None and paid.state is State.AVAILABLE and paid.amount != amount:
                continue  # it was free before the verdict changed: final
            if (paid.amount if paid else 0) != amount or (paid is not None and paid.owner != owner):
                self.wrong.append(f"Assignment {assignment} should earn {amount}, not {paid.amount if paid else 0}.")

    def _ledger(self) -> None:
        last = None
        change: dict[Account, int] = {}
        for link in self.links:
            if last is not None and link.before != last:
                self.wrong.append(f"The ledger's chain breaks before {link.hash[:12]}.")
            if ledger.link(link.before, link.transfers) != link.hash:
                self.wrong.append(f"The ledger's link {link.hash[:12]} is not the hash of its transfers.")
            last = link.hash
            for account, amount in ledger.together(link.transfers).items():
                change[account] = change.get(account, 0) + amount
        if last is not None and last != self.top.link:
            self.wrong.append("The head names another last link of the ledger.")
        self._balances(change)

    def _balances(self, change: Mapping[Account, int]) -> None:
        owed: dict[str, int] = {}
        for line in self.earnings:
            if line.state is State.RESERVED:
                owed[f"reserved:{line.campaign}"] = owed.get(f"reserved:{line.campaign}", 0) + line.amount
            elif line.state is State.PENDING:
                owed[f"pending:{line.owner}"] = owed.get(f"pending:{line.owner}", 0) + line.amount
        for one in self.balances:
            if one.opened + change.get(one.account, 0) != one.closed or (one.closed < 0 and one.account != OUTSIDE):
                self.wrong.append(f"The balance of {one.account} does not follow from its transfers.")
            if one.account.startswith(("reserved:", "pending:")) and owed.get(one.account, 0) != one.closed:
                self.wrong.append(f"{one.account} is not the sum of its earnings.")
        if sum(one.closed for one in self.balances):
            self.wrong.append("The accounts do not add up to zero.")
